"""OpenAI's batch lines become rows, or say why not."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from worker.kinds import KINDS
from worker.manifest import Good, Problem, read
from worker.openai_batch import KINDS_OF_URLS

CHAT = {"model": "glm-4.6", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}


def request(custom_id: str = "a", url: str = "/v1/chat/completions", **more: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": CHAT, **more}


def read_lines(kind: str, *lines: dict[str, Any]) -> list[Good | Problem]:
    file = io.BytesIO("".join(json.dumps(line) + "\n" for line in lines).encode())
    return list(read(file, "openai", KINDS[kind], Path.cwd()))


def test_each_url_is_of_kinds_that_there_are() -> None:
    assert {kind for kinds in KINDS_OF_URLS.values() for kind in kinds} == set(KINDS)


@pytest.mark.parametrize(
    "url", ["/v1/chat/completions", "/v4/chat/completions", "https://api.z.ai/api/paas/v4/chat/completions"]
)
def test_a_request_becomes_a_row(url: str) -> None:
    [found] = read_lines("chat", request("ask-1", url))
    assert isinstance(found, Good)
    [row] = found.rows
    assert (row.key, row.args["messages"], row.args["model"]) == ("ask-1", CHAT["messages"], "glm-4.6")


WRONG = {
    "of another kind": ("image", request(), "url", "is for chat and code jobs, not for image"),
    "of no kind": ("chat", request(url="/v1/embeddings"), "url", "ends in /chat/completions"),
    "no url": ("chat", {"custom_id": "a", "body": CHAT}, "url", "null is none"),
    "another method": ("chat", request(method="GET"), "method", "it is POST"),
    "no body": ("chat", request(body="x"), "body", "is no object"),
    "no id": ("chat", {"method": "POST", "url": "/v1/chat/completions", "body": CHAT}, "custom_id", "is missing"),
    "a row of ours": ("chat", {"key": "a", "prompt": "x"}, "key", "is no field of a batch request"),
    "a bad field within": ("chat", request(body={**CHAT, "temprature": 1}), "temprature", "did you mean temperature"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_cannot_be_a_row_is_named(case: tuple[str, dict[str, Any], str, str]) -> None:
    kind, line, field, message = case
    [found] = read_lines(kind, line)
    assert isinstance(found, Problem)
    assert (found.row, found.line, found.field) == (1, 1, field)
    assert message in found.message


def test_two_requests_of_one_id() -> None:
    [_, second] = read_lines("chat", request("a"), request("a"))
    assert isinstance(second, Problem)
    assert "is in row 1 already" in second.message
