import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.events import BrokenStreamError, TranscriptStream
from sandbox.streams import Events, transcript

ANSWER = {"id": "t1", "created": 7, "model": "glm-asr-2512", "text": "The fog – at läst"}


def fed(data: bytes, size: int) -> tuple[TranscriptStream, str]:
    stream = TranscriptStream()
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
