"""Writes what jobs came to, and hands their slots on in the same transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from models import slots, transitions
from models.limit import ACCOUNT
from models.state import JobState
from models.transitions import Move
from worker.hand_out import hand_out
from worker.hints import Hints, Lot, gather


@dataclass(frozen=True, slots=True)
class Shrink:
    """The provider bears less at once than was asked of it."""

    model: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing more of this model (or of ACCOUNT) for `for_s` seconds; None: until a person resumes."""

    model: str
    reason: str
    for_s: float | None


Effect = Shrink | Pause

#: Answers within a window tell one thing about the limit, not ten.
WINDOW_S = 5.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One job's step, and what it tells about its model's limit."""

    move: Move
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    #: Jobs whose step was made; the others belong to a later claim.
    moved: frozenset[int]
    hints: Hints


def finish(conn: Connection, outcomes: Sequence[Outcome], *, lease_s: float) -> Finished:
    """Settle a group of outcomes, free their slots, and give those to the next jobs.

    `lease_s`: seconds after which a dispatched job's hint is sent again.
    """
    moved = transitions.settle(conn, [outcome.move for outcome in outcomes])
    freed = Counter(each.model for each in moved if each.freed)
    effects = {outcome.effect for outcome in outcomes if outcome.effect}
    slots.lock(conn, {*freed, *(effect.model for effect in effects)})
    for effect in effects:
        apply_effect(conn, effect)
    pairs: list[tuple[Lot, int]] = []
    for model, count in freed.items():
        slots.count_slots(conn, model, -count)
        pairs += hand_out(conn, model, lease_s=lease_s)
    due = {outcome.move.job_id for outcome in outcomes if not outcome.move.delay_s}
    pairs += [
        (Lot("store", each.kind, each.model), each.job_id)
        for each in moved
        if each.state is JobState.STORING and each.job_id in due
    ]
    return Finished(frozenset(each.job_id for each in moved), gather(pairs))


def apply_effect(conn: Connection, effect: Effect) -> None:
    match effect:
        case Shrink(model):
            slots.shrink(conn, model, window_s=WINDOW_S)
        case Pause(model, reason, for_s):
            slots.pause(conn, model, reason=reason, for_s=for_s)


__all__ = ["ACCOUNT", "Effect", "Finished", "Outcome", "Pause", "Shrink", "finish"]
