"""Takes back jobs whose worker died, sends unheard hints again, and counts the slots anew."""

import logging
from collections.abc import Iterator

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models import leases, money, recordings, slots
from models.state import JobState
from models.transitions import Move
from worker.actions import Selection, cancel
from worker.failpoints import failpoint
from worker.finish import Outcome, finish, go_on_with_recordings, grow, take_in_late
from worker.hints import Hints, Lot, gather, lot_of
from worker.pace import WINDOW_S
from worker.policy import Policy
from worker.verdict import crashed

log = logging.getLogger(__name__)

#: So long after Postgres came back the living may write what they have, before they count as dead.
SETTLE_S = 3.0


def rescue(engine: Engine, *, hint_lease_s: float, policy: Policy) -> Hints:
    """One pass; returns the hints to send. What goes wrong in one part of it keeps no other from its work.

    Raises OperationalError with Postgres away.
    """
    pairs: list[tuple[Lot, int]] = []

    def add(hints: Hints) -> None:
        pairs.extend((lot, job_id) for lot, ids in hints.items() for job_id in ids)

    def take_back() -> None:
        with engine.begin() as conn:
            outcomes = [*crashed_jobs(conn, policy), *halted_jobs(conn)]
            if outcomes:
                add(finish(conn, outcomes, lease_s=hint_lease_s).hints)

    def adopt() -> None:
        with engine.begin() as conn:
            add(take_in_late(conn, lease_s=hint_lease_s))

    def end_recordings() -> None:
        with engine.begin() as conn:
            add(go_on_with_recordings(conn, lease_s=hint_lease_s))

    def send_again() -> None:
        with engine.begin() as conn:
            unheard = leases.renew_unheard(conn, lease_s=hint_lease_s)
        pairs.extend((lot_of(kind, model), job_id) for job_id, kind, model in unheard)

    def learn() -> None:
        with engine.begin() as conn:
            slots.put_off(conn)
            for model in slots.used_up(conn, window_s=WINDOW_S):
                grow(conn, model)

    for part in (take_back, adopt, end_recordings, lambda: cancel_orphans(engine), send_again, learn,
                 lambda: recount(engine)):  # fmt: skip
        try:
            part()
        except OperationalError:
            raise
        except Exception:
            log.exception("a part of rescue failed; the others go on")
    failpoint("rescue.committed")
    return gather(pairs)


def crashed_jobs(conn: Connection, policy: Policy) -> Iterator[Outcome]:
    for job in leases.lock_expired(conn, settle_s=SETTLE_S):
        log.warning("job %d: its worker died or was cut off; rescued", job.job_id)
        yield crashed(job, policy(job.kind, job.model))


def halted_jobs(conn: Connection) -> Iterator[Outcome]:
    for job_id, fence in leases.lock_halted(conn):
        yield Outcome(Move(job_id=job_id, fence=fence, source=JobState.DISPATCHED, target=JobState.QUEUED))


def cancel_orphans(engine: Engine) -> None:
    """What is left of recordings that have ended is not bought any more."""
    with Session(engine) as session:
        if ids := recordings.orphans(session.connection()):
            cancel(session, Selection(ids=ids))
        session.commit()


def recount(engine: Engine) -> None:
    """Hold the counters against what they count."""
    with engine.connect() as conn:
        models = list(conn.execute(text("select model from limits order by model")).scalars())
    for model in models:
        with engine.begin() as conn:
            drift = slots.recount(conn, model)
        if drift:
            log.error("a bug: %s had %d slots counted as in use, %d are held; mended", model, *drift)
    with engine.begin() as conn:
        for scope, counted, held in money.recount(conn):
            log.error("a bug: budget %s had $%s reserved, jobs hold $%s; mended", ":".join(scope), counted, held)
