"""One request is one call: makes it, and says what came of it. Never tries a paid one again."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from provider.address import Address, Style
from provider.endpoints import ENDPOINTS, Endpoint
from provider.errors import AnswerLost, NotSent, ProviderError, Rejected
from provider.events import AnswerStream, BrokenStreamError, read_body
from provider.formats import NEW, OLD, FormatMemory, Seen, may_fall_back, no_such_route, went_nowhere
from provider.names import as_sent
from provider.redact import excerpt, redact, redact_bytes
from provider.rulings import CODES, PROBE_S, rule
from provider.unwrap import TASK_FIELDS, find_error, is_answer, is_providers, retry_after_s, unwrap
from provider.wire import Answer, Request

CONNECT_TIMEOUT_S = 10.0
#: How long nothing of a body may go out, as the other side does not read.
WRITE_TIMEOUT_S = 60.0
DOWNLOAD_READ_TIMEOUT_S = 60.0
#: How long a call may take though a byte moves now and then: it holds a slot.
LONGEST_CALL_S = 3600.0
KEEP_S = 15.0
HEADERS = httpx.Headers({"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "mediajobs"})
MAX_REDIRECTS = 5
#: What is kept of the provider's words.
CODE_CHARS, MESSAGE_CHARS = 100, 500
#: Not there yet, there no more, or its signature ran out: the store of files answers all three alike.
GONE = frozenset({400, 401, 403, 404, 410})

# They log whole URLs, and ours carry the token.
for name in ("httpx", "httpcore", "aiohttp"):
    logging.getLogger(name).setLevel(logging.WARNING)

OnText = Callable[[str], None]


class DownloadError(Exception):
    """A result could not be fetched. `gone`: the server says that it has no such file."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone


@dataclass(frozen=True, slots=True)
class Download:
    """A result being fetched. `length`: what the server says that it has, in bytes."""

    chunks: AsyncIterator[bytes]
    length: int | None
    content_type: str | None


