from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.audio.plan import Rules, Seam, goes_as_it_is, rules_for
from worker.audio.sound import RATE, Samples
from worker.audio.split import Piece, split

#: Short pieces, so that a few seconds of sound make many.
SHORT = Rules(longest_s=3.0, earliest_s=1.5, pause_s=0.25, overlap_s=0.6)


def noise(seconds: float, level: float = 0.3, seed: int = 0) -> Samples:
    """Steady sound; its level is of full scale."""
    random = np.random.default_rng(seed)
    return (random.uniform(-level, level, round(seconds * RATE)) * 32767).astype(np.int16)


@st.composite
def sounds(draw: st.DrawFn) -> Samples:
    """Stretches of noise of all levels, nothing at all among them."""
    stretch = st.tuples(st.integers(1, 40000), st.sampled_from([0.0, 0.0005, 0.003, 0.1, 0.9]))
    stretches = draw(st.lists(stretch, min_size=1, max_size=12))
    return np.concatenate([noise(length / RATE, level, seed=length) for length, level in stretches])


def in_blocks(sound: Samples, size: int) -> list[Samples]:
    return [sound[start : start + size] for start in range(0, len(sound), size)]


def cut(sound: Samples, rules: Rules = SHORT, block: int = RATE) -> list[Piece]:
    return list(split(in_blocks(sound, block), rules))


@given(sounds())
def test_pieces_cover_the_whole_in_order_and_none_is_too_long(sound: Samples) -> None:
    pieces = cut(sound)
    assert (pieces[0].start, pieces[-1].end) == (0, len(sound))
    assert [piece.index for piece in pieces] == list(range(len(pieces)))
    assert [piece.seam is Seam.END for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    overlap = round(SHORT.overlap_s * RATE)
    for piece in pieces:
        assert 0 < piece.end - piece.start <= SHORT.longest_s * RATE
        assert np.array_equal(piece.samples, sound[piece.start : piece.end])
    for piece, after in pairwise(pieces):
        assert piece.start < after.start
        assert piece.end < after.end
        assert piece.end - after.start == (overlap if piece.seam is Seam.OVERLAP else 0)
        assert piece.end - piece.start >= SHORT.earliest_s * RATE


@given(sounds(), st.integers(1, 50000))
@settings(max_examples=30)
def test_the_cuts_are_the_same_whatever_blocks_the_sound_comes_in(sound: Samples, size: int) -> None:
    size = max(size, len(sound) // 200)
    assert [(piece.start, piece.end) for piece in cut(sound, block=size)] == [
        (piece.start, piece.end) for piece in cut(sound)
    ]


@given(sounds())
def test_speech_lies_inside_its_piece_in_order(sound: Samples) -> None:
    for piece in cut(sound):
        edges = [0.0, *(each for span in piece.speech for each in span), len(piece.samples) / RATE + 0.001]
        assert edges == sorted(edges)


def test_what_fits_is_one_piece() -> None:
    [piece] = cut(noise(29.5), Rules())
    assert (piece.start_s, piece.end_s, piece.seam) == (0.0, 29.5, Seam.END)


PAUSES = {
    "one": ([20.0], 20.0),
    "the last of equals": ([17.0, 27.0], 27.0),
    "none too early": ([5.0, 20.0], 20.0),
}


@pytest.mark.parametrize(("pauses", "at"), PAUSES.values(), ids=PAUSES)
def test_cuts_in_the_middle_of_a_pause(pauses: list[float], at: float) -> None:
    sound = noise(40)
    for middle in pauses:
        sound[round((middle - 0.2) * RATE) : round((middle + 0.2) * RATE)] //= 1000
    piece, after = cut(sound, Rules())
    assert piece.seam is Seam.PAUSE
    assert piece.end == after.start
    assert piece.end_s == pytest.approx(at, abs=0.03)


def test_a_sentence_end_goes_before_a_short_breath_that_comes_later() -> None:
    sound = noise(40)
    sound[round(20 * RATE) : round(21 * RATE)] = 0
    sound[round(28 * RATE) : round(28.3 * RATE)] = 0
    assert cut(sound, Rules())[0].end_s == pytest.approx(20.5, abs=0.03)


def test_without_a_pause_the_pieces_overlap_where_it_is_quietest() -> None:
    sound = noise(40)
    sound[round(27 * RATE) : round(27.1 * RATE)] //= 10  # too short to be a pause
    piece, after = cut(sound, Rules())
    assert piece.seam is Seam.OVERLAP
    assert (piece.end_s + after.start_s) / 2 == pytest.approx(27.05, abs=0.06)
    assert piece.end_s - after.start_s == 3.0


def test_speech_over_noise_is_cut_in_its_pauses() -> None:
    sound = noise(40, 0.5) // 1
    sound[round(20 * RATE) : round(20.5 * RATE)] = noise(0.5, 0.02)
    assert cut(sound, Rules())[0].end_s == pytest.approx(20.25, abs=0.03)


def test_nothing_to_hear_is_told_from_a_whisper() -> None:
    assert cut(noise(2, 0.0005))[0].speech == ()
    assert cut(noise(2, 0.01))[0].speech == ((0.0, 2.0),)


def test_speech_is_found_between_pauses() -> None:
    sound = np.concatenate([noise(0.5, 0), noise(1), noise(0.4, 0), noise(0.5), noise(0.05, 0), noise(0.2)])
    assert cut(sound)[0].speech == ((0.5, 1.5), (1.9, 2.65))


LIMITS = {
    "the API's": (30.0, 25 * 1024**2, 29.5),
    "few bytes": (30.0, 400_000, 11.2),
}


@pytest.mark.parametrize(("max_s", "max_bytes", "longest_s"), LIMITS.values(), ids=LIMITS)
def test_rules_keep_a_margin_to_the_limits(max_s: float, max_bytes: int, longest_s: float) -> None:
    rules = rules_for(max_s=max_s, max_bytes=max_bytes)
    assert rules.longest_s == pytest.approx(longest_s, abs=0.05)


AS_IT_IS = {
    "within the limits": ("mp3", 30.0, 25, True),
    "too long": ("wav", 30.01, 25, False),
    "too large": ("wav", 30.0, 26, False),
    "another container": ("ogg", 3.0, 1, False),
}


@pytest.mark.parametrize(("container", "length_s", "size", "expected"), AS_IT_IS.values(), ids=AS_IT_IS)
def test_what_the_api_takes_goes_as_it_is(container: str, length_s: float, size: int, expected: bool) -> None:
    found = goes_as_it_is(container, length_s=length_s, size_bytes=size, max_s=30.0, max_bytes=25)
    assert found is expected


@pytest.mark.parametrize("wrong", [{"overlap_s": 20.0}, {"earliest_s": 1.0}, {"pause_s": 0.0}, {"longest_s": 10.0}])
def test_rules_that_cannot_be_met_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="cannot be cut"):
        Rules(**wrong)
