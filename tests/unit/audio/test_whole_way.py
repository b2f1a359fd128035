"""From a file to its transcript, heard by the sandbox: a lost or doubled second of sound is a wrong word."""

import random
from pathlib import Path

import pytest

from sandbox.checks import listen
from sandbox.recordings import record
from sandbox.tones import GAP_S, WORDS, recite, timed
from worker.audio.decode import Recording
from worker.audio.encode import to_mp3, to_wav
from worker.audio.plan import Rules, Seam
from worker.audio.split import Piece, split
from worker.audio.stitch import Part, stitch

Script = list[tuple[str, float]]


def script(*, seed: int, words: int, pauses: float) -> Script:
    """Words and the silence after each; `pauses`: the share of them that is long enough to cut in."""
    rnd = random.Random(seed)
    return [(rnd.choice(WORDS), 0.5 if rnd.random() < pauses else GAP_S) for _ in range(words)]


def cut(path: Path) -> list[Piece]:
    with Recording(path) as recording:
        return list(split(recording.blocks(), Rules()))


def heard(piece: Piece, *, as_mp3: bool) -> Part:
    text, refusal = listen((to_mp3 if as_mp3 else to_wav)(piece.samples))
    assert refusal is None
    return Part(start_s=piece.start_s, end_s=piece.end_s, text=text, speech=piece.speech)


KINDS = {
    "with pauses": (".mp3", 0.05, {Seam.PAUSE}, True),
    "without a pause": (".m4a", 0.0, {Seam.OVERLAP}, False),
    "few pauses": (".ogg", 0.012, {Seam.PAUSE, Seam.OVERLAP}, False),
}


@pytest.mark.parametrize(("suffix", "pauses", "seams", "as_mp3"), KINDS.values(), ids=KINDS)
def test_every_word_once_and_at_its_time(
    tmp_path: Path, suffix: str, pauses: float, seams: set[Seam], as_mp3: bool
) -> None:
    spoken = script(seed=1, words=400, pauses=pauses)
    record(tmp_path / f"a{suffix}", recite(spoken))
    pieces = cut(tmp_path / f"a{suffix}")
    assert {piece.seam for piece in pieces} - {Seam.END} == seams
    transcript = stitch([heard(piece, as_mp3=as_mp3) for piece in pieces])
    assert [word.text for word in transcript.words] == [word for word, _ in spoken]
    for word, truth in zip(transcript.words, timed(spoken), strict=True):
        assert word.start_s == pytest.approx(truth.start_s, abs=0.5)


def test_a_piece_that_failed_costs_its_own_words_only(tmp_path: Path) -> None:
    spoken = script(seed=3, words=400, pauses=0.05)
    record(tmp_path / "a.flac", recite(spoken))
    parts = [heard(piece, as_mp3=False) for piece in cut(tmp_path / "a.flac")]
    lost = parts[2]
    parts[2] = Part(start_s=lost.start_s, end_s=lost.end_s, text=None, error="refused")
    transcript = stitch(parts)
    [gap] = transcript.gaps
    kept = [word.word for word in timed(spoken) if not gap.start_s <= word.start_s < gap.end_s]
    assert [word.text for word in transcript.words] == kept
