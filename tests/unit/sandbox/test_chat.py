"""What the stand-in's models say: the same for the same prompt, and of use to a test."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from sandbox import chat, prices, streams, tokens
from sandbox.config import Config
from sandbox.messages import count, words_of
from sandbox.samples import fitting
from sandbox.scene import Scene
from sandbox.world import World

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
            "required": ["city"],
        },
    },
}


def scene() -> Scene:
    request = Request({"type": "http", "path": "/zai/x", "path_params": {}, "query_string": b"", "headers": []})
    return Scene(World(Config()), request, "chat", "glm-4.6")


def asked(text: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "glm-4.6", "messages": [{"role": "user", "content": text}], **fields}


def choice(fields: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = chat.completion(scene(), fields)["choices"][0]
    return found


def test_an_answer_repeats_the_question_without_its_markers() -> None:
    said = choice(asked("What is fog? [[fault:late@poll]] [[key:r1]]"))
    assert said["message"]["content"] == "You asked: What is fog?"
    assert said["finish_reason"] == "stop"
    assert "What is fog" in said["message"]["reasoning_content"]


def test_it_says_what_it_is_told_to() -> None:
    assert choice(asked("x [[say:{1: 2}]] y"))["message"]["content"] == "{1: 2}"


def test_thinking_can_be_disabled() -> None:
    assert "reasoning_content" not in choice(asked("x", thinking={"type": "disabled"}))["message"]


def test_the_words_end_where_they_are_told_to() -> None:
    long = choice(asked("one two three four five", max_tokens=3, thinking={"type": "disabled"}))
    assert (long["message"]["content"], long["finish_reason"]) == ("You asked:", "length")
    assert choice(asked("one two three", stop=["two"]))["message"]["content"] == "You asked: one "


def test_a_function_is_called_that_the_prompt_is_about() -> None:
    called = choice(asked("Is the weather in Beijing, or rather in Tianjin, good today?", tools=[WEATHER]))
    assert called["finish_reason"] == "tool_calls"
    assert called["message"]["content"] is None
    [call] = called["message"]["tool_calls"]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Tianjin"}
    assert "tool_calls" not in choice(asked("Tell a joke", tools=[WEATHER]))["message"]


def test_what_a_tool_said_is_told() -> None:
    fields = asked("The weather?", tools=[WEATHER])
    fields["messages"].append({"role": "tool", "content": "sunny", "tool_call_id": "call_0"})
    assert choice(fields)["message"]["content"] == "The tool says: sunny"


def test_json_fits_the_schema_that_a_message_holds() -> None:
    schema = {"properties": {"title": {"type": "string", "maxLength": 5}, "count": {"type": "integer"}}}
    fields = asked("Say 12 in JSON", response_format={"type": "json_object"})
    fields["messages"].insert(0, {"role": "system", "content": f"Answer by this schema: {json.dumps(schema)} only"})
    assert json.loads(choice(fields)["message"]["content"]) == {"title": "Say 1", "count": 12}
    plain = json.loads(choice(asked("Two words", response_format={"type": "json_object"}))["message"]["content"])
    assert plain == {"answer": "Two words", "words": 2}


def test_an_image_is_seen() -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "text", "text": "What is it?"},
    ]
    said = choice(asked(parts))["message"]["content"]
    assert said == "I see an image of 1x1; an image at https://example.com/a.png. You asked: What is it?"
    assert count(asked(parts)["messages"])["image_tokens"] == 2 * tokens.IMAGE_TOKENS


@pytest.mark.parametrize("text", ["", "Hello, world", "你好世界", "supercalifragilistic", "a\n\nb  c"])
def test_tokens_are_counted_and_cut_alike(text: str) -> None:
    whole = tokens.count(text)
    assert tokens.first(text, whole) == text
    for most in range(whole):
        assert tokens.count(tokens.first(text, most)) == most


def test_usage_is_counted_and_charged() -> None:
    usage = chat.completion(scene(), asked("What is fog?"))["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] > usage["completion_tokens_details"]["reasoning_tokens"] > 0
    cost = prices.of_tokens("glm-4.6", usage)
    assert cost == (usage["prompt_tokens"] * 0.6 + usage["completion_tokens"] * 2.2) / 1e6
    usage["prompt_tokens_details"]["cached_tokens"] = usage["prompt_tokens"]
    assert prices.of_tokens("glm-4.6", usage) < cost
    assert prices.of_tokens("glm-4.5-flash", usage) == 0


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "maximum": 3}, 3),
        ({"type": "number"}, 7.5),
        ({"type": "boolean"}, True),
        ({"type": ["null"]}, None),
        ({"const": "x"}, "x"),
        ({"enum": ["a", "Seven"]}, "a"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [7, 7]),
        ({"anyOf": [{"type": "boolean"}]}, True),
        ({"type": "object", "properties": {"a": {"type": "null"}, "b": {}}, "required": ["a"]}, {"a": None}),
        (True, "about 7.5"),
    ],
)
def test_values_fit(schema: Any, value: Any) -> None:
    assert fitting(schema, "about 7.5") == value


def test_words_of_any_request() -> None:
    assert words_of({"prompt": "a"}) == "a"
    assert words_of({"search_query": "b", "messages": "no list"}) == "b"
    assert words_of({"messages": [{"content": {"type": "text", "text": "c"}}, "odd", {"content": ["d", 5]}]}) == "c\n"


@given(st.text(max_size=300))
def test_pieces_of_a_stream_are_the_text(text: str) -> None:
    assert "".join(streams.pieces(text)) == text


def test_a_stream_says_the_same_as_an_answer() -> None:
    fields = asked("Is the weather good in Tianjin?", tools=[WEATHER], tool_stream=True)
    body = {"id": "i", "created": 1, "model": "m", **chat.completion(scene(), fields)}
    deltas = [event["choices"][0]["delta"] for event in streams.chat(body, fields)]
    message = body["choices"][0]["message"]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == message["reasoning_content"]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert (
        "".join(call["function"]["arguments"] for call in calls) == (message["tool_calls"][0]["function"]["arguments"])
    )
    last = streams.chat(body, fields)[-1]
    assert (last["usage"], last["choices"][0]["finish_reason"]) == (body["usage"], "tool_calls")
