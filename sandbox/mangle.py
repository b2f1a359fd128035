"""Faults of the wire: each takes an answer that is ready, and gives what goes out instead."""

import gzip as gz
import time
from collections.abc import AsyncIterator, Callable, Iterator
from email.utils import formatdate

from starlette.responses import HTMLResponse, Response, StreamingResponse

from sandbox.scene import Scene
from sandbox.wire import LastOne, Late, Raw, head

Mangle = Callable[[Scene, Response], Response]
BLOCK_BYTES = 64 * 1024


def bytes_of(response: Response) -> bytes:
    return bytes(response.body)


def again(response: Response, body: bytes, *, media_type: str | None = None) -> Response:
    """A response like this one with another body."""
    return Response(body, response.status_code, media_type=media_type or response.headers.get("content-type"))


def truncated(_scene: Scene, response: Response) -> Response:
    """Whole by its Content-Length, half by its JSON."""
    return again(response, bytes_of(response)[: len(response.body) // 2])


def html(_scene: Scene, _response: Response) -> Response:
    return HTMLResponse("<html><body>Welcome</body></html>")


def empty(_scene: Scene, response: Response) -> Response:
    return again(response, b"")


def invalid_utf8(_scene: Scene, response: Response) -> Response:
    """A byte that no text has, within the first string."""
    return again(response, bytes_of(response).replace(b'":', b'\xff":', 1))


def bom(_scene: Scene, response: Response) -> Response:
    return again(response, b"\xef\xbb\xbf" + bytes_of(response))


def gzip(_scene: Scene, response: Response) -> Response:
    """As a client that accepts it would get."""
    made = again(response, gz.compress(bytes_of(response)))
    made.headers["content-encoding"] = "gzip"
    return made


def gzip_broken(_scene: Scene, response: Response) -> Response:
    """Says gzip, and is not."""
    made = again(response, bytes_of(response))
    made.headers["content-encoding"] = "gzip"
    return made


def text_plain(_scene: Scene, response: Response) -> Response:
    return again(response, bytes_of(response), media_type="text/plain")


def json_twice(_scene: Scene, response: Response) -> Response:
    return again(response, bytes_of(response) * 2)


def no_content_type(_scene: Scene, response: Response) -> Response:
    return Raw([head(response, drop=("content-type",)) + bytes_of(response)])


def chunked_short(_scene: Scene, response: Response) -> Response:
    """Chunks, and an end of the connection where the last should be."""
    body = bytes_of(response)[: len(response.body) // 2]
    start = head(response, drop=("content-length",), transfer_encoding="chunked")
    return Raw([start + f"{len(body):x}\r\n".encode() + body + b"\r\n"])


def short_body(_scene: Scene, response: Response) -> Response:
    """Less than its Content-Length says, then the end."""
    return Raw([head(response) + bytes_of(response)[: len(response.body) // 2]])


def reset_midway(_scene: Scene, response: Response) -> Response:
    return Raw([head(response) + bytes_of(response)[: len(response.body) // 2]], end="reset")


def stalls(_scene: Scene, response: Response) -> Response:
    """Half of it, then nothing."""
    return Raw([head(response) + bytes_of(response)[: len(response.body) // 2]], end="hang")


def no_length(_scene: Scene, response: Response) -> Response:
    """The connection's end is the body's."""
    return Raw([head(response, drop=("content-length",)) + bytes_of(response)])


def slow_headers(scene: Scene, response: Response) -> Response:
    """VALUE bytes a second until the body."""
    return Raw([*drip(head(response)), bytes_of(response)], pause_s=1 / scene.number(1))


def slow_body(scene: Scene, response: Response) -> Response:
    """VALUE bytes a second; at most twenty pieces of it each second."""
    rate = scene.number(1)
    size = max(1, int(rate / 20))
    return Raw([head(response), *drip(bytes_of(response), size)], pause_s=size / rate)


def drip(data: bytes, size: int = 1) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def date_skew(scene: Scene, response: Response) -> Response:
    """The server's clock is VALUE seconds ahead, by its Date header."""
    date = formatdate(time.time() + scene.number(3600), usegmt=True)
    return Raw([head(response, date=date) + bytes_of(response)])


def late(scene: Scene, response: Response) -> Response:
    """VALUE seconds later."""
    return Late(response, scene.number(1))


def keepalive_closed(_scene: Scene, response: Response) -> Response:
    return LastOne(response, at_once=True)


def keepalive_reset(_scene: Scene, response: Response) -> Response:
    return LastOne(response, at_once=False)


# -- streams ----------------------------------------------------------------------


def stream_crlf(_scene: Scene, response: Response) -> Response:
    return again(response, bytes_of(response).replace(b"\n", b"\r\n"))


def stream_comments(_scene: Scene, response: Response) -> Response:
    return again(response, b": ping\n\n" + bytes_of(response).replace(b"\n\n", b"\n\n: ping\n\n"))


def stream_broken_line(_scene: Scene, response: Response) -> Response:
    return again(response, bytes_of(response).replace(b"}\n\n", b"\n\n", 1))


def stream_no_done(_scene: Scene, response: Response) -> Response:
    return again(response, bytes_of(response).replace(b"data: [DONE]\n\n", b""))


def stream_error(scene: Scene, response: Response) -> Response:
    """An error in the place of the event of that number, VALUE (2, from 1); nothing after it. Or VALUE is N/CODE."""
    number, _, code = (scene.value or "2").partition("/")
    events = bytes_of(response).split(b"\n\n")
    said = f'data: {{"error": {{"code": "{code or "1234"}", "message": "Network error"}}}}'.encode()
    return again(response, b"\n\n".join([*events[: max(int(number) - 1, 0)], said, b""]))


def stream_cut(_scene: Scene, response: Response) -> Response:
    """Half of the events, then a clean end, as from a gateway that gave up."""
    events = bytes_of(response).split(b"\n\n")
    return again(response, b"\n\n".join([*events[: len(events) // 2], b""]))


def stream_bare_done(_scene: Scene, response: Response) -> Response:
    """No deltas: the last event has all the text."""
    return again(response, b"\n\n".join(bytes_of(response).split(b"\n\n")[-3:]))


# -- files ---------------------------------------------------------------------------------------------


def html_file(_scene: Scene, _response: Response) -> Response:
    return HTMLResponse("<html><body>Sign in</body></html>")


def empty_file(_scene: Scene, response: Response) -> Response:
    return again(response, b"", media_type="image/png")


def short_file(scene: Scene, response: Response) -> Response:
    """Less than was promised, then the connection ends; whole after VALUE (2) fetches."""
    return short_body(scene, response) if scene.count <= scene.number(2) else response


def reset_file(scene: Scene, response: Response) -> Response:
    return reset_midway(scene, response) if scene.count <= scene.number(2) else response


def wrong_type_file(scene: Scene, response: Response) -> Response:
    return again(response, bytes_of(response), media_type=scene.value or "text/plain")


def huge_file(scene: Scene, response: Response) -> Response:
    """VALUE bytes (3 GB) with a true Content-Length."""
    size = int(scene.number(3 * 1024**3))
    made = StreamingResponse(zeros(size), headers={"content-length": str(size)})
    made.headers["content-type"] = response.headers["content-type"]
    return made


def huge_file_without_length(scene: Scene, response: Response) -> Response:
    size = int(scene.number(3 * 1024**3))
    return StreamingResponse(zeros(size), media_type=response.headers["content-type"])


async def zeros(size: int) -> AsyncIterator[bytes]:
    for at in range(0, size, BLOCK_BYTES):
        yield bytes(min(BLOCK_BYTES, size - at))
