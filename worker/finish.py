"""Writes what jobs came to, and hands their slots on in the same transaction."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from models import money, pipelines, slots, transitions
from models.limit import ACCOUNT
from models.money import Entry
from models.state import JobState
from models.transitions import Move, Moved, Spent
from provider.rulings import NO_BALANCE, REACHED_CODES
from worker import family, pace
from worker.hand_out import Taker, hand_out
from worker.hints import Hints, Lot, gather
from worker.pace import Pace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shrink:
    """The provider bears less at once than was asked of it by a call that got its slot at `since`."""

    model: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Rest:
    """The provider is asked too often, or overloaded: nothing for a while, longer each time it is said again."""

    model: str
    reason: str
    code: str | None
    base_s: float
    cap_s: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing more of this model (or of ACCOUNT) for `for_s` seconds; then, if it `probes`, one call first."""

    model: str
    reason: str
    code: str | None
    for_s: float
    probes: bool = False


Effect = Shrink | Rest | Pause


@dataclass(frozen=True, slots=True)
class Outcome:
    """One job's step, and what it tells about its model's limit."""

    move: Move
    effects: tuple[Effect, ...] = ()
    #: The API answered a poll: the credentials at least are good.
    polled: bool = False

    @property
    def proof(self) -> bool:
        """The API answered a paid call, and had nothing against the account or the model."""
        end = self.move.attempt_end
        running = self.move.source is JobState.RUNNING
        return running and not self.effects and end is not None and end.outcome in ("answered", "rejected")


@dataclass(frozen=True, slots=True)
class Finished:
    #: The (job id, fence) pairs whose step was made; the others belong to a later claim.
    moved: frozenset[tuple[int, int]]
    hints: Hints


def finish(conn: Connection, outcomes: Sequence[Outcome], *, lease_s: float, taker: Taker | None = None) -> Finished:
    """Settle a group of outcomes, free their slots, and give those to the next jobs, first to what the taker claims.

    `lease_s`: seconds after which a dispatched job's hint is sent again.
    """
    moved, spent = transitions.settle(conn, [outcome.move for outcome in outcomes])
    stale = len(moved) < len(outcomes)
    adopted = transitions.adopt(conn) if stale else []
    effects = {effect for outcome in outcomes for effect in outcome.effects}
    proofs = {outcome.move.job_id for outcome in outcomes if outcome.proof}
    probing = [each for each in moved if each.probing]
    if proven := {each.model for each in probing if each.job_id in proofs}:
        tell(slots.prove(conn, proven))
    elif probing and any(outcome.polled for outcome in outcomes):
        tell(slots.prove(conn, [], codes=REACHED_CODES))
    grown = family.after(conn, [outcome.move for outcome in outcomes], moved)
    asked_for = grown.models | follow(conn, moved, adopted)
    pairs = hand_on(conn, [*moved, *adopted], effects, spent, lease_s=lease_s, asked_for=asked_for, taker=taker)
    pairs += grown.hints
    due = {outcome.move.job_id for outcome in outcomes if not outcome.move.delay_s} | {each.job_id for each in adopted}
    pairs += [
        (Lot("store", each.kind, each.model), each.job_id)
        for each in [*moved, *adopted]
        if each.state is JobState.STORING and each.job_id in due
    ]
    return Finished(frozenset((each.job_id, each.fence) for each in moved), gather(pairs))


def take_in_late(conn: Connection, *, lease_s: float) -> Hints:
    """Put paid answers to use that came when their claims were over."""
    adopted = transitions.adopt(conn)
    follow(conn, (), adopted)
    pairs = hand_on(conn, adopted, (), (), lease_s=lease_s)
    pairs += [(Lot("store", each.kind, each.model), each.job_id) for each in adopted if each.state is JobState.STORING]
    return gather(pairs)


def follow(conn: Connection, moved: Sequence[Moved], adopted: Sequence[Moved]) -> set[str]:
    """Go on with what comes after jobs that ended, or that go on after all; returns models with jobs that may run.

    Asked anew each time: who waits may have been written while the locks of these jobs were waited for.
    """
    if adopted:
        pipelines.revive(conn, [each.job_id for each in adopted])
    if lost := [each.job_id for each in moved if each.state in (JobState.FAILED, JobState.CANCELLED)]:
        pipelines.doom(conn, lost)
    succeeded = [each.job_id for each in moved if each.state is JobState.SUCCEEDED]
    return pipelines.release(conn, succeeded) if succeeded else set()


