"""Cuts sound as it comes into pieces that the API takes; holds one piece in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from worker.audio.levels import FRAME, is_nothing, levels, pauses, spans
from worker.audio.plan import Rules, Seam, next_cut
from worker.audio.sound import RATE, Samples, seconds

#: Shorter pauses are parts of words: they take up a word's time.
WITHIN_WORDS_S = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A stretch of the recording. It ends where the next begins, or, with an overlap, later.

    start, end: in samples from the recording's start.
    seam: what is between it and the next.
    speech: where in it somebody speaks, as (start, end) in seconds from its own start; empty if nowhere.
    """

    index: int
    start: int
    end: int
    seam: Seam
    samples: Samples
    speech: tuple[tuple[float, float], ...]

    @property
    def start_s(self) -> float:
        return seconds(self.start)

    @property
    def end_s(self) -> float:
        return seconds(self.end)


def split(blocks: Iterable[Samples], rules: Rules) -> Iterator[Piece]:
    """The pieces of a recording, in order: the same whatever blocks its sound comes in.

    What fits into one piece is one.
    """
    held: list[Samples] = []
    length = 0
    index = start = 0
    for block in blocks:
        held.append(block)
        length += len(block)
        while length > rules.longest:
            sound = np.concatenate(held)
            loudness = levels(sound[: rules.longest])
            cut = next_cut(loudness, rules)
            yield piece(index, start, sound[: cut.end], cut.seam)
            held = [sound[cut.next_start :].copy()]
            index, start, length = index + 1, start + cut.next_start, length - cut.next_start
    if length:
        yield piece(index, start, np.concatenate(held), Seam.END)


def piece(index: int, start: int, samples: Samples, seam: Seam) -> Piece:
    return Piece(index, start, start + len(samples), seam, samples, speech_in(samples))


def speech_in(samples: Samples) -> tuple[tuple[float, float], ...]:
    """Where somebody speaks, as (start, end) in seconds; the whole where no pauses can be told."""
    loudness = levels(samples)
    if is_nothing(loudness):
        return ()
    flags = np.ones(len(loudness), np.bool_)
    for first, last in pauses(loudness, at_least_s=WITHIN_WORDS_S):
        flags[first:last] = False
    # The last frame takes in what is left over.
    ends = [min(last * FRAME, len(samples)) if last < len(loudness) else len(samples) for _, last in spans(flags)]
    starts = [first * FRAME for first, _ in spans(flags)]
    return tuple((round(start / RATE, 3), round(end / RATE, 3)) for start, end in zip(starts, ends, strict=True))
