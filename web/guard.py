"""What stands before every request: headers that keep browsers strict, and refusals of what other sites send."""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import ProblemError, as_response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: Room for the largest image as base64. Where files are taken in, a setting says how large they may be.
MAX_BODY_BYTES = 16_000_000
UPLOADS = {"/api/v1/batches", "/api/v1/uploads", "/submit"}
SAFE = {"GET", "HEAD", "OPTIONS"}


class Guard:
    """`hosts`: the names that the application goes by; None: any.

    Where no login is asked for, the check of the name keeps out sites whose name was made to lead here.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str] | None, https: bool, max_upload_bytes: int) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes
        self._hosts = hosts
        self._headers = {**HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if https else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        most = self._max_upload_bytes if scope["path"] in UPLOADS else MAX_BODY_BYTES
        length = headers.get("content-length", "")
        problem = self._refused(scope["method"], headers)
        if problem is None and length.isdigit() and int(length) > most:
            problem = too_large(most)
        if problem is not None:
            await as_response(Request(scope), problem)(scope, receive, send_strict)
            return
        await self._app(scope, bounded(receive, most), send_strict)

    def _refused(self, method: str, headers: Headers) -> ProblemError | None:
        host = headers.get("host", "")
        if self._hosts is not None and (urlsplit(f"//{host}").hostname or "") not in self._hosts:
            return ProblemError(
                421, "wrong_host", f"this is not {host!r}; set MEDIAJOBS_WEB_URL to the address that it has"
            )
        if method not in SAFE and crosses_sites(headers, host):
            return ProblemError(403, "cross_site", "refused: the request comes from another site")
        return None


def bounded(receive: Receive, most: int) -> Receive:
    """A body that does not say its length is cut off where it is too large."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise too_large(most)
        return message

    return counted


def too_large(most: int) -> ProblemError:
    return ProblemError(413, "too_large", f"the body is larger than the {most / 1e6:,.0f} MB that are taken here")


def crosses_sites(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser sends this for another site. What sends neither header is no browser of this decade."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != host
