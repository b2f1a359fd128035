"""Gives free slots to queued jobs, model by model."""

from collections.abc import Callable

from sqlalchemy import Engine

from models import money, slots
from worker.failpoints import failpoint
from worker.hand_out import hand_out
from worker.hints import Hints, gather


def dispatch(engine: Engine, publish: Callable[[Hints], None], *, lease_s: float) -> int:
    """One pass over all models that have both a free slot and a job that may run; returns how many went."""
    with engine.connect() as conn:
        models = slots.models_waited_for(conn)
    handed = 0
    for model in models:
        with engine.begin() as conn:
            money.jobs_first(conn)
            pairs = hand_out(conn, model, slots.lock_free(conn, model), lease_s=lease_s)
        failpoint("dispatch.committed")
        publish(gather(pairs))
        handed += len(pairs)
    return handed
