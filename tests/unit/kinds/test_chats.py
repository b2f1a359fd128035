"""Chats: what a row may hold, what is sent, what is made of the answer."""

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from provider.wire import Inline, Json
from worker.kind import Intent, Outputs, RemoteFailed, UnreadableAnswerError
from worker.kinds import KINDS
from worker.kinds.chat import KIND
from worker.tariff import Tokens, cost_of

HERE = Path("/")
ASK = [{"role": "user", "content": "What is fog?"}]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FUNCTION = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    (tmp_path / "a b.png").write_bytes(picture.getvalue())
    (tmp_path / "a.txt").write_text("no image")
    (tmp_path / "large.png").write_bytes(picture.getvalue() + bytes(5 * 1024**2))
    return tmp_path


def args_of(fields: Json, folder: Path = HERE) -> Json:
    [args] = KIND.check(fields, folder).jobs
    return args


def sent(fields: Json, folder: Path = HERE) -> Json:
    request = KIND.request(args_of(fields, folder), Intent(job_id=1, request_id="r" * 32))
    assert request.json is not None
    return request.json


#: A row → its messages.
CONVERSATIONS: dict[str, tuple[Json, list[Json]]] = {
    "a prompt": ({"prompt": "Hi"}, [{"role": "user", "content": "Hi"}]),
    "a prompt and words of the system's": (
        {"prompt": "Hi", "system": "Be short."},
        [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hi"}],
    ),
    "messages": ({"messages": ASK}, ASK),
    "messages in a CSV's cell": ({"messages": json.dumps(ASK)}, ASK),
    "images by URL": (
        {"prompt": "What is it?", "images": ["https://h/a.png"], "model": "glm-4.6v"},
        [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "https://h/a.png"}}, {"type": "text", "text": "What is it?"},
        ]}],
    ),
    "a part whose URL lies bare": (
        {"model": "glm-4.6v", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://h/a"}]}]},
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h/a"}}]}],
    ),
    "calls of tools, and what they gave": (
        {"messages": [*ASK, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
                      {"role": "tool", "content": "7", "tool_call_id": "c1"}]},
        [*ASK, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
         {"role": "tool", "content": "7", "tool_call_id": "c1"}],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "messages"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_row_becomes_messages(fields: Json, messages: list[Json]) -> None:
    assert sent(fields)["messages"] == messages


def test_every_field_goes_out_under_its_name() -> None:
    fields = {
        "do_sample": "true", "thinking": "disabled", "reasoning_effort": "low", "temperature": "0.5", "top_p": "0.9",
        "max_tokens": "100", "tool_stream": "false", "tools": json.dumps([FUNCTION]), "tool_choice": "auto",
        "stop": "END", "response_format": "json_object", "user_id": "user-1", "stream": "true", "model": "glm-5.2",
    }  # fmt: skip
    assert sent({"messages": ASK, **fields}) == {
        "do_sample": True, "thinking": {"type": "disabled"}, "reasoning_effort": "low", "temperature": 0.5,
        "top_p": 0.9, "max_tokens": 100, "tool_stream": False, "tools": [FUNCTION], "tool_choice": "auto",
        "stop": ["END"], "response_format": {"type": "json_object"}, "user_id": "user-1", "stream": True,
        "model": "glm-5.2", "messages": ASK, "request_id": "r" * 32,
    }  # fmt: skip
    for name, stream in (("true", True), ("false", False)):
        request = KIND.request(args_of({"prompt": "a", "stream": name}), Intent(job_id=1, request_id="r"))
        assert (request.stream, request.endpoint) == (stream, "chat")
    assert KINDS["code"].request(args_of({"prompt": "a"}), Intent(job_id=1, request_id="r")).endpoint == "code"


def test_a_file_goes_into_the_request_when_it_is_sent(folder: Path) -> None:
    fields = {"prompt": "What is it?", "images": "a b.png", "model": "glm-4.6v"}
    [args] = KIND.check(fields, folder).jobs
    url = (folder / "a b.png").as_uri()
    assert args["messages"][0]["content"][0]["image_url"] == {"url": url}
    [part, _] = sent(fields, folder)["messages"][0]["content"]
    assert part == {"type": "image_url", "image_url": {"url": Inline(source=url, max_bytes=5 * 1024**2)}}
    assert args_of({"messages": args["messages"], "model": "glm-4.6v"})["messages"] == args["messages"]


def part(kind: str, value: Any) -> Json:
    return {"model": "glm-4.6v", "messages": [{"role": "user", "content": [{"type": kind, kind: value}]}]}


BAD: dict[str, tuple[Json, str]] = {
    "nothing asked": ({}, "prompt: is missing; a chat needs a prompt, or messages"),
    "both": ({"prompt": "a", "messages": ASK}, "leave prompt, system and images out"),
    "blank": ({"prompt": "  "}, "is blank"),
    "no message": ({"messages": []}, "is empty; give at least a message"),
    "no object": ({"messages": ["hi"]}, "message 1 is 'hi'; write it as"),
    "a role": ({"messages": [*ASK, {"role": "bot", "content": "x"}]}, "message 2 has the role 'bot'; roles are system"),
    "no content": ({"messages": [{"role": "user"}]}, "message 1 has no content"),
    "nobody asks": ({"messages": [{"role": "system", "content": "x"}]}, "has no message of a user"),
    "a part's type": (part("audio", "x"), "has a part of type 'audio'; types are text, image_url"),
    "an empty part": (part("image_url", {"href": "x"}), "has a part of type 'image_url' without its image_url"),
    "a file that is not there": (
        part("image_url", {"url": "no.png"}), "message 1 has the image 'no.png', which is neither an http",
    ),
    "calls that are no list": ({"messages": [*ASK, {"role": "assistant", "tool_calls": 5}]}, "has tool_calls 5"),
    "calls that are no objects": (
        {"messages": [*ASK, {"role": "assistant", "content": "a", "tool_calls": ["x"]}]}, "give a list of objects, as",
    ),
    "no image": (part("image_url", {"url": "a.txt"}), "is no image: it begins with 'no image'"),
    "a large image": (part("image_url", {"url": "large.png"}), "holds an image of 5.0 MB; the API takes 5 MB at most"),
    "a video of this machine": (part("video_url", {"url": "a.mp4"}), "has the video_url 'a.mp4', which is no http"),
    "images for a model of text": ({"prompt": "a", "images": "https://h/a.png"}, "glm-4.6 reads text alone"),
    "too hot": ({"prompt": "a", "temperature": 1.5}, "less than or equal to 1"),
    "true for a number": ({"prompt": "a", "max_tokens": True}, "is no number"),
    "too long": ({"prompt": "a", "max_tokens": 131073}, "less than or equal to 131072"),
    "two words to stop at": ({"prompt": "a", "stop": ["a", "b"]}, "at most 1 item"),
    "thinking": ({"prompt": "a", "thinking": "yes"}, "is of type 'yes'; types are enabled, disabled"),
    "a format": ({"prompt": "a", "response_format": {"type": "xml"}}, "is of type 'xml'; types are text, json_object"),
    "a tool": ({"prompt": "a", "tools": [{"type": "hammer"}]}, 'tool 1, {"type": "hammer"}, is of no known type'),
    "a function without a name": ({"prompt": "a", "tools": [{"type": "function", "function": {}}]}, "without a name"),
    "tool_choice": ({"prompt": "a", "tool_choice": "none"}, "Input should be 'auto'"),
    "no schema": ({"prompt": "a", "json_schema": {"type": "thing"}}, "is no JSON schema"),
    "a schema elsewhere": ({"prompt": "a", "json_schema": {"$ref": "https://h/s"}}, "'https://h/s', which is not in"),
    "a schema of nothing": ({"prompt": "a", "json_schema": {"$ref": "#/$defs/x"}}, r"'#/\$defs/x', which is not in it"),
    "a schema in a circle": ({"prompt": "a", "json_schema": {"$ref": "#"}}, "refers to itself without an end"),
    "a schema of an odd kind": ({"prompt": "a", "json_schema": {"$schema": 5}}, "is no JSON schema"),
    "a schema for text": ({"prompt": "a", "json_schema": SCHEMA, "response_format": "text"}, "is for JSON answers"),
    "half a JSON": ({"prompt": "a", "json_schema": "{oops"}, "starts like a JSON object but is none"),
    "NUL": ({"messages": [{"role": "user", "content": "a\x00"}]}, "cannot be stored"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD)
def test_bad(fields: Json, message: str, folder: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        KIND.check(fields, folder)


def test_what_it_may_cost_is_counted_by_bytes_and_max_tokens() -> None:
    checked = KIND.check({"prompt": "a" * 300, "max_tokens": 50}, HERE)
    assert checked.tokens == Tokens(input=100 + 8, output=50)
    assert checked.warnings == []
    assert cost_of(KIND.models["glm-4.6"].price, tokens=checked.tokens) == Decimal("0.000175")
    without = KIND.check({"prompt": "a"}, HERE)
    assert without.tokens.output == 65536
    assert without.warnings == ["no max_tokens: up to 65,536 tokens of answer count in what it may cost"]
    assert KIND.check({"prompt": "a", "model": "glm-4.7-flash"}, HERE).warnings == []


def test_the_schema_goes_along_in_words() -> None:
    body = sent({"prompt": "How many?", "json_schema": SCHEMA, "system": "Be short."})
    assert "json_schema" not in body
    assert body["response_format"] == {"type": "json_object"}
    first, *rest = body["messages"]
    assert (first["role"], json.dumps(SCHEMA) in first["content"]) == ("system", True)
    assert [each["content"] for each in rest] == ["Be short.", "How many?"]


def answer(content: Any = "Fog is low cloud.", reason: str = "stop", **message: Any) -> Json:
    return {"id": "c1", "choices": [{"index": 0, "finish_reason": reason, "message": {"content": content, **message}}]}


def read(body: Json, **args: Any) -> list[tuple[str, str | None]]:
    result = KIND.read(body, args)
    assert isinstance(result, Outputs)
    return [(each.role, each.text) for each in result.outputs]


def test_text_calls_of_tools_and_the_whole_are_kept() -> None:
    assert read(answer()) == [("text", "Fog is low cloud."), ("json", None)]
    assert read(answer([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])) == [
        ("text", "ab"),
        ("json", None),
    ]
    calls = [{"id": "1", "function": {"name": "find", "arguments": "{}"}}]
    assert read(answer(None, "tool_calls", tool_calls=calls)) == [("tool_calls", None), ("json", None)]
    result = KIND.read(answer("a", reasoning_content="hm"), {})
    assert isinstance(result, Outputs)
    assert json.loads(result.outputs[-1].data or b"") == answer("a", reasoning_content="hm")


JSON = {"response_format": {"type": "json_object"}}
FITS = {**JSON, "json_schema": SCHEMA}
#: An answer's text, what was asked → what is kept, or why not
JSONS: dict[str, tuple[str, Json, str | None]] = {
    "JSON": ('{"n": 1}', JSON, None),
    "fits": ('{"n": 1}', FITS, None),
    "fenced": ('```json\n{"n": 1}\n```', FITS, None),
    "no JSON": ("n is 1", JSON, "the answer is no JSON: Expecting value"),
    "cut off": ('{"n": 1', JSON, "the answer is no JSON"),
    "another type": ('{"n": "one"}', FITS, r"does not fit the schema: \$.n: 'one' is not of type"),
    "missing": ("{}", FITS, r"does not fit the schema: \$: 'n' is a required property"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "args", "wrong"), JSONS.values(), ids=JSONS)
def test_json_is_held_against_its_schema(text: str, args: Json, wrong: str | None) -> None:
    if wrong is None:
        assert read(answer(text), **args)[0] == ("text", '{"n": 1}')
        return
    with pytest.raises(UnreadableAnswerError, match=wrong):
        KIND.read(answer(text), args)


def test_answers_without_an_answer() -> None:
    assert KIND.read(answer("so far", "sensitive"), {}) == RemoteFailed(
        "1301", "the answer was stopped, as its content is refused"
    )
    assert isinstance(KIND.read(answer("so far", "network_error"), {}), RemoteFailed)
    with pytest.raises(UnreadableAnswerError, match="its tokens went into thoughts"):
        KIND.read(answer("", "length", reasoning_content="hm"), {})


USAGE: dict[str, tuple[Any, Tokens | None]] = {
    "in and out": ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}, Tokens(input=5, output=7)),
    "of the cache": (
        {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 3}},
        Tokens(input=5, output=7, cached=3),
    ),
    "the sum alone": ({"total_tokens": 12}, Tokens(output=12)),
    "absent": (None, None),
    "odd": ({"prompt_tokens": "many", "total_tokens": True}, None),
}  # fmt: skip


@pytest.mark.parametrize(("usage", "tokens"), USAGE.values(), ids=USAGE)
def test_usage(usage: Any, tokens: Tokens | None) -> None:
    assert KIND.usage is not None
    assert KIND.usage({"usage": usage}) == tokens