class Client:
    """The API, through the proxy or directly. Lives in one event loop.

    `base_url`: https://api.lowcodeapi.com/zai, https://api.z.ai/api, or a server that speaks like one.
    """

    def __init__(
        self, *, base_url: str, token: str, formats: FormatMemory, style: Style = "auto", probe_s: float = PROBE_S
    ) -> None:
        self._address = Address(base_url, token, style)
        self._token = token
        self._formats = formats
        self._probe_s = probe_s
        self._headers = httpx.Headers({**HEADERS, "Accept-Language": "en-US,en"})
        if self._address.direct:
            self._headers["Authorization"] = f"Bearer {token}"
        # httpx's own pool looks at every connection for every request; aiohttp's does not. The transport
        # is used without an httpx.AsyncClient: cookies, redirects and sign-in are none of ours, and cost CPU.
        self._http = AiohttpTransport(client=new_session)

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def _exchange(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        """Make one exchange; its body is still to be read."""
        response = await self._http.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def send(self, request: Request, *, on_text: OnText | None = None) -> Answer:
        """Make one call. Raises NotSent, Rejected or AnswerLost.

        Where an endpoint's URL differs between the formats, the one that worked last goes
        first, and the other is tried only as `may_fall_back` allows. `on_text` gets the text of a
        streamed answer as it comes.
        """
        if self._address.direct and request.direct_endpoint is not None:
            request = replace(request, endpoint=request.direct_endpoint)
        endpoint = request.at or ENDPOINTS[request.endpoint]
        if self._address.direct or endpoint.old_path is None:
            return await self._call(request, endpoint, NEW, on_text)
        known = await self._formats.get(request.endpoint)
        first, second = (OLD, NEW) if known == OLD else (NEW, OLD)
        try:
            answer = await self._call(request, endpoint, first, on_text)
        except ProviderError as error:
            if error.seen is None or not may_fall_back(endpoint, error.seen, first):
                raise
            try:
                answer = await self._call(request, endpoint, second, on_text)
            except ProviderError as other:
                if other.seen is not None and other.seen.from_provider:
                    await self._formats.remember(request.endpoint, second, "the provider answered there")
                if other.seen is None or not went_nowhere(other.seen):
                    raise
                if known == first and no_such_route(error.seen):
                    await self._formats.forget(request.endpoint)
                raise error from other
            evidence = f"HTTP {answer.http_status} there, {error.http_status or 'no answer'} before"
            await self._formats.remember(request.endpoint, second, evidence)
        else:
            if known != first:
                await self._formats.remember(request.endpoint, first, f"HTTP {answer.http_status}")
        return answer

    async def _call(self, request: Request, endpoint: Endpoint, url_format: str, on_text: OnText | None) -> Answer:
        body: dict[str, Any] = {}
        if request.upload is not None:
            upload = request.upload
            body = {"data": dict(request.form or {}), "files": {"file": (upload.filename, upload.data, upload.mime)}}
        elif request.form is not None:
            body = {"files": {name: (None, value) for name, value in request.form.items()}}
        elif request.json is not None:
            body = {"json": as_sent(request.endpoint, endpoint, request.json, direct=self._address.direct)}
        url = self._address.url(request.endpoint, endpoint, request.path, request.query, url_format)
        heard: list[bytes] = []
        try:
            made = httpx.Request(
                endpoint.method, url, headers=self._headers, extensions=timeouts(request.read_timeout_s), **body
            )
            async with asyncio.timeout(LONGEST_CALL_S) as bound, self._exchange(made) as response:
                if request.stream and response.is_success:
                    await listen(response, heard, on_text)
                    whole = httpx.Response(response.status_code, content=b"".join(heard))
                else:
                    await response.aread()
                    whole = response
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as error:
            late = TimeoutError(f"it was not whole after {LONGEST_CALL_S:.0f} seconds") if bound.expired() else None
            raise self._transport_error(late or error, endpoint, b"".join(heard)) from None
        return self._read(as_json(whole) if request.plain else whole, endpoint)

    def _transport_error(self, error: Exception, endpoint: Endpoint, heard: bytes) -> ProviderError:
        """No answer, or the start of a stream.

        httpx-aiohttp takes a connection that was lost for one that was not made: ask aiohttp.
        """
        cause = error.__cause__ or error
        unsent = isinstance(
            cause,
            aiohttp.ClientConnectorError
            | aiohttp.ClientConnectorDNSError
            | aiohttp.ConnectionTimeoutError
            | aiohttp.InvalidURL
            | httpx.UnsupportedProtocol,
        )
        ruling = rule(None, None, sent=not unsent, idempotent=endpoint.idempotent, now=datetime.now(UTC))
        what = redact(f"{type(cause).__name__}: {cause}".rstrip(": "), self._token)
        made: ProviderError
        if unsent:
            made = NotSent(f"the API could not be reached: {what}", ruling=ruling)
        else:
            start = excerpt(heard, self._token) if heard else None
            made = AnswerLost(f"the answer was lost: {what}", ruling=ruling, excerpt=start)
        return seen_as(made, Seen(answered=False, sent=not unsent))

    def _read(self, response: httpx.Response, endpoint: Endpoint) -> Answer:
        """The answer inside the response. Raises Rejected or AnswerLost."""
        status = response.status_code
        raw = redact_bytes(response.content, self._token)
        body: Any = None
        try:
            body = read_body(raw)
            inner = {"data": body} if endpoint.any_answer and not isinstance(body, dict) else unwrap(body)
        except BrokenStreamError as broken:
            raise self._unreadable(response, endpoint, broken.code or "stream_broken", f"in which {broken}") from None
        except ValueError:
            if 200 <= status < 300:
                raise self._unreadable(response, endpoint, "not_json", "that is no JSON") from None
            inner = {}
        # A task that failed carries its reason as an `error` of its own: that answer is one.
        error = None if TASK_FIELDS & inner.keys() else find_error(body)
        if 200 <= status < 300 and error is None:
            if not (endpoint.idempotent or endpoint.any_answer or is_answer(inner)):
                raise self._unreadable(response, endpoint, "no_answer", "that is no answer")
            return Answer(http_status=status, body=inner, raw=raw)
        raise self._error(response, endpoint, body, error)

    def _unreadable(self, response: httpx.Response, endpoint: Endpoint, code: str, why: str) -> ProviderError:
        ruling = rule(None, None, sent=True, idempotent=endpoint.idempotent, now=datetime.now(UTC))
        made = AnswerLost(
            f"HTTP {response.status_code} with a body {why} ({len(response.content)} bytes)",
            ruling=ruling,
            http_status=response.status_code,
            code=code,
            excerpt=excerpt(response.content, self._token),
            raw=redact_bytes(response.content, self._token) if response.is_success else None,
        )
        return seen_as(made, Seen(answered=True, sent=True, status=response.status_code, json=code != "not_json"))

    def _error(self, response: httpx.Response, endpoint: Endpoint, body: Any, error: Any) -> ProviderError:
        now = datetime.now(UTC)
        status = response.status_code
        code = redact(error.code, self._token)[:CODE_CHARS] if error and error.code is not None else None
        said = error.message if error else body.get("message") if isinstance(body, dict) else None
        message = redact(str(said or response.reason_phrase or "no reason was given"), self._token)[:MESSAGE_CHARS]
        ruling = rule(
            status,
            code,
            sent=True,
            idempotent=endpoint.idempotent,
            message=message,
            retry_after_s=retry_after_s(response.headers, body, now),
            now=now,
            probe_s=self._probe_s,
        )
        lost = status >= 500 or status in (408, 409) or (200 <= status < 300 and code is None)
        made = (AnswerLost if lost else Rejected)(
            message,
            ruling=ruling,
            http_status=status,
            code=code,
            excerpt=excerpt(response.content, self._token),
            raw=redact_bytes(response.content, self._token) if response.is_success else None,
        )
        zai_code = code is not None and (code in CODES or (code.isdigit() and len(code) == 4))
        seen = Seen(
            answered=True,
            sent=True,
            status=status,
            code=code,
            from_provider=zai_code or is_providers(body),
            json=body is not None,
        )
        return seen_as(made, seen)

    @asynccontextmanager
    async def download(self, url: str) -> AsyncIterator[Download]:
        """Stream a result from wherever it lies. Our token goes to nobody. Raises DownloadError.

        What the caller raises while it uses the chunks stays what it is.
        """
        response = await self._follow(url)
        try:
            if response.status_code != 200:
                raise DownloadError(
                    f"the result's URL answered HTTP {response.status_code}", gone=response.status_code in GONE
                )
            length = response.headers.get("content-length")
            coded = "content-encoding" in response.headers
            yield Download(
                chunks=unbroken(response.aiter_bytes()),
                length=int(length) if length and length.isdigit() and not coded else None,
                content_type=response.headers.get("content-type"),
            )
        finally:
            await response.aclose()

    async def _follow(self, url: str) -> httpx.Response:
        """The answer at the end of the redirects, its body unread. Raises DownloadError."""
        for _ in range(MAX_REDIRECTS + 1):
            try:
                request = httpx.Request("GET", url, headers=HEADERS, extensions=timeouts(DOWNLOAD_READ_TIMEOUT_S))
                response = await self._http.handle_async_request(request)
                if not response.has_redirect_location:
                    return response
                await response.aclose()
                url = str(request.url.join(response.headers["location"]))
            except TRANSPORT_ERRORS as error:
                raise broken_off(error) from None
        raise DownloadError(f"the result's URL redirects more than {MAX_REDIRECTS} times")


def as_json(response: httpx.Response) -> httpx.Response:
    """An answer that is a text alone, as what a call that asks for JSON has. A page, or half of some JSON, is none."""
    text = response.content.decode("utf-8-sig", "replace")
    if not response.is_success or not text.strip() or text.lstrip()[0] in "<{":
        return response
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    return httpx.Response(response.status_code, json={"text": said if isinstance(said, str) else text})


async def listen(response: httpx.Response, heard: list[bytes], on_text: OnText | None) -> None:
    """Hear a streamed answer until it says that it is over, or ends; what was heard stays there if it breaks off.

    One that is no stream, although that was asked for, is heard all the same.
    """
    stream = AnswerStream()
    async for chunk in response.aiter_bytes():
        heard.append(chunk)
        try:
            text = stream.feed(chunk)
        except BrokenStreamError:
            return  # it is read as a whole next, and found broken there
        if text and on_text is not None:
            on_text(text)
        if stream.done or stream.error is not None:
            return


TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError)


