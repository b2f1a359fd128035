"""A batch as one ZIP file, written as it is read: the folder that an export makes, for who has no command line."""

import io
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile, ZipInfo

from worker.export import manifest_line, path_of, writer
from worker.storage import Storage

#: A manifest beyond this size waits on disk for its turn, which is the last.
IN_MEMORY_BYTES = 16 * 1024**2
CHUNK_BYTES = 1024**2


class Sink(io.RawIOBase):
    """A file that only grows, and is taken away in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def zipped(jobs: Iterator[Any], storage: Storage) -> Iterator[bytes]:
    """The bytes of the archive of `report.results`: every output, and in the end `manifest.jsonl`.

    Nothing is compressed: pictures, films and sound are already. A file that is not in the store any more breaks it
    off, so that nobody takes a part for the whole. Raises FileNotFoundError.
    """
    sink = Sink()
    now = datetime.now(UTC).timetuple()[:6]
    with ZipFile(sink, "w") as archive, tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, "w+b") as spool:
        manifest = io.TextIOWrapper(spool, "utf-8", write_through=True)
        write = writer(manifest, "jsonl")
        for job in jobs:
            for output in job.outputs or []:
                entry = ZipInfo(path_of(job, output), now)
                entry.file_size = output["bytes"]
                with archive.open(entry, "w") as file:
                    for chunk in storage.get(output["location"]):
                        file.write(chunk)
                        yield sink.taken()
            write(manifest_line(job))
        manifest.flush()
        entry = ZipInfo("manifest.jsonl", now)
        entry.file_size = spool.tell()
        spool.seek(0)
        with archive.open(entry, "w") as file:
            while chunk := spool.read(CHUNK_BYTES):
                file.write(chunk)
                yield sink.taken()
        manifest.detach()
    yield sink.taken()
