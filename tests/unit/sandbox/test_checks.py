"""What the sandbox refuses as the API would, by its pages."""

from typing import Any

import pytest

from sandbox import checks

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("image", {"model": "cogview-4-250304", "prompt": "x", "size": "1344x768"}),
    ("image", {"model": "glm-image", "prompt": "x", "size": "960x1728"}),
    ("image", {"model": "glm-image", "prompt": "x", "size": None}),
    ("video", {"model": "cogvideox-3", "prompt": "x", "size": "3840x2160", "duration": 10, "fps": 60}),
    ("video", {"model": "viduq1-image", "image_url": "https://x/y.png", "duration": 5}),
    ("video", {"model": "vidu2-start-end", "prompt": "x", "duration": None}),
    ("transcription", {"model": "glm-asr-2512"}),
]
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("image", {"prompt": "x"}, "1213"),
    ("image", {"model": "nope", "prompt": "x"}, "1211"),
    ("image", {"model": "cogview-4"}, "1213"),
    ("image", {"model": "cogview-4", "prompt": "x", "user_id": "short"}, "1214"),
    ("image", {"model": "cogview-4", "prompt": "x", "size": "1024×1024"}, "1214"),
    ("image", {"model": "cogview-4", "prompt": "x", "size": "1000x1000"}, "1214"),
    ("image", {"model": "cogview-4", "prompt": "x", "size": "2048x2048"}, "1214"),
    ("image", {"model": "glm-image", "prompt": "x", "size": "512x512"}, "1214"),
    ("video", {"model": "cogvideox-3"}, "1213"),
    ("video", {"model": "cogvideox-3", "prompt": "x" * 513}, "1261"),
    ("video", {"model": "cogvideox-3", "prompt": "x", "size": "640x480"}, "1214"),
    ("video", {"model": "viduq1-text", "prompt": "x", "duration": 10}, "1214"),
    ("transcription", {"model": "glm-asr-2512", "prompt": "x" * 8000}, "1214"),
]


@pytest.mark.parametrize(("endpoint", "body"), GOOD)
def test_good(endpoint: str, body: dict[str, Any]) -> None:
    assert getattr(checks, endpoint)(body) is None


@pytest.mark.parametrize(("endpoint", "body", "code"), BAD)
def test_bad(endpoint: str, body: dict[str, Any], code: str) -> None:
    refusal = getattr(checks, endpoint)(body)
    assert refusal is not None
    assert refusal[0] == code
