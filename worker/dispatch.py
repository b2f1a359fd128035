"""Gives free slots to queued jobs, model by model, under the lock of the model's limit."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine

from models import slots, transitions
from worker.fairness import choose
from worker.hints import Hints, Lot, gather


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


def dispatch(engine: Engine, publish: Callable[[Hints], None], *, lease_s: float) -> int:
    """One pass over all models that have both a free slot and a job that may run; returns how many went."""
    with engine.connect() as conn:
        models = slots.models_waited_for(conn)
    handed = 0
    for model in models:
        with engine.begin() as conn:
            pairs = hand_out(conn, model, lease_s=lease_s)
        publish(gather(pairs))
        handed += len(pairs)
    return handed
