"""Whether an mp4 plays just what it holds. FFmpeg needs twice the memory to heed its edits, so it is asked first."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: Seconds by which the two lengths of a track may differ: coders pad their first and last frames.
CLOSE_S = 0.5
INSIDE = {b"moov", b"trak", b"edts", b"mdia"}
WANTED = {b"mvhd", b"mdhd", b"elst"}
MAX_BOX_BYTES = 1 << 20
DEEPEST = 3

Box = tuple[bytes, bytes]


def plays_whole(path: Path) -> bool:
    """False for what is no mp4, was trimmed or rearranged, or has a track that begins late."""
    try:
        with path.open("rb") as file:
            if file.read(12)[4:8] != b"ftyp":
                return False
            file.seek(0)
            return is_whole(list(boxes(file, path.stat().st_size)))
    except (OSError, struct.error, ValueError, LookupError, ArithmeticError):
        return False  # FFmpeg will say what is wrong with it


def boxes(file: BinaryIO, end: int, depth: int = 0) -> Iterator[Box]:
    """The wanted boxes in their order, each as its name and content."""
    while file.tell() + 8 <= end:
        start = file.tell()
        size, name = struct.unpack(">I4s", file.read(8))
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        past = start + size if size else end
        if past < file.tell():
            raise ValueError("a box without an end")
        if name in INSIDE and depth < DEEPEST:
            yield from boxes(file, min(past, end), depth + 1)
        elif name in WANTED:
            yield name, file.read(min(past - file.tell(), MAX_BOX_BYTES))
        file.seek(past)


def is_whole(found: list[Box]) -> bool:
    """Whether each track's one edit is as long as the track. A track's edits stand before its length."""
    movie_rate: int | None = None
    edit: int | None = None
    for name, content in found:
        long = content[0] == 1
        if name == b"elst":
            (count,) = struct.unpack_from(">I", content, 4)
            if count != 1 or edit is not None:
                return False
            (edit,) = struct.unpack_from(">Q" if long else ">I", content, 8)
            continue
        rate, length = struct.unpack_from(">IQ" if long else ">II", content, 20 if long else 12)
        if name == b"mvhd":
            movie_rate = rate
        elif edit is not None:
            # A fragmented file has edits without a length.
            if not movie_rate or (edit and abs(edit / movie_rate - length / rate) > CLOSE_S):
                return False
            edit = None
    return movie_rate is not None and edit is None
