from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provider.wire import Json
from worker.kind import Intent, Outputs, Pending, Remote, RemoteFailed, Result, UnreadableAnswerError
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


@pytest.mark.parametrize(
    "text", ["+/8A/w==", "-_8A_w==", "+/8A/w", "+/8A\r\n/w==\n"], ids=["plain", "URL-safe", "unpadded", "in lines"]
)
def test_base64_is_read_as_servers_write_it(text: str) -> None:
    result = KIND.read({"data": [{"b64_json": text}]}, {})
    assert isinstance(result, Outputs)
    assert result.outputs[0].data == b"\xfb\xff\x00\xff"


@pytest.mark.parametrize("text", ["<html>", "A", "AB=CD"])
def test_what_is_no_base64_is_refused(text: str) -> None:
    with pytest.raises(UnreadableAnswerError, match="no valid base64"):
        KIND.read({"data": [{"b64_json": text}]}, {})


#: What a task says → what it means
TASKS: dict[str, tuple[Json, Result | None]] = {
    "taken on": ({"id": "t1", "task_status": "PROCESSING"}, Remote("t1")),
    "at work": ({"task_status": "PROCESSING"}, Pending()),
    "done": ({"id": "t1", "task_status": "SUCCESS", "image_result": [{"url": "u"}]}, None),
    "failed": ({"task_status": "FAIL", "message": "m"}, RemoteFailed("remote_failed", "m")),
}


@pytest.mark.parametrize(("body", "result"), TASKS.values(), ids=TASKS)
def test_the_answers_of_a_task_are_read_too(body: Json, result: Result | None) -> None:
    found = KIND.read(body, {})
    assert found == result or (result is None and isinstance(found, Outputs))


@pytest.mark.parametrize("body", [{"task_status": "SUCCESS"}, {"id": "1", "created": 5, "data": []}])
def test_an_answer_without_images_is_unreadable(body: Json) -> None:
    with pytest.raises(UnreadableAnswerError):
        KIND.read(body, {})


def test_only_glm_image_is_made_by_a_task_and_only_directly() -> None:
    intent = Intent(job_id=1, request_id="r")
    made = [KIND.request({"model": model, "prompt": "a"}, intent) for model in ("glm-image", "cogview-4")]
    assert [(each.endpoint, each.direct_endpoint) for each in made] == [("image", "image_async"), ("image", None)]
