"""Streamed answers against the stand-in: what comes is heard as it comes, and is the answer in the end."""

import asyncio
from collections.abc import Iterator

import pytest

from provider.client import Client
from provider.errors import AnswerLost, ProviderError, Rejected
from provider.formats import Forgetful
from provider.rulings import Action
from provider.wire import Answer, Request, Upload
from sandbox import process
from sandbox.process import SandboxProcess
from sandbox.tones import speak, wav

SAID = "amber basil"
AUDIO = wav(speak(SAID.split()))


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def transcription(fault: str = "", *, stream: bool = True) -> Request:
    form = {"model": "glm-asr-2512", "prompt": f"[[fault:{fault}]]", "stream": str(stream).lower()}
    upload = Upload(filename="a.wav", mime="audio/wav", data=AUDIO)
    return Request(endpoint="transcription", form=form, upload=upload, stream=stream)


def send(api: SandboxProcess, request: Request, heard: list[str], *, direct: bool = False) -> Answer:
    async def once() -> Answer:
        base = api.direct_base_url if direct else api.proxy_base_url
        client = Client(base_url=base, token=api.token, formats=Forgetful())
        try:
            return await client.send(request, on_text=heard.append)
        finally:
            await client.close()

    return asyncio.run(once())


@pytest.mark.parametrize("direct", [False, True], ids=["proxy", "direct"])
def test_the_answer_is_that_of_a_call_without_a_stream(api: SandboxProcess, direct: bool) -> None:
    heard: list[str] = []
    streamed = send(api, transcription(), heard, direct=direct)
    plain = send(api, transcription(stream=False), [], direct=direct)
    assert {**plain.body, "id": "", "created": 0, "request_id": ""} == {
        **streamed.body, "id": "", "created": 0, "request_id": "",
    }  # fmt: skip
    assert "".join(heard) == SAID
    assert streamed.raw.startswith(b"data: {")
    assert b"[DONE]" in streamed.raw


@pytest.mark.parametrize("fault", ["stream_crlf", "stream_comments", "stream_no_done", "stream_bare_done", "bom"])
def test_odd_streams_are_understood(api: SandboxProcess, fault: str) -> None:
    heard: list[str] = []
    assert send(api, transcription(fault), heard).body["text"] == SAID
    assert "".join(heard) == SAID


def test_an_answer_that_is_no_stream_is_one_all_the_same(api: SandboxProcess) -> None:
    heard: list[str] = []
    request = transcription()
    asked_without = {**(request.form or {}), "stream": "false"}
    answer = send(api, Request(endpoint="transcription", form=asked_without, upload=request.upload, stream=True), heard)
    assert (answer.body["text"], heard) == (SAID, [])


#: fault → the error, its code, what it means, what was heard before
BROKEN: dict[str, tuple[type[ProviderError], str | None, Action, str]] = {
    "stream_broken_line": (AnswerLost, "stream_broken", Action.UNKNOWN, ""),
    "reset_midway": (AnswerLost, None, Action.UNKNOWN, "amber"),
    "chunked_short": (AnswerLost, None, Action.UNKNOWN, "amber"),
    "html": (AnswerLost, "not_json", Action.UNKNOWN, ""),
    "empty": (AnswerLost, "not_json", Action.UNKNOWN, ""),
    "stream_error:1": (Rejected, "1234", Action.UNKNOWN, ""),
    "stream_error:2": (AnswerLost, "1234", Action.UNKNOWN, "amber"),
    "content": (Rejected, "1301", Action.REFUSED, ""),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_stream_that_breaks_off_is_lost_with_its_start_kept(api: SandboxProcess, fault: str) -> None:
    kind, code, action, before = BROKEN[fault]
    heard: list[str] = []
    with pytest.raises(kind) as failed:
        send(api, transcription(fault), heard)
    assert (failed.value.code, failed.value.ruling.action) == (code, action)
    assert "".join(heard) == before
    assert not before or before in (failed.value.excerpt or "")
    assert api.token not in f"{failed.value.excerpt}{failed.value.message}"
