"""Gives a model's free slots to its queued jobs, under the lock of the model's limit."""

from sqlalchemy import Connection

from models import slots, transitions
from worker.fairness import choose
from worker.hints import Lot


def hand_out(conn: Connection, model: str, *, lease_s: float) -> list[tuple[Lot, int]]:
    """Dispatch as many jobs of the model as it has free slots; for use inside a transaction."""
    free = slots.lock_free(conn, model)
    if not free:
        return []
    chosen = choose(slots.lanes(conn, model, most=free), free)
    if not chosen:
        return []
    taken = transitions.dispatch(conn, chosen, lease_s=lease_s)
    slots.count_slots(conn, model, len(taken))
    taken.sort(key=lambda each: chosen.index(each[0]))
    return [(Lot("run", kind, model), job_id) for job_id, kind in taken]
