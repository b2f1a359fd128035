"""Sends one message. What it connects to is looked at when it connects: a name may change where it leads."""

import json
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import aiohttp
import httpx

from models.outbox import Due
from provider.redact import redact
from provider.unwrap import retry_after_s
from worker.addresses import Network, parse, refusal
from worker.webhooks.verdict import Answer

CONNECT_TIMEOUT_S = 5.0
ERROR_CHARS = 300


def body_of(due: Due) -> bytes:
    """The message, the same at each try."""
    message = {"type": due.event, "timestamp": due.created_at.astimezone(UTC).isoformat(), "data": due.data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


class Post:
    """Lives in one event loop. timeout_s: for connection, sending and answer together."""

    def __init__(self, *, allowed: Sequence[Network], timeout_s: float) -> None:
        self._allowed = allowed
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=15, ssl=httpx.create_ssl_context(), socket_factory=self._socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S),
            skip_auto_headers=("Accept", "Accept-Encoding"),
            headers={"User-Agent": "mediajobs", "Content-Type": "application/json"},
        )

    def _socket(self, found: aiohttp.AddrInfoType) -> socket.socket:
        """A socket to this address, and no other. Raises OSError where it may not be connected to."""
        family, kind, protocol, _, address = found
        if why := refusal(str(address[0]), self._allowed):
            raise OSError(why)
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One try. Redirects are not followed: they may lead anywhere."""
        try:
            parse(url, self._allowed)
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return Answer(response.status, retry_after_s=retry_after_s(response.headers, None, datetime.now(UTC)))
        except ValueError as error:
            return Answer(error=f"the URL {error}"[:ERROR_CHARS])
        except (aiohttp.ClientError, OSError) as error:  # a timeout is an OSError
            return Answer(error=in_words(error))

    async def close(self) -> None:
        await self._session.close()


def in_words(error: Exception) -> str:
    """What went wrong, without the URL: it may hold a secret."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    said = (cause.strerror or str(cause)) if isinstance(cause, OSError) else ""
    return redact(said or type(cause).__name__)[:ERROR_CHARS]
