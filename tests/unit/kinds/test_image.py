from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from worker.kind import Outputs
from worker.kinds.image import KIND

HERE = Path("/")

GOOD: dict[str, dict[str, Any]] = {
    "plain": {},
    "named size of glm-image": {"model": "glm-image", "size": "1728x960"},
    "custom size": {"size": "512x2048"},
    "hd": {"quality": "hd"},
    "from a CSV": {"n": "3", "user_id": "user-1"},
    "null is absent": {"size": None, "quality": None},
}


@pytest.mark.parametrize("fields", GOOD.values(), ids=GOOD)
def test_good(fields: dict[str, Any]) -> None:
    assert KIND.check({"prompt": "a cat", **fields}, HERE).warnings == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "too small": ({"size": "256x256"}, "each side is to be 512 to 2048"),
    "not a multiple of 16": ({"size": "1000x1000"}, "multiple of 16"),
    "not a multiple of 32": ({"model": "glm-image", "size": "1040x1040"}, "multiple of 32"),
    "too many pixels": ({"size": "2048x2048"}, "at most 2097152 pixels"),
    "the printed multiplication sign": ({"size": "1024×1024"}, "with a letter x"),
    "standard quality of glm-image": ({"model": "glm-image", "quality": "standard"}, "use 'hd'"),
    "n of none": ({"n": 0}, "greater than or equal to 1"),
    "empty prompt": ({"prompt": ""}, "at least 1 character"),
    "short user_id": ({"user_id": "me"}, "at least 6 characters"),
}


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD)
def test_bad(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        KIND.check({"prompt": "a cat", **fields}, HERE)


def test_n_images_are_n_calls_without_n() -> None:
    jobs = KIND.check({"prompt": "a", "n": 4}, HERE).jobs
    assert jobs == [{"model": "cogview-4-250304", "prompt": "a"}] * 4


def test_all_images_of_an_answer_are_taken() -> None:
    data = b64encode(b"pixels").decode()
    result = KIND.read(
        {"data": [{"url": "http://a/1"}, {"b64_json": data}, {"url": f"data:image/png;base64,{data}"}]}, {}
    )
    assert isinstance(result, Outputs)
    assert [(output.url, output.data) for output in result.outputs] == [
        ("http://a/1", None), (None, b"pixels"), (None, b"pixels"),
    ]  # fmt: skip


def test_the_answer_of_a_task_is_read_too() -> None:
    result = KIND.read({"task_status": "SUCCESS", "image_result": [{"url": "u"}]}, {})
    assert isinstance(result, Outputs)
