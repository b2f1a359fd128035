"""Bodies that are files: taken in as they come, to the disk, before anything is done with them.

So a client that is slow, or breaks off, holds no transaction, and memory holds no file.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from web.problems import ProblemError

#: Up to this size a file is kept in memory.
SPOOLED_BYTES = 1024**2
CHUNK_BYTES = 1024**2
FORM = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Received:
    """A file at its start. `fields`: of the form that it came with; `sha256`: of the file."""

    file: BinaryIO
    name: str
    mime: str
    bytes: int
    sha256: str
    fields: Mapping[str, Any]


def mime_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@asynccontextmanager
async def received(request: Request, *, name: str) -> AsyncIterator[Received]:
    """The file in a request's body: the body itself, or the field `file` of a form. `name`: where it has none.

    Raises ProblemError.
    """
    if mime_of(request) == FORM:
        async with request.form(max_files=1, max_fields=50) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise ProblemError(422, "invalid_request", "file: is missing; send the file in the form's field `file`")
            fields = {field: value for field, value in form.items() if field != "file"}
            size, digest = await run_in_threadpool(hashed, file.file)
            yield Received(file.file, file.filename or name, file.content_type or "", size, digest, fields)
        return
    hashing, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES) as spool:
        async for chunk in request.stream():
            hashing.update(chunk)
            size += len(chunk)
            await run_in_threadpool(spool.write, chunk)
        spool.seek(0)
        yield Received(cast("BinaryIO", spool), name, mime_of(request), size, hashing.hexdigest(), {})


def hashed(file: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    file.seek(0)
    return size, digest.hexdigest()