async def unbroken(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks; where they break off, DownloadError."""
    try:
        async for chunk in chunks:
            yield chunk
    except TRANSPORT_ERRORS as error:
        raise broken_off(error) from None


#: A URL that nothing can be had from: relative, of another scheme, none at all.
NO_URL = (httpx.InvalidURL, httpx.UnsupportedProtocol, aiohttp.InvalidURL)


def broken_off(error: Exception) -> DownloadError:
    cause = error.__cause__ or error
    if isinstance(cause, NO_URL) or isinstance(error, NO_URL):
        return DownloadError("the result's URL is no http(s) URL", gone=True)
    return DownloadError(f"the download broke off: {type(cause).__name__}")


def timeouts(read_s: float) -> dict[str, Any]:
    """A request's extensions that say how long each phase may take."""
    return {"timeout": {"connect": CONNECT_TIMEOUT_S, "read": read_s, "pool": CONNECT_TIMEOUT_S}}


def new_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """One that gives up where the other side stops reading.

    aiohttp begins to count the time to read once all is written, and has no time to write: the call would hold its
    slot for ever. The kernel has one (Linux; elsewhere nothing is set).
    """
    family, type_, protocol, *_ = info
    made = socket.socket(family, type_, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(WRITE_TIMEOUT_S * 1000))
    return made


def new_session() -> aiohttp.ClientSession:
    """As many connections as there are calls (aiohttp's own default is 100), and no cookies."""
    connector = aiohttp.TCPConnector(
        limit=0, keepalive_timeout=KEEP_S, ssl=httpx.create_ssl_context(), socket_factory=new_socket
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


def seen_as(error: ProviderError, seen: Seen) -> ProviderError:
    """Note on the error what `may_fall_back` wants to know."""
    error.seen = seen
    return error
