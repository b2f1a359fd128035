import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.audio.edits import plays_whole


def box(name: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I4s", len(inside) + 8, name) + inside


def header(name: bytes, rate: int, length: int) -> bytes:
    """mvhd or mdhd, as far as it matters."""
    return box(name, bytes(12), struct.pack(">II", rate, length), bytes(8))


def long_header(name: bytes, rate: int, length: int) -> bytes:
    return box(name, b"\1", bytes(19), struct.pack(">IQ", rate, length), bytes(8))


def edits(*lengths: int) -> bytes:
    entries = b"".join(struct.pack(">III", length, 1024, 1 << 16) for length in lengths)
    return box(b"edts", box(b"elst", bytes(4), struct.pack(">I", len(lengths)), entries))


def track(*boxes: bytes, rate: int = 16000, length: int = 160000) -> bytes:
    return box(b"trak", *boxes, box(b"mdia", header(b"mdhd", rate, length)))


def mp4(*tracks: bytes, movie: bytes | None = None) -> bytes:
    return box(b"ftyp", b"M4A ") + box(b"free") + box(b"moov", movie or header(b"mvhd", 1000, 10000), *tracks)


FILES = {
    "no edits": (mp4(track()), True),
    "one edit of the whole": (mp4(track(edits(10000))), True),
    "coders pad": (mp4(track(edits(9900))), True),
    "large numbers": (mp4(track(edits(10000)), movie=long_header(b"mvhd", 1000, 10000)), True),
    "fragmented": (mp4(track(edits(0), length=0)), True),
    "trimmed": (mp4(track(edits(5000))), False),
    "rearranged": (mp4(track(edits(5000, 5000))), False),
    "one of two tracks begins late": (mp4(track(edits(10000)), track(edits(2000, 8000))), False),
    "no movie header": (box(b"ftyp", b"M4A ") + box(b"moov", track()), False),
    "no mp4": (b"ID3" + bytes(100), False),
    "empty": (b"", False),
    "boxes without end": (box(b"ftyp", b"M4A ") + box(b"moov") * 5000, False),
}


@pytest.mark.parametrize(("data", "whole"), FILES.values(), ids=FILES)
def test_plays_whole(tmp_path: Path, data: bytes, whole: bool) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    assert plays_whole(tmp_path / "a.mp4") is whole


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_never_an_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(mp4(track(edits(10000))))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a.mp4").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert plays_whole(tmp_path / "a.mp4") in (True, False)


ODD = {
    "a rate of nothing": mp4(track(edits(10000), rate=0)),
    "a box without content": box(b"ftyp", b"M4A ") + box(b"moov", box(b"mvhd")),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_odd_boxes_are_left_to_ffmpeg(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    assert not plays_whole(tmp_path / "a.mp4")
