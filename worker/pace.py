"""How much of a model at once: a search for what the provider bears, and the spacing of calls. Pure.

The limit is hidden, and may change. A step up that is refused is taken back at once, so that
the level settles just below the limit; a refusal at a level that was borne before means that
the limit fell: the level is halved. Between what was borne and what was refused the step is to
their middle, and by a quarter at most: all that is too much is refused at once. Above all that is
known it doubles. What was refused is tried again ever less often.
"""

from dataclasses import dataclass, replace

#: A level must be used up for so many seconds, without complaint, before it counts as borne.
WINDOW_S = 2.0
#: 2^5 windows: about once a minute, one call is refused to see whether the limit has grown.
MOST_PATIENCE = 5
#: A minute's calls are spread over this much longer, so that what gathers for one tick stays within it.
BURST_S = 2.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Slots of a model: the ceiling, what is tried now, what was borne, and the least that was refused."""

    ceiling: int
    level: int
    good: int | None = None
    refused: int | None = None
    patience: int = 0


def refused(pace: Pace) -> Pace:
    """The provider said `too many at once` to a call that was made at this level."""
    good = pace.good or 0
    if pace.level > good > 0:
        return replace(pace, level=good, refused=pace.level, patience=min(MOST_PATIENCE, pace.patience + 1))
    half = max(1, pace.level // 2)
    return replace(pace, level=half, good=None, refused=max(pace.level, 2), patience=0)


def borne(pace: Pace, quiet_s: float) -> Pace:
    """All slots of this level were in use for `quiet_s` seconds, and nothing was refused."""
    if quiet_s < WINDOW_S:
        return pace
    pace = replace(pace, good=pace.level)
    if pace.level >= pace.ceiling:
        return pace
    if pace.refused is None or pace.refused <= pace.level:
        return replace(pace, level=min(pace.ceiling, pace.level * 2), refused=None, patience=0)
    if pace.refused > pace.level + 1:
        middle = (pace.level + pace.refused) // 2
        return replace(pace, level=min(middle, pace.level + max(1, pace.level // 4)))
    if quiet_s < WINDOW_S * 2**pace.patience:
        return pace
    return replace(pace, level=pace.refused)  # perhaps the limit has grown


def allowance(per_minute: int | None, since_s: float, wanted: int) -> tuple[int, float]:
    """How many calls may go now by a rate, and how far `rate_at` moves on: (calls, seconds from now).

    `since_s`: seconds since `rate_at`, the time from which the next call may go. In no 60 seconds
    do more than `per_minute` calls go.
    """
    if per_minute is None:
        return wanted, -BURST_S
    spacing_s = (60.0 + BURST_S) / per_minute
    gathered_s = min(since_s, BURST_S)
    calls = min(wanted, int(gathered_s / spacing_s) + 1) if gathered_s >= 0 else 0
    return calls, calls * spacing_s - gathered_s
