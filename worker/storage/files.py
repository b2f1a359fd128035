"""What sources and places for outputs are to us: files by path, listed, read, and put without overwriting others'."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from worker.patterns import Patterns

#: Longer paths cannot be keys of our tables' indexes.
MAX_PATH_BYTES = 800


class PlaceError(Exception):
    """A place as a whole cannot be used; in words."""


class FileError(Exception):
    """One file cannot be used; in words."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it is listed. `etag`: where the store has them."""

    path: str
    size: int
    mtime: datetime
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a listing could not go into, or would not take."""

    path: str
    problem: str


class Place(Protocol):
    """Files by path, relative and with `/`. `url` is what comes before it, with a `/` at its end."""

    url: str

    def look(self) -> None:
        """Raise PlaceError where nothing can be had from there."""

    def files(self, patterns: Patterns) -> Iterator[Found | Trouble]:
        """The files that the patterns take, as they come and in any order. Raises PlaceError."""

    def read(self, path: str, on_chunk: Callable[[bytes], object]) -> Found:
        """Hand the file over in chunks; returns it as it is at their end.

        Raises FileNotFoundError, FileError, and what `on_chunk` raises.
        """

    def create(self, path: str, data: bytes) -> bool:
        """Put a whole file; False, with nothing changed, where there is one. Raises FileError."""

    def replace(self, known: Found, data: bytes) -> bool:
        """Put a file in place of one that was read; False where it is another by now. Raises FileError."""


def hashed(place: Place, path: str, *, on_chunk: Callable[[], object] = lambda: None) -> tuple[Found, str]:
    """The file as it was read, and its sha256. Raises as `Place.read` does."""
    digest = hashlib.sha256()

    def take(chunk: bytes) -> None:
        on_chunk()
        digest.update(chunk)

    return place.read(path, take), digest.hexdigest()


def named(found: Found) -> Found | Trouble:
    """The file, unless its path is too long to be kept."""
    if len(found.path.encode()) <= MAX_PATH_BYTES:
        return found
    problem = f"its path is longer than {MAX_PATH_BYTES} bytes; shorten it, or move it higher up"
    return Trouble(f"{found.path[:100]}…", problem)
