"""A folder on this machine. Links to files are followed, links to folders are not: they may lead in a ring."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from provider.unwrap import UNSTORABLE
from worker.patterns import Patterns
from worker.storage.files import FileError, Found, PlaceError, Trouble, named

CHUNK_BYTES = 1024**2
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Folder:
    """By the system's own calls: a store's listing of a folder ends at the first thing that cannot be read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = f"{str(root).rstrip('/')}/"

    def look(self) -> None:
        try:
            with os.scandir(self.root):
                pass
        except FileNotFoundError:
            raise PlaceError(f"there is no folder {self.root}") from None
        except OSError as error:
            raise PlaceError(f"cannot read the folder {self.root}: {error.strerror}") from None

    def files(self, patterns: Patterns) -> Iterator[Found | Trouble]:
        self.look()
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                entries = os.scandir(self.root / folder)
            except OSError as error:
                yield Trouble(shown(folder), f"this folder cannot be read: {error.strerror}")
                continue
            with entries:
                for entry in entries:
                    path = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        if patterns.enters(path):
                            folders.append(f"{path}/")
                    elif patterns.takes(path):
                        yield from self._file(entry, path)

    @staticmethod
    def _file(entry: "os.DirEntry[str]", path: str) -> Iterator[Found | Trouble]:
        if UNSTORABLE.search(path):
            yield Trouble(shown(path), "its name is no UTF-8; rename it")
            return
        try:
            about = entry.stat()
        except FileNotFoundError:
            return  # it is gone by now, or is a link to nothing
        except OSError as error:
            yield Trouble(path, f"cannot be read: {error.strerror}")
            return
        if stat.S_ISREG(about.st_mode):
            yield named(as_found(path, about))

    def read(self, path: str, on_chunk: Callable[[bytes], object]) -> Found:
        try:
            with (self.root / path).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK_BYTES):
                    on_chunk(chunk)
                return as_found(path, os.fstat(file.fileno()))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror}") from None

    def create(self, path: str, data: bytes) -> bool:
        target = self.root / path
        with written(target, data) as fresh:
            try:
                os.link(fresh, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                # A disk without hard links: what comes between the look and the move is lost.
                if os.path.lexists(target):
                    return False
                fresh.rename(target)
        return True

    def replace(self, known: Found, data: bytes) -> bool:
        target = self.root / known.path
        with written(target, data) as fresh:
            if not target.is_file() or as_found(known.path, target.stat()) != known:
                return False
            fresh.replace(target)
        return True


NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def written(target: Path, data: bytes) -> Iterator[Path]:
    """A whole file beside its target, to be moved there; deleted if it is not. Raises FileError."""
    fresh = target.with_name(f".{uuid4().hex}.mediajobs")  # hidden: no pattern takes it
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(data)
        yield fresh
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            fresh.unlink()


def as_found(path: str, about: os.stat_result) -> Found:
    """Times to the microsecond, as the database keeps them."""
    return Found(path, about.st_size, EPOCH + timedelta(microseconds=about.st_mtime_ns // 1000))


def shown(path: str) -> str:
    """A path that can be printed and kept: bytes that are no UTF-8 are spelt out."""
    return os.fsencode(path).decode(errors="backslashreplace")
