"""Where to cut. Pure: from the loudness of what lies ahead to the end of one piece and the start of the next."""

from dataclasses import dataclass
from enum import StrEnum

from worker.audio.levels import FRAME, Levels, pauses
from worker.audio.sound import RATE, SAMPLE_BYTES

#: What the API takes, by PyAV's names.
CONTAINERS = frozenset({"wav", "mp3"})
#: A wav file's header, with room to spare.
HEADER_BYTES = 1024
#: A pause of this length is as good as any longer one.
LONG_PAUSE_S = 1.0
#: How long a pause a piece of the full length is worth.
FULL_LENGTH_WORTH_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What pieces have to be like, in seconds.

    longest_s: no piece is longer.
    earliest_s: no cut comes earlier in a piece, so that pieces are not many.
    pause_s: silence from this length on is a pause to cut in.
    overlap_s: what two pieces both hold where there is no pause between them.
    """

    longest_s: float = 29.5
    earliest_s: float = 15.0
    pause_s: float = 0.25
    overlap_s: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.pause_s <= self.overlap_s < self.earliest_s < self.longest_s - self.overlap_s:
            raise ValueError(f"such pieces cannot be cut: {self}")

    @property
    def longest(self) -> int:
        """Samples, in whole frames."""
        return in_frames(self.longest_s) * FRAME


def in_frames(seconds: float) -> int:
    return int(seconds * RATE / FRAME)


def rules_for(*, max_s: float, max_bytes: int) -> Rules:
    """The rules for a model's limits on a call: half a second and 10 % of the bytes are kept as a margin.

    Coders pad, and the limit may be checked on something a little longer than what was meant.
    """
    fits_s = (max_bytes * 0.9 - HEADER_BYTES) / (RATE * SAMPLE_BYTES)
    longest_s = min(max_s - 0.5, fits_s)
    return Rules(longest_s=longest_s, earliest_s=longest_s / 2, overlap_s=min(3.0, longest_s / 10))


def goes_as_it_is(container: str, *, length_s: float, size_bytes: int, max_s: float, max_bytes: int) -> bool:
    """Whether the API takes the file itself. `length_s`: as decoded, for headers lie."""
    return container in CONTAINERS and length_s <= max_s and size_bytes <= max_bytes


class Seam(StrEnum):
    """What is between a piece and the next."""

    PAUSE = "pause"
    OVERLAP = "overlap"
    END = "end"


@dataclass(frozen=True, slots=True)
class Cut:
    """`end`: where the piece ends, `next_start`: where the next begins; in samples from the piece's start."""

    end: int
    next_start: int
    seam: Seam


def next_cut(loudness: Levels, rules: Rules) -> Cut:
    """Where to end a piece that is followed by more sound. `loudness`: of its longest possible extent."""
    last = len(loudness)
    first = in_frames(rules.earliest_s)
    best: tuple[float, int] | None = None
    for start, end in pauses(loudness, at_least_s=rules.pause_s):
        length_s = (end - max(start, first)) * FRAME / RATE
        if length_s >= rules.pause_s:
            at = (max(start, first) + end) // 2
            worth = min(length_s, LONG_PAUSE_S) + FULL_LENGTH_WORTH_S * at / last
            best = max(best or (worth, at), (worth, at))
    if best is not None:
        end = best[1] * FRAME
        return Cut(end, end, Seam.PAUSE)
    half = in_frames(rules.overlap_s) // 2
    # The quietest moment near the end: there the two texts are joined.
    window = slice(max(first, last - 3 * half), last - half)
    middle = window.start + int(loudness[window].argmin())
    return Cut((middle + half) * FRAME, (middle - half) * FRAME, Seam.OVERLAP)
