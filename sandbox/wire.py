"""How an answer goes over the connection, and the ways in which that goes wrong."""

import asyncio
import contextlib
import contextvars
import socket
import struct
from asyncio import Transport
from collections.abc import Iterable
from typing import cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: The connection that a request came over, so that a fault can cut it.
transport: contextvars.ContextVar[Transport] = contextvars.ContextVar("transport")


class Protocol(HttpToolsProtocol):
    """Lets a handler reach its own connection."""

    #: Answer nothing more on this connection: the next request on it is cut.
    doomed = False

    def data_received(self, data: bytes) -> None:
        if self.doomed:
            reset(self.transport)
            return
        transport.set(self.transport)
        super().data_received(data)


def reset(held: Transport) -> None:
    """End the connection with RST: without the option the client would see a clean end."""
    if (raw := held.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):  # the client is gone already
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    held.abort()


async def gone(receive: Receive) -> None:
    """Wait until the connection has ended."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Raw(Response):
    """Bytes put on the connection as they are, with a pause after each piece, then an end.

    `end`: "close" it, "reset" it, or "hang" until the client gives up.
    """

    def __init__(
        self, pieces: Iterable[bytes] = (), *, pause_s: float = 0.0, end: str = "close", status: int = 200
    ) -> None:
        super().__init__(status_code=status)
        self._pieces = pieces
        self._pause_s = pause_s
        self._end = end

    async def __call__(self, _scope: Scope, receive: Receive, _send: Send) -> None:
        held = transport.get()
        for piece in self._pieces:
            if held.is_closing():
                break
            held.write(piece)
            await asyncio.sleep(self._pause_s)
        if self._end == "reset":
            await asyncio.sleep(0.01)  # what was written has to leave first
            reset(held)
        elif self._end == "close":
            held.close()
        await gone(receive)


#: Its status in the ledger: the client sees none.
NO_ANSWER = 499


def cut(end: str) -> Raw:
    """No answer at all."""
    return Raw(end=end, status=NO_ANSWER)


class Late(Response):
    """The same answer, some seconds later."""

    def __init__(self, inner: Response, seconds: float) -> None:
        super().__init__(status_code=inner.status_code)
        self._inner = inner
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gone(receive), self._seconds)
            return
        await self._inner(scope, receive, send)


class LastOne(Response):
    """The same answer; then the server closes a connection that it said nothing about closing.

    `at_once`: or only when the next request is on its way, which that request then does not survive.
    """

    def __init__(self, inner: Response, *, at_once: bool) -> None:
        super().__init__(status_code=inner.status_code)
        self._inner = inner
        self._at_once = at_once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = transport.get()
        cast("Protocol", held.get_protocol()).doomed = not self._at_once
        await self._inner(scope, receive, send)
        if self._at_once:
            held.close()


def head(response: Response, *, drop: tuple[str, ...] = (), **add: str) -> bytes:
    """A response's status line and headers, as bytes; without those to drop."""
    lines = [f"HTTP/1.1 {response.status_code} OK"]
    lines += [f"{name.decode()}: {value.decode()}" for name, value in response.raw_headers if name.decode() not in drop]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in add.items()]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode()
