"""Outputs as answers: whole, or the range that a player asks for."""

import re
from collections.abc import AsyncIterator

from fastapi import Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from worker.storage import Storage

#: Of one job and one index there is never another content.
KEPT = "private, max-age=31536000, immutable"
#: What a browser may show; all else is only to be saved.
SHOWN = ("image/", "video/", "audio/")
CHUNK_BYTES = 1024**2


async def serve(request: Request, storage: Storage, *, location: str, mime: str, size: int, sha256: str) -> Response:
    """The file in answer to a GET, with range and ETag. Raises FileNotFoundError."""
    headers = {"Cache-Control": KEPT, "ETag": f'"{sha256}"', "Accept-Ranges": "bytes"}
    name = location.rpartition("/")[2]
    plain = mime if mime.startswith((*SHOWN, "text/")) and mime != "image/svg+xml" else "application/octet-stream"
    if plain.startswith("text/"):
        plain = "text/plain; charset=utf-8"
    headers["Content-Disposition"] = (
        f'{"inline" if plain != "application/octet-stream" else "attachment"}; filename="{name}"'
    )
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    local = storage.local_path(location)
    if local is not None:
        if not local.is_file():
            raise FileNotFoundError(location)
        return FileResponse(local, media_type=plain, headers=headers)
    start, end = ranged(request.headers.get("range"), size) or (0, size)
    partial = (start, end) != (0, size)
    headers["Content-Length"] = str(end - start)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(parts(storage, location, start, end), 206 if partial else 200, headers, plain)


def ranged(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of a single range that can be had; None: the whole.

    >>> ranged("bytes=0-99", 1000), ranged("bytes=900-", 1000), ranged("bytes=-10", 1000), ranged("bytes=5000-", 1000)
    ((0, 100), (900, 1000), (990, 1000), None)
    """
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        return (max(size - int(found[2]), 0), size) if int(found[2]) else None
    start, end = int(found[1]), min(int(found[2]) + 1 if found[2] else size, size)
    return (start, end) if start < end else None


async def parts(storage: Storage, location: str, start: int, end: int) -> AsyncIterator[bytes]:
    for place in range(start, end, CHUNK_BYTES):
        yield await storage.read_range(location, place, min(place + CHUNK_BYTES, end))
