"""Takes back jobs whose worker died, sends unheard hints again, and counts the slots anew."""

import logging
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, text

from models import leases, slots
from models.state import JobState
from models.transitions import Move
from worker.finish import Outcome, finish
from worker.hints import Hints, Lot, gather
from worker.kinds import KINDS
from worker.verdict import crashed

log = logging.getLogger(__name__)

#: How long a model's concurrency must have been used up, without complaint, before it may grow.
GROW_WINDOW_S = 5.0


def rescue(engine: Engine, *, hint_lease_s: float) -> Hints:
    """One pass; returns the hints to send."""
    with engine.begin() as conn:
        outcomes = [*crashed_jobs(conn), *halted_jobs(conn)]
        hints = finish(conn, outcomes, lease_s=hint_lease_s).hints if outcomes else {}
    with engine.begin() as conn:
        unheard = leases.renew_unheard(conn, lease_s=hint_lease_s)
        slots.grow(conn, window_s=GROW_WINDOW_S)
    for model in models(engine):
        with engine.begin() as conn:
            drift = slots.recount(conn, model)
        if drift:
            log.error("a bug: %s had %d slots counted as in use, %d are held; mended", model, *drift)
    return gather(
        [
            *((lot, job_id) for lot, ids in hints.items() for job_id in ids),
            *((Lot("run", kind, model), job_id) for job_id, kind, model in unheard),
        ]
    )


def crashed_jobs(conn: Connection) -> Iterator[Outcome]:
    for job in leases.lock_expired(conn):
        log.warning("job %d: its worker died or was cut off; rescued", job.job_id)
        yield crashed(job, KINDS[job.kind])


def halted_jobs(conn: Connection) -> Iterator[Outcome]:
    for job_id, fence in leases.lock_halted(conn):
        yield Outcome(Move(job_id=job_id, fence=fence, source=JobState.DISPATCHED, target=JobState.QUEUED))


def models(engine: Engine) -> list[str]:
    with engine.connect() as conn:
        return list(conn.execute(text("select model from limits order by model")).scalars())
