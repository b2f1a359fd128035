"""Where uploads lie: among the outputs, so that each worker finds them."""

from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool

from web.received import CHUNK_BYTES
from worker.folders import NAME, Uploads
from worker.settings import Settings
from worker.storage import Storage

FOLDER = "uploads"


def uploads(config: Settings, storage: Storage) -> Uploads:
    """What rows from the network may name."""
    local = storage.local_path(FOLDER)
    return Uploads(str(local) if local else f"{config.outputs.rstrip('/')}/{FOLDER}")


async def keep(storage: Storage, file: BinaryIO, *, name: str, size: int, sha256: str) -> str:
    """Store a file under its content's name, with the ending of its own; returns that. The same again is the same."""
    known = sha256 + PurePath(name).suffix.lower()
    if NAME.fullmatch(known) is None:
        known = sha256
    await storage.put(f"{FOLDER}/{known}", chunks(file), max_bytes=size)
    return known


async def chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await run_in_threadpool(file.read, CHUNK_BYTES):
        yield chunk
