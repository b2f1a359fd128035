"""The client against the stand-in: what only a real connection shows."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from provider import client as clients
from provider.client import Client, DownloadError
from provider.errors import Action, AnswerLost, NotSent
from provider.formats import Forgetful
from provider.wire import Answer, Request, Upload
from sandbox import process
from sandbox.process import SandboxProcess

MODEL = "cogview-4-250304"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "2", "--limit", f"{MODEL}=1000")
    yield made
    made.stop()


def made_for(stand_in: SandboxProcess) -> Client:
    return Client(base_url=stand_in.proxy_base_url, token=stand_in.token, formats=Forgetful())


def image(prompt: str) -> Request:
    return Request(endpoint="image", json={"model": MODEL, "prompt": prompt})


def test_as_many_calls_are_under_way_as_are_asked_for(stand_in: SandboxProcess) -> None:
    """aiohttp alone stops at 100 connections: the rest would hold slots and wait."""

    async def many() -> None:
        client = made_for(stand_in)
        await asyncio.gather(*(client.send(image(f"p{number}")) for number in range(150)))
        await client.close()

    asyncio.run(many())
    assert stand_in.summary()["max_in_flight"][MODEL] == 150


@pytest.mark.parametrize("side", ["proxy", "direct"])
def test_the_seeds_names_and_zais_are_both_understood(stand_in: SandboxProcess, side: str) -> None:
    base = stand_in.proxy_base_url if side == "proxy" else stand_in.direct_base_url

    async def search(**body: object) -> int:
        client = Client(base_url=base, token=stand_in.token, formats=Forgetful())
        try:
            answer = await client.send(Request(endpoint="web_search", json=body))
        finally:
            await client.close()
        return len(answer.body["search_result"])

    assert asyncio.run(search(query="fog", max_results=2)) == 2
    assert asyncio.run(search(search_query="fog", count=3)) == 3


def test_what_the_proxy_does_not_offer_is_not_sent(stand_in: SandboxProcess) -> None:
    async def ask() -> None:
        client = made_for(stand_in)
        try:
            await client.send(Request(endpoint="image_async", json={"model": "glm-image", "prompt": "x"}))
        finally:
            await client.close()

    with pytest.raises(NotSent, match="image_async is not offered through the proxy") as failed:
        asyncio.run(ask())
    assert failed.value.ruling.action is Action.FAIL


async def asked(body: bytes, request: Request) -> Answer:
    """What comes of one call to a server that answers 200 with this body."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = (
            int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = Client(base_url=f"http://127.0.0.1:{port}/zai", token="secret", formats=Forgetful())
        try:
            return await client.send(request)
        finally:
            await client.close()


UNREADABLE = {
    "no JSON": b"amber " * 1000,
    "half of it": b'{"data": [{"url": "http://h/secret/1.png"',
    "none of the fields": b'{"picture": "http://h/1.png"}',
    "a list": b'["http://h/1.png"]',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_may_have_been_paid_for_is_kept_whole_though_nobody_can_read_it(body: bytes) -> None:
    with pytest.raises(AnswerLost) as lost:
        asyncio.run(asked(body, image("a cat")))
    assert lost.value.raw == body.replace(b"secret", b"[hidden]")


def hear(**more: Any) -> Request:
    return Request(endpoint="transcription", form={"model": "glm-asr-2512"}, **more)


TEXTS = {
    "a text": (b"amber boat", "amber boat"),
    "JSON all the same": (b'{"text": "amber"}', "amber"),
    "JSON in a wrapper": (b'{"data": {"text": "amber"}}', "amber"),
    "a text in quotes": (b'"amber boat"', "amber boat"),
    "a text with a mark before it": (b"\xef\xbb\xbfamber", "amber"),
    "what begins like a list": (b"[Music] amber", "[Music] amber"),
    "a number": (b"42", "42"),
}


@pytest.mark.parametrize(("body", "text"), TEXTS.values(), ids=TEXTS)
def test_a_text_that_was_asked_for_may_come_without_json(body: bytes, text: str) -> None:
    assert asyncio.run(asked(body, hear(plain=True))).body == {"text": text}


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b'{"text": "amb', b" "])
def test_a_page_is_no_text(body: bytes) -> None:
    with pytest.raises(AnswerLost):
        asyncio.run(asked(body, hear(plain=True)))


def test_a_server_that_stops_reading_does_not_hold_the_call_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "WRITE_TIMEOUT_S", 0.2)

    async def ask(port: int) -> None:
        client = Client(base_url=f"http://127.0.0.1:{port}/zai", token="secret", formats=Forgetful())
        upload = Upload(filename="a.wav", mime="audio/wav", data=b"x" * 20_000_000)
        try:
            await client.send(Request(endpoint="transcription", form={}, upload=upload, read_timeout_s=0.2))
        finally:
            await client.close()

    # Connections are taken by the kernel, and nobody reads.
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(AnswerLost, match="timed out"):
        asyncio.run(ask(listener.getsockname()[1]))


def test_an_answer_that_comes_a_byte_at_a_time_does_not_hold_the_call_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "LONGEST_CALL_S", 0.3)

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        try:
            while not writer.transport.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.01)  # slower than nothing, and far from the read timeout
        finally:
            writer.close()

    async def ask() -> None:
        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            client = Client(base_url=f"http://127.0.0.1:{port}/zai", token="secret", formats=Forgetful())
            try:
                await client.send(image("a cat"))
            finally:
                await client.close()

    with pytest.raises(AnswerLost, match="not whole after") as lost:
        asyncio.run(ask())
    assert lost.value.seen is not None
    assert lost.value.seen.sent


def test_a_download_follows_redirects_and_says_when_there_is_no_file(stand_in: SandboxProcess) -> None:
    async def fetch() -> bytes:
        client = made_for(stand_in)
        try:
            url = (await client.send(image("[[fault:redirect_file]] a cat"))).body["data"][0]["url"]
            async with client.download(url) as found:
                data = b"".join([chunk async for chunk in found.chunks])
            with pytest.raises(DownloadError) as failed:
                async with client.download(f"{stand_in.url}/files/none.png"):
                    pass
            assert failed.value.gone
            return data
        finally:
            await client.close()

    assert asyncio.run(fetch()).startswith(b"\x89PNG")


@pytest.mark.parametrize("url", ["/files/a.png", "ftp://127.0.0.1/a.png", "not a url", "http://[::bad/a.png", ""])
def test_a_url_that_is_none_is_gone(stand_in: SandboxProcess, url: str) -> None:
    async def fetch() -> None:
        client = made_for(stand_in)
        try:
            async with client.download(url):
                pass
        finally:
            await client.close()

    with pytest.raises(DownloadError) as failed:
        asyncio.run(fetch())
    assert failed.value.gone


def test_what_goes_wrong_with_the_chunks_elsewhere_is_no_fault_of_the_download(stand_in: SandboxProcess) -> None:
    async def fetch() -> None:
        client = made_for(stand_in)
        try:
            url = (await client.send(image("a cat"))).body["data"][0]["url"]
            async with client.download(url):
                raise FileNotFoundError("no such bucket")
        finally:
            await client.close()

    with pytest.raises(FileNotFoundError):
        asyncio.run(fetch())
