import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.events import AnswerStream, BrokenStreamError, read_body
from provider.wire import Json
from sandbox.streams import Events, agent, chat, transcript

ANSWER = {"id": "t1", "created": 7, "model": "glm-asr-2512", "text": "The fog – at läst"}


def fed(data: bytes, size: int) -> tuple[AnswerStream, str]:
    stream = AnswerStream()
    return stream, "".join(stream.feed(data[start : start + size]) for start in range(0, len(data), size))


def streamed(answer: dict[str, object]) -> Events:
    return Events(transcript(answer, {}))


def event(**fields: object) -> bytes:
    return f"data: {json.dumps(fields)}\n\n".encode()


@given(st.text(), st.integers(1, 200))
def test_the_text_is_whole_however_the_bytes_are_cut(text: str, size: int) -> None:
    stream, shown = fed(bytes(streamed({**ANSWER, "text": text}).body), size)
    assert stream.answer() == {**ANSWER, "text": text}
    assert shown == text


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_three_ways(newline: bytes) -> None:
    data = bytes(streamed(ANSWER).body).replace(b"\n", newline)
    assert fed(data, 5)[0].answer() == ANSWER


def test_comments_and_other_events_are_passed_over() -> None:
    data = (
        b": ping\nevent: x\n" + event(type="other") + event(type="transcript.text.delta", delta="a") + b"data: [DONE]"
    )
    stream, _ = fed(data, 1000)
    assert stream.answer() == {"text": "a"}


def test_a_stream_without_its_end_is_lost() -> None:
    stream, _ = fed(bytes(streamed(ANSWER).body).rpartition(b"data: {")[0], 50)
    with pytest.raises(BrokenStreamError, match="ended after 17 characters"):
        stream.answer()


BROKEN = {"a page": b"data: <html>\n", "a list": b"data: [1]\n"}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_no_event(data: bytes) -> None:
    with pytest.raises(BrokenStreamError, match="an event is no JSON"):
        fed(data, 100)


def test_an_error_in_the_middle_is_kept() -> None:
    refused = {"error": {"code": "1301", "message": "unsafe"}}
    stream, shown = fed(event(type="transcript.text.delta", delta="a") + event(**refused), 100)
    assert (shown, stream.error) == ("a", refused)
    with pytest.raises(BrokenStreamError, match="an error came after 1 characters: unsafe") as broken:
        stream.answer()
    assert broken.value.code == "1301"


def test_an_error_before_anything_else_is_the_answer() -> None:
    refused = {"error": {"code": "1301", "message": "unsafe"}}
    begins = event(id="c", choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}}])
    for start in (b"", begins):
        assert fed(start + event(**refused), 100)[0].answer() == refused


def choice(**message: object) -> Json:
    return {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}


def call(number: int) -> Json:
    function = {"name": f"find_{number}", "arguments": '{"city": "Köln", "n": 1}'}
    return {"id": f"call_{number}", "index": number, "type": "function", "function": function}


USAGE = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12, "prompt_tokens_details": {"cached_tokens": 0}}
HEAD = {"id": "c1", "created": 7, "model": "glm-4.6"}
CHATS: dict[str, Json] = {
    "text": choice(content="One, two – drei\n vier five six"),
    "thoughts": choice(reasoning_content="Let me think of that for a while.", content="Yes."),
    "a tool": {**choice(content=None, tool_calls=[call(0)]), "finish_reason": "tool_calls"},
    "two tools": {**choice(content=None, tool_calls=[call(0), call(1)]), "finish_reason": "tool_calls"},
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("tool_stream", [False, True])
@pytest.mark.parametrize("name", CHATS)
def test_the_deltas_of_a_chat_add_up_to_the_answer_without_a_stream(name: str, tool_stream: bool, size: int) -> None:
    answer = {**HEAD, "choices": [CHATS[name]], "usage": USAGE, "web_search": [{"title": "t"}]}
    stream, shown = fed(bytes(Events(chat(answer, {"tool_stream": tool_stream})).body), size)
    assert stream.answer() == answer
    assert shown == (CHATS[name]["message"]["content"] or "")


def agents(content: object, name: str) -> Json:
    messages = [{"role": "assistant", "phase": phase, "content": content} for phase in ("thinking", "answer")]
    return {"index": 0, "finish_reason": "stop", name: messages}


TEXT = {"type": "text", "text": "One two three four five six seven"}
PAGE = {"type": "object", "object": {"tool_name": "insert_page", "output": "<html>"}}
AGENTS: dict[str, Json] = {
    "a translation": agents(TEXT, "messages"),
    "slides": agents([TEXT, PAGE, TEXT], "message"),
}


@pytest.mark.parametrize("name", AGENTS)
def test_the_pieces_of_an_agents_messages_add_up(name: str) -> None:
    answer = {"id": "a1", "agent_id": "x", "conversation_id": "c", "choices": [AGENTS[name]], "usage": USAGE}
    stream, shown = fed(bytes(Events(agent(answer, {})).body), 50)
    assert stream.answer() == answer
    assert shown == TEXT["text"] * (2 if name == "slides" else 1)


def test_several_choices_and_parts_are_kept_apart() -> None:
    deltas = [(0, "a"), (1, [{"type": "text", "text": "x"}]), (0, "b"), (1, [{"type": "text", "text": "y"}])]
    data = b"".join(event(choices=[{"index": index, "delta": {"content": said}}]) for index, said in deltas)
    data += event(choices=[{"index": index, "finish_reason": "stop", "delta": {}} for index in (1, 0)])
    stream, shown = fed(data, 9)
    first, second = stream.answer()["choices"]
    assert (first["message"]["content"], shown) == ("ab", "ab")
    assert second["message"]["content"] == [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]


def test_a_chat_is_over_when_it_says_why_or_done() -> None:
    begun = event(id="c", choices=[{"index": 0, "delta": {"content": "a"}}])
    with pytest.raises(BrokenStreamError, match="before its end"):
        fed(begun, 100)[0].answer()
    assert fed(begun + b"data: [DONE]\n\n", 100)[0].answer()["choices"]
    assert fed(begun + event(choices=[{"index": 0, "delta": {}, "finish_reason": "length"}]), 100)[0].answer()


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([b"data: ", b"\n", b"{", b"}", b"[DONE]", b'"choices": [', b'"delta"']),
        ),
        max_size=30,
    )
)
def test_no_bytes_break_the_reading(parts: list[bytes]) -> None:
    stream = AnswerStream()
    with contextlib.suppress(BrokenStreamError):
        for part in parts:
            stream.feed(part)
        assert isinstance(stream.answer(), dict)


BODIES: dict[str, bytes] = {
    "events": b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
    "JSON all the same": b'{"choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}]}',
}
BODIES["with a byte order mark, after a comment"] = b"\xef\xbb\xbf: ping\n\n" + BODIES["events"]
BODIES["in the proxy's wrapper"] = json.dumps({"data": BODIES["events"].decode()}).encode()
BODIES["in its other wrapper"] = json.dumps({"result": BODIES["events"].decode(), "provider": "zai"}).encode()


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
def test_a_body_is_read_whatever_it_is(raw: bytes) -> None:
    assert read_body(raw) == json.loads(BODIES["JSON all the same"])


def test_what_cannot_be_stored_is_not_in_it() -> None:
    assert read_body(event(choices=[{"delta": {"content": "a\x00"}, "finish_reason": "stop"}])) == {
        "choices": [{"index": 0, "message": {"content": "a\ufffd"}, "finish_reason": "stop"}]
    }
