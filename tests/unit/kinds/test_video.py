from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from provider.wire import Inline
from worker.kind import Intent, Outputs, Pending, Remote, RemoteFailed, Result
from worker.kinds.video import KIND

HERE = Path("/")
IMAGES = ["http://a/1.png", "http://a/2.png", "http://a/3.png", "http://a/4.png"]

GOOD: dict[str, dict[str, Any]] = {
    "text": {"prompt": "a"},
    "image alone": {"image_url": IMAGES[0]},
    "first and last frame": {"image_url": IMAGES[:2]},
    "a list in a CSV cell": {"prompt": "a", "image_url": '["http://a/1.png", "http://a/2.png"]'},
    "everything of cogvideox-3": {
        "prompt": "a", "size": "3840x2160", "duration": "10", "fps": "60", "quality": "quality", "with_audio": "true",
    },
    "vidu text": {"model": "viduq1-text", "prompt": "a", "style": "anime", "aspect_ratio": "9:16"},
    "vidu image": {"model": "viduq1-image", "image_url": IMAGES[0], "movement_amplitude": "large"},
    "vidu reference": {"model": "vidu2-reference", "prompt": "a", "image_url": IMAGES[:3], "duration": 4},
}  # fmt: skip


@pytest.mark.parametrize("fields", GOOD.values(), ids=GOOD)
def test_good(fields: dict[str, Any]) -> None:
    assert KIND.check(fields, HERE).warnings == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to go by": ({}, "a video needs a prompt, an image_url, or both"),
    "long prompt": ({"prompt": "a" * 513}, "at most 512"),
    "size": ({"prompt": "a", "size": "640x480"}, "size: '640x480' is not offered by cogvideox-3; choose from 1280x720"),
    "duration": ({"prompt": "a", "duration": 7}, "duration: 7 is not offered by cogvideox-3; choose from 5, 10"),
    "fps": ({"prompt": "a", "fps": 24}, "fps: 24 is not offered"),
    "vidu 2 takes 4 seconds": ({"model": "vidu2-image", "image_url": IMAGES[0], "duration": 5}, "choose from 4"),
    "a field of another model": ({"prompt": "a", "style": "anime"}, "style: is no field of cogvideox-3"),
    "vidu text takes no image": ({"model": "viduq1-text", "prompt": "a", "image_url": IMAGES[0]}, "takes 0 images"),
    "start and end are two": ({"model": "viduq1-start-end", "image_url": IMAGES[0]}, "takes 2 images, got 1"),
    "too many references": ({"model": "vidu2-reference", "prompt": "a", "image_url": IMAGES}, "takes 1 to 3 images"),
    "frames are for speed": ({"image_url": IMAGES[:2], "quality": "quality"}, "'speed' mode only"),
    "no list": ({"prompt": "a", "image_url": "[oops"}, "starts like a JSON list but is none"),
}


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD)
def test_bad(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        KIND.check(fields, HERE)


def test_the_request_carries_its_id() -> None:
    [args] = KIND.check({"prompt": "a", "duration": "5"}, HERE).jobs
    request = KIND.request(args, Intent(job_id=1, request_id="r1"))
    assert request.json == {"model": "cogvideox-3", "prompt": "a", "duration": 5, "request_id": "r1"}


ANSWERS: dict[str, tuple[dict[str, Any], Result]] = {
    "submitted": ({"id": "2026abc", "task_status": "PROCESSING"}, Remote("2026abc")),
    "a long number stays exact": ({"id": 1234567890123456789}, Remote("1234567890123456789")),
    "polled": ({"task_status": "PROCESSING"}, Pending()),
    "failed": ({"task_status": "FAIL"}, RemoteFailed("remote_failed", "the provider gave no reason")),
    "failed with message": ({"task_status": "FAIL", "message": "m"}, RemoteFailed("remote_failed", "m")),
    "failed with error": ({"task_status": "FAIL", "error": {"code": 1301, "message": "m"}}, RemoteFailed("1301", "m")),
}


@pytest.mark.parametrize(("body", "result"), ANSWERS.values(), ids=ANSWERS)
def test_read(body: dict[str, Any], result: Result) -> None:
    assert KIND.read(body, {}) == result


def test_the_video_and_its_cover_are_taken_and_a_missing_cover_is_no_harm() -> None:
    videos = [{"url": "v1", "cover_image_url": "c1"}, {"url": "v2"}]
    result = KIND.read({"task_status": "SUCCESS", "video_result": videos}, {})
    assert isinstance(result, Outputs)
    assert [(output.role, output.url) for output in result.outputs] == [
        ("video", "v1"),
        ("cover", "c1"),
        ("video", "v2"),
    ]


def test_the_poll_asks_for_the_id_as_it_is() -> None:
    assert KIND.poll is not None
    assert KIND.poll("a/b", {}).path == {"id": "a/b"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, size in {"wide": (900, 200), "square": (64, 64), "large": (90, 90), "ok": (256, 200)}.items():
        Image.new("RGB", size, "red").save(tmp_path / f"{name}.png", "PNG")
    Image.new("RGB", (256, 200), "red").save(tmp_path / "ok.webp", "WEBP")
    (tmp_path / "cut.png").write_bytes((tmp_path / "ok.png").read_bytes()[:20])
    (tmp_path / "a.txt").write_text("hello")
    return tmp_path


FILES: dict[str, tuple[str, object, str | None]] = {
    "a file": ("cogvideox-3", "ok.png", None),
    "two files": ("viduq1-start-end", ["ok.png", "ok.webp"], None),
    "in a bucket": ("viduq1-image", "s3://media/a.png", None),
    "a format": ("cogvideox-3", "ok.webp", "ok.webp is WEBP; cogvideox-3 takes PNG, JPEG"),
    "too wide": ("vidu2-image", "wide.png", "wide.png is 900x200; vidu2-image takes 1:4 to 4:1"),
    "too small": ("vidu2-reference", ["ok.png", "square.png"], "square.png is 64x64; vidu2-reference takes 128x128"),
    "frames unlike": ("viduq1-start-end", ["square.png", "large.png"], "the frames differ too much in size"),
    "cut off": ("cogvideox-3", "cut.png", "cut.png is no readable image"),
    "no image": ("cogvideox-3", "a.txt", "is no image: it begins with 'hello'"),
}


@pytest.mark.parametrize(("model", "image", "wrong"), FILES.values(), ids=FILES)
def test_images_from_files(folder: Path, model: str, image: object, wrong: str | None) -> None:
    row = {"model": model, "prompt": "a", "image_url": image}
    if wrong is not None:
        with pytest.raises(ValidationError, match=wrong):
            KIND.check(row, folder)
        return
    [args] = KIND.check(row, folder).jobs
    request = KIND.request(args, Intent(job_id=1, request_id="r"))
    assert request.json is not None
    sent = request.json["image_url"]
    for each in sent if isinstance(sent, list) else [sent]:
        assert isinstance(each, Inline)
        assert each.source.startswith((folder.as_uri(), "s3://"))
    assert KIND.check(args, Path("/")).jobs == [args]


@pytest.mark.parametrize("image", ["notaurl", "ftp://h/a.png", ["https://h/a.png", "b.png"]])
def test_what_is_no_image_is_refused(image: object) -> None:
    with pytest.raises(ValidationError, match=r"neither an http\(s\) URL nor base64"):
        KIND.check({"prompt": "x", "image_url": image}, Path())
