"""How loud sound is, frame by frame, and where in it somebody speaks."""

import numpy as np

from worker.audio.sound import RATE, Samples

#: Samples in a frame: 20 ms.
FRAME = RATE // 50
#: Decibels below full scale, for 16-bit samples. Frames of nothing but zeros get the floor.
FULL_SCALE = 32768.0
FLOOR_DB = -96.0
#: What is nowhere louder than this holds no speech: a whisper before a poor microphone has 20 dB more.
NOTHING_DB = -60.0

#: Shape (frames,), in dB relative to full scale.
Levels = np.ndarray[tuple[int], np.dtype[np.float64]]


def levels(samples: Samples) -> Levels:
    """The loudness of each whole frame; what is left over at the end counts with the last one."""
    count = max(len(samples) // FRAME, 1)
    wide = samples.astype(np.int64)  # sums of whole numbers: the same on every machine
    sums = np.add.reduceat(wide * wide, np.arange(count) * FRAME)
    lengths = np.full(count, FRAME)
    lengths[-1] = len(samples) - (count - 1) * FRAME
    power = sums / lengths / FULL_SCALE**2
    return np.asarray(np.maximum(10 * np.log10(np.maximum(power, 1e-12)), FLOOR_DB), np.float64)


def is_nothing(loudness: Levels) -> bool:
    return bool(loudness.max() < NOTHING_DB)


def pause_below(loudness: Levels) -> float:
    """The level in dB that tells pauses from speech, by what is quiet and what is loud in this very sound.

    A third of the way up from the quiet end, and 20 dB below the loud one at least: so that steady sound, or
    speech over noise as loud, has no pauses rather than wrong ones.
    """
    quiet, loud = np.percentile(loudness, [5, 95])
    return float(min(quiet + 0.3 * (loud - quiet), loud - 20.0))


def spans(flags: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> list[tuple[int, int]]:
    """Runs of true values as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def pauses(loudness: Levels, *, at_least_s: float) -> list[tuple[int, int]]:
    """Runs of frames without speech, as (first, one past the last)."""
    shortest = at_least_s * RATE / FRAME
    quiet = loudness < max(pause_below(loudness), NOTHING_DB)
    return [(start, end) for start, end in spans(quiet) if end - start >= shortest]
