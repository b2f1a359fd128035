"""What is written is read again by FFmpeg, which wrote none of it."""

import json
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.audio.cues import COLUMNS, LINES, LONGEST_S, Cue, columns, cues
from worker.audio.stitch import Gap, Part, Transcript, stitch
from worker.audio.words import joined, tokens
from worker.audio.write import to_json, to_srt, to_text, to_vtt


def read_again(path: Path, text: str) -> list[tuple[int, int, str]]:
    """Cues as (start, end, text), in milliseconds."""
    path.write_text(text, encoding="utf-8")
    found = []
    with av.open(str(path), "r") as container:
        [stream] = container.streams
        assert stream.time_base is not None
        for packet in container.demux(stream):
            if packet.pts is not None and packet.duration is not None:
                start, length = (round(float(each * stream.time_base) * 1000) for each in (packet.pts, packet.duration))
                found.append((start, start + length, bytes(packet).decode()))
    return found


def transcript(text: str, length_s: float = 60.0) -> Transcript:
    return stitch([Part(start_s=0, end_s=length_s, text=text, speech=[(0, length_s)])])


SENTENCES = (
    "The harbour opens at six, and the first boat leaves before the fog has lifted. Nobody is late. "
    "Warm the milk slowly, add a pinch of salt, and stir until the sugar is gone; then let it stand for ten minutes. "
)
GAP = Transcript(
    words=stitch([Part(start_s=0, end_s=5, text="before", speech=[(0, 5)])]).words
    + stitch([Part(start_s=20, end_s=25, text="after", speech=[(0, 5)])]).words,
    gaps=(Gap(5, 20, "content refused"),),
    length_s=25,
)


def test_cues_read_well() -> None:
    assert [cue.lines for cue in cues(transcript(SENTENCES, 15))] == [
        ("The harbour opens at six, and the first", "boat leaves before the fog has lifted."),
        ("Nobody is late. Warm the milk", "slowly, add a pinch of salt,"),
        ("and stir until the sugar is gone;", "then let it stand for ten minutes."),
    ]


def check(found: list[Cue], text: str) -> None:
    for cue in found:
        assert cue.start_ms < cue.end_ms
        assert cue.end_ms - cue.start_ms <= LONGEST_S * 1000 + 1
        assert 1 <= len(cue.lines) <= LINES
        assert all(0 < columns(line) <= COLUMNS for line in cue.lines)
    for cue, after in pairwise(found):
        assert cue.end_ms <= after.start_ms
    shown = "".join(line for cue in found for line in cue.lines)
    assert shown.replace(" ", "") == joined(tokens(text)).replace(" ", "")


parts = st.lists(
    st.tuples(st.text(max_size=300), st.lists(st.floats(0, 20), min_size=2, max_size=8, unique=True)),
    min_size=1,
    max_size=6,
)


@given(parts)
def test_every_word_is_in_one_cue_whatever_the_text(given_parts: list[tuple[str, list[float]]]) -> None:
    pieces = [
        Part(
            start_s=20 * place,
            end_s=20 * place + 20,
            text=text,
            speech=list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False)),
        )
        for place, (text, edges) in enumerate(given_parts)
    ]
    check(cues(stitch(pieces)), " ".join(text for text, _ in given_parts))


TEXTS = {
    "sentences": SENTENCES * 5,
    "one word wider than a line": "a" * 100,
    "Chinese": "今天天气很好，我们去公园散步吧。" * 20,
    "commands": "a --> b <i>c</i> & d {\\an8} 1 2 &amp; <",
    "numbers alone": "1 2 3 4 5",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_subtitles_are_read_again_as_they_were_meant(tmp_path: Path, text: str, suffix: str) -> None:
    given_ = transcript(text)
    found = read_again(tmp_path / f"a.{suffix}", to_srt(given_) if suffix == "srt" else to_vtt(given_))
    expected = cues(given_)
    assert [(start, end) for start, end, _ in found] == [(cue.start_ms, cue.end_ms) for cue in expected]
    if suffix == "vtt":
        plain = [shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for _, _, shown in found]
        assert plain == ["\n".join(cue.lines) for cue in expected]
    else:
        assert len("".join(shown for _, _, shown in found)) == len("".join("\n".join(c.lines) for c in expected))


def test_gaps_are_marked_in_every_format(tmp_path: Path) -> None:
    mark = "[0:00:05–0:00:20: content refused]"
    assert to_text(GAP) == f"before\n\n{mark}\n\nafter\n"
    for suffix, text in (("srt", to_srt(GAP)), ("vtt", to_vtt(GAP))):
        assert read_again(tmp_path / f"a.{suffix}", text) == [
            (0, 5000, "before"),
            (5000, 20000, mark),
            (20000, 25000, "after"),
        ]
    read = json.loads(to_json(GAP, ["ends early"]))
    assert read["gaps"] == [{"start": 5, "end": 20, "reason": "content refused"}]
    assert (read["text"], read["complete"], read["problems"]) == ("before after", False, ["ends early"])
    assert read["words"][1] == {"start": 20, "end": 25, "text": "after"}
    assert [segment["text"] for segment in read["segments"]] == ["before", "after"]


def test_a_reason_of_many_lines_is_one_cue_that_fits(tmp_path: Path) -> None:
    told = "bad\n\n7\n00:00:01,000 --> 00:00:02,000\n" + "no reason at all " * 20 + "x" * 90
    refused = Transcript(words=GAP.words, gaps=(Gap(5, 20, told),), length_s=25)
    for suffix, written in (("srt", to_srt(refused)), ("vtt", to_vtt(refused))):
        found = read_again(tmp_path / f"a.{suffix}", written)
        assert [(start, end) for start, end, _ in found] == [(0, 5000), (5000, 20000), (20000, 25000)]
        lines = found[1][2].replace("&gt;", ">").split("\n")
        assert len(lines) <= 2
        assert all(len(line) <= 42 for line in lines)
        assert lines[-1].endswith("…]")
    assert to_text(refused).count("\n\n") == 2


def test_a_long_silence_makes_a_paragraph() -> None:
    words = stitch([Part(start_s=0, end_s=20, text="one two", speech=[(0, 2), (10, 12)])])
    assert to_text(words) == "one\n\ntwo\n"


def test_a_short_word_stays_long_enough_to_be_read() -> None:
    words = stitch([Part(start_s=0, end_s=20, text="Yes. No.", speech=[(0, 0.2), (10, 10.2)])])
    assert [(cue.start_ms, cue.end_ms) for cue in cues(words)] == [(0, 1000), (10000, 11000)]


def test_nothing_said_is_an_empty_file_of_its_kind() -> None:
    empty = stitch([Part(start_s=0, end_s=20, text="", speech=[])])
    assert (to_text(empty), to_srt(empty), to_vtt(empty)) == ("", "", "WEBVTT\n")
    assert json.loads(to_json(empty))["words"] == []
