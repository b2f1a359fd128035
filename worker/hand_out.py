"""Gives a model's free slots to its queued jobs, under the lock of the model's limit."""

from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import Connection

from models import money, slots, transitions
from models.limit import CUT
from models.money import Entry, Purse
from models.slots import Locked
from models.transitions import Claim
from worker.fairness import choose
from worker.hints import Lot, lot_of
from worker.pace import allowance


@dataclass
class Taker:
    """A process that goes on at once with jobs that get a slot, `most` of them: no message needs to go round."""

    worker: str
    lease_s: float
    most: int
    claims: list[Claim] = field(default_factory=list)

    def take(self, conn: Connection, model: str, chosen: list[int]) -> list[Claim]:
        """Claim the first of these queued jobs; recordings, which are cut, are no calls."""
        ids = chosen[: self.most - len(self.claims)] if model != CUT else []
        if not ids:
            return []
        request_ids = [uuid4().hex for _ in ids]
        taken = transitions.start(conn, ids, request_ids, worker=self.worker, lease_s=self.lease_s)
        self.claims += taken
        return taken


def hand_out(
    conn: Connection, model: str, limit: Locked, *, lease_s: float, taker: Taker | None = None
) -> list[tuple[Lot, int]]:
    """Dispatch as many jobs of the model as slots, rate and budgets allow; in the transaction that locked its limit.

    Returns those that a message is to go out for: not what the taker took.
    """
    free, _ = allowance(limit.per_minute, limit.since_s, limit.free)
    if not free:
        return []
    lanes = slots.lanes(conn, model, most=free)
    if not lanes:
        return []
    purse = money.lock_purse(conn, model, {lane.batch_id for lane in lanes}) if limit.budgeted else Purse()
    chosen = choose(lanes, free, model=model, handed=limit.handed, purse=purse)
    if purse.empty:
        money.note_reached(conn, purse.empty)
    if not chosen:
        return []
    taken = {each.job_id for each in taker.take(conn, model, chosen)} if taker else set()
    rest = [job_id for job_id in chosen if job_id not in taken]
    kinds = transitions.dispatch(conn, rest, lease_s=lease_s) if rest else {}
    gone = {*taken, *kinds}
    _, moves_s = allowance(limit.per_minute, limit.since_s, len(gone))
    slots.hand_slots(conn, model, len(gone), rate_moves_s=moves_s)
    if purse.left:
        costs = {
            job_id: (lane.batch_id, cost)
            for lane in lanes
            for job_id, cost in zip(lane.job_ids, lane.estimates, strict=True)
        }
        money.book(conn, [Entry(model, costs[each][0], reserved=costs[each][1]) for each in gone])
    return [(lot_of(kinds[job_id], model), job_id) for job_id in rest if job_id in kinds]