def go_on_with_recordings(conn: Connection, *, lease_s: float) -> Hints:
    """A net for recordings of which nothing is open any more, however their last piece ended."""
    grown = family.sweep(conn)
    return gather([*hand_on(conn, (), (), (), lease_s=lease_s, asked_for=grown.models), *grown.hints])


def go_on_with_followers(conn: Connection, *, lease_s: float) -> Hints:
    """A net for jobs that wait for what has ended, however that came."""
    mended = pipelines.mend(conn)
    if mended.ids:
        log.error("a bug: jobs %s waited for what had ended; mended", ", ".join(map(str, mended.ids[:20])))
    return gather(hand_on(conn, (), (), (), lease_s=lease_s, asked_for=mended.models))


def tell(reopened: Sequence[str]) -> None:
    if reopened:
        log.warning("works again, going on: %s", ", ".join(reopened))


def hand_on(
    conn: Connection,
    moved: Sequence[Moved],
    effects: Iterable[Effect],
    spent: Iterable[Spent],
    *,
    lease_s: float,
    asked_for: Collection[str] = (),
    taker: Taker | None = None,
) -> list[tuple[Lot, int]]:
    """Settle what the steps mean for limits and budgets, and give freed slots to the next jobs.

    `asked_for`: models that have new jobs.
    """
    freed = Counter(each.model for each in moved if each.freed)
    ordered = sorted(effects, key=repr)
    models = {*freed, *asked_for, *(effect.model for effect in ordered)}
    if any(isinstance(effect, Pause) for effect in ordered):
        models.add(ACCOUNT)  # a pause may spread to it; locked first, by its name
    if len(models) > 1 or not freed:
        slots.lock(conn, models)
    for effect in ordered:
        apply_effect(conn, effect)
    limits = {model: slots.take_back(conn, model, count) for model, count in freed.items()}
    entries = [Entry(each.model, each.batch_id, reserved=-each.released) for each in moved]
    entries += [Entry(each.model, each.batch_id, spent=each.amount) for each in spent]
    money.book(conn, entries)
    pairs: list[tuple[Lot, int]] = []
    for model in sorted({*freed, *asked_for}):
        limit = limits.get(model) or slots.lock_free(conn, model)
        pairs += hand_out(conn, model, limit, lease_s=lease_s, taker=taker)
    return pairs


def apply_effect(conn: Connection, effect: Effect) -> None:
    match effect:
        case Shrink(model, since):
            shrink(conn, model, since)
        case Rest(model, reason, code, base_s, cap_s):
            slots.rest(conn, model, reason=reason, code=code, base_s=base_s, cap_s=cap_s)
        case Pause(model, reason, code, for_s, probes):
            log.warning("paused %s: %s", "the account" if model == ACCOUNT else model, reason)
            slots.pause(conn, model, reason=reason, for_s=for_s, code=code, probes=probes)
            if code == NO_BALANCE and model != ACCOUNT and slots.paused_elsewhere(conn, model, NO_BALANCE):
                slots.pause(conn, ACCOUNT, reason=reason, for_s=for_s, code=code, probes=probes)


def shrink(conn: Connection, model: str, since: datetime) -> None:
    """Take a refusal into account, unless the call got its slot before the last change: it speaks of another level."""
    known = slots.lock_learned(conn, model, since=since)
    if known is not None:
        was = as_pace(known)
        learn(conn, model, pace.refused(was), moved=True)


def grow(conn: Connection, model: str) -> None:
    """Take into account that all slots were used for a while and nothing was refused."""
    known = slots.lock_learned(conn, model)
    if known is not None:
        was = as_pace(known)
        now = pace.borne(was, known.quiet_s)
        if now != was:
            learn(conn, model, now, moved=now.level != was.level)


def as_pace(known: slots.Learned) -> Pace:
    return Pace(known.concurrency, known.learned, known.good, known.refused, known.patience)


def learn(conn: Connection, model: str, now: Pace, *, moved: bool) -> None:
    slots.learn(conn, model, learned=now.level, good=now.good, refused=now.refused, patience=now.patience, moved=moved)


__all__ = ["ACCOUNT", "Effect", "Finished", "Outcome", "Pause", "Rest", "Shrink", "finish"]
