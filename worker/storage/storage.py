"""The store of outputs: whole files only, hashed on the way in."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

#: Up to this size a file is put in one piece.
ONE_PIECE_BYTES = 5 * 1024**2


class TooLargeError(Exception):
    """An output is larger than the setting allows."""


@dataclass(frozen=True, slots=True)
class Stored:
    bytes: int
    sha256: str


class Storage:
    """Files by path below one URL. `folder`: where they lie, if on this machine."""

    def __init__(self, store: ObjectStore, folder: Path | None, url: str) -> None:
        self._store = store
        self.folder = folder
        self._url = url.rstrip("/")

    @classmethod
    def open(cls, url: str) -> "Storage":
        """For file:///… (made if absent) or s3://bucket/prefix (credentials by the AWS environment variables)."""
        if url.startswith("file://"):
            folder = Path(unquote(urlsplit(url).path))
            folder.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(folder, mkdir=True), folder, url)
        return cls(from_url(url), None, url)

    async def put_bytes(self, path: str, data: bytes) -> Stored:
        await obstore.put_async(self._store, path, data, use_multipart=False)
        return Stored(len(data), hashlib.sha256(data).hexdigest())

    async def put(self, path: str, chunks: AsyncIterator[bytes], *, max_bytes: int) -> Stored:
        """Stream a file in; a reader sees the whole of it or nothing. Raises TooLargeError.

        Memory: what is small is gathered and put at once, the rest goes on in parts.
        """
        digest = hashlib.sha256()
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise TooLargeError(f"the output is larger than {max_bytes} bytes")
                digest.update(chunk)
                yield chunk

        start: list[bytes] = []
        stream = counted()
        async for chunk in stream:
            start.append(chunk)
            if size > ONE_PIECE_BYTES:
                await obstore.put_async(self._store, path, joined(start, stream))
                break
        else:
            await obstore.put_async(self._store, path, b"".join(start), use_multipart=False)
        return Stored(size, digest.hexdigest())

    async def read(self, path: str) -> bytes:
        """A small file, whole. Raises FileNotFoundError."""
        found = await obstore.get_async(self._store, path)
        return bytes(await found.bytes_async())

    async def read_range(self, path: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`. Raises FileNotFoundError."""
        return bytes(await obstore.get_range_async(self._store, path, start=start, end=end))

    def get(self, path: str) -> Iterator[bytes]:
        """The file's bytes, in chunks. Raises FileNotFoundError.

        Not async: a process that ends just after an async call of the store may be aborted by it.
        """
        for chunk in obstore.get(self._store, path).stream(min_chunk_size=1024**2):
            yield bytes(chunk)

    async def delete(self, path: str) -> None:
        await obstore.delete_async(self._store, path)

    def remove(self, paths: Sequence[str]) -> None:
        """Delete files; what is not there is well. Not async: as `get`."""
        if self.folder is not None:
            for path in paths:
                (self.folder / path).unlink(missing_ok=True)
        elif paths:
            obstore.delete(self._store, list(paths))

    def half_files(self) -> Iterator[Path]:
        """Files being written on this machine: the store's name for them ends in # and a number."""
        return self.folder.rglob("*#*") if self.folder else iter(())

    def address(self, path: str) -> str:
        """Where the file lies, as a row of a manifest would name it: a path of this machine, or s3://…"""
        return str(self.folder / path) if self.folder else f"{self._url}/{path}"

    def local_path(self, path: str) -> Path | None:
        """Where the file lies on this machine, if it does."""
        return self.folder / path if self.folder else None


async def joined(start: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in start:
        yield chunk
    async for chunk in rest:
        yield chunk
