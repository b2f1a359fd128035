"""Gives a model's free slots to its queued jobs, under the lock of the model's limit."""

from sqlalchemy import Connection

from models import money, slots, transitions
from models.money import Entry
from worker.fairness import choose
from worker.hints import Lot, lot_of
from worker.pace import allowance


def hand_out(conn: Connection, model: str, *, lease_s: float) -> list[tuple[Lot, int]]:
    """Dispatch as many jobs of the model as slots, rate and budgets allow; for use inside a transaction."""
    limit = slots.lock_free(conn, model)
    free, _ = allowance(limit.per_minute, limit.since_s, limit.free)
    if not free:
        return []
    lanes = slots.lanes(conn, model, most=free)
    if not lanes:
        return []
    purse = money.lock_purse(conn, model, {lane.batch_id for lane in lanes})
    chosen = choose(lanes, free, model=model, handed=limit.handed, purse=purse)
    if purse.empty:
        money.note_reached(conn, purse.empty)
    if not chosen:
        return []
    taken = transitions.dispatch(conn, chosen, lease_s=lease_s)
    _, moves_s = allowance(limit.per_minute, limit.since_s, len(taken))
    slots.hand_slots(conn, model, len(taken), rate_moves_s=moves_s)
    if purse.left:
        money.book(conn, [Entry(model, each.batch_id, reserved=each.reserved) for each in taken])
    place = {job_id: number for number, job_id in enumerate(chosen)}
    taken.sort(key=lambda each: place[each.job_id])
    return [(lot_of(each.kind, model), each.job_id) for each in taken]
