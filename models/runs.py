"""The SQL of schedules and their runs: what is due, who has it, how it ended. All times are the database's."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

#: Seconds after each failure of a source until it is looked at again; then the run has failed.
AGAIN_S = (60, 300, 900)


@dataclass(frozen=True, slots=True)
class DueSchedule:
    id: int
    name: str
    cron: str
    timezone: str
    next_at: datetime
    catch_up: str
    max_age_s: int
    now: datetime


DUE = text("""
    select id, name, cron, timezone, next_at, catch_up, max_age_s, now() as now from schedules
    where paused_at is null and next_at <= now() order by next_at limit :most for update skip locked
""")


def lock_due(conn: Connection, *, most: int = 100) -> list[DueSchedule]:
    """Schedules whose tick has come, locked for this transaction."""
    return [DueSchedule(**row) for row in conn.execute(DUE, {"most": most}).mappings()]


# What is there stays: one run a tick, whoever ticks. One that was skipped or failed is run after all if a person asks.
ADD = text("""
    insert into schedule_runs as r (schedule_id, tick, regardless, since, until)
    select :schedule_id, tick, :regardless, since, until
    from unnest(
        cast(:ticks as timestamptz[]), cast(:since as timestamptz[]), cast(:until as timestamptz[])
    ) as n (tick, since, until)
    on conflict (schedule_id, tick) do update set
        state = 'due', regardless = true, since = excluded.since, until = excluded.until, error = null, failures = 0,
        lease_until = null, finished_at = null
    where :again and r.state in ('skipped', 'failed')
    returning tick
""")


@dataclass(frozen=True, slots=True)
class NewRun:
    """Only files changed after `since` and by `until` are its; None: any."""

    tick: datetime
    since: datetime | None = None
    until: datetime | None = None


def add_runs(
    conn: Connection, schedule_id: int, new: Sequence[NewRun], *, regardless: bool, again: bool = False
) -> int:
    """Make runs due; returns how many were not there, or, with `again`, had been skipped or failed."""
    values = {
        "schedule_id": schedule_id,
        "regardless": regardless,
        "again": again,
        "ticks": [each.tick for each in new],
        "since": [each.since for each in new],
        "until": [each.until for each in new],
    }
    return len(conn.execute(ADD, values).all())


SKIPPED = text("""
    insert into schedule_runs (schedule_id, tick, state, error, finished_at)
    values (:schedule_id, :tick, 'skipped', :reason, now())
    on conflict do nothing
""")


def add_skipped(conn: Connection, schedule_id: int, tick: datetime, reason: str) -> None:
    """Record a tick that nothing will run for."""
    conn.execute(SKIPPED, {"schedule_id": schedule_id, "tick": tick, "reason": reason})


def move_on(conn: Connection, schedule_id: int, next_at: datetime | None) -> None:
    conn.execute(text("update schedules set next_at = :at where id = :id"), {"id": schedule_id, "at": next_at})


# Held jobs wait for a person: they do not keep a schedule from going on.
UNFINISHED = """
    exists (
        select from schedule_runs e join jobs j on j.batch_id = e.batch_id
        where e.schedule_id = r.schedule_id and e.tick < r.tick and j.finished_at is null and j.parent_id is null
            and j.state <> 'held'
    )
"""
EARLIER = """
    exists (
        select from schedule_runs e
        where e.schedule_id = r.schedule_id and e.tick < r.tick and e.state in ('due', 'listing')
    )
"""

OVERLAP = text(f"""
    update schedule_runs r set
        state = 'skipped', finished_at = now(), lease_until = null, told_at = null,
        error = case when {EARLIER} then 'the run before it had not ended' else 'the batch before it had not ended' end
    from schedules s
    where s.id = r.schedule_id and s.overlap = 'skip' and r.state = 'due' and not r.regardless and r.fence = 0
        and ({EARLIER} or {UNFINISHED})
""")


def skip_overlapping(conn: Connection) -> int:
    """Skip runs that have come while the one before them goes on; returns how many."""
    return conn.execute(OVERLAP).rowcount


# A worker that died, or one that stands still: its fence is older than the next claim's.
EXPIRED = text("""
    update schedule_runs set
        state = case when failures >= :most then 'failed' else 'due' end,
        finished_at = case when failures >= :most then now() end,
        failures = failures + 1, lease_until = null, worker = null,
        error = 'the worker that had it (' || coalesce(worker, 'unknown') || ') died'
    where (schedule_id, tick) in (
        select schedule_id, tick from schedule_runs where state = 'listing' and lease_until < now()
            and pg_postmaster_start_time() < now() - :settle_s * interval '1 second'
        for update skip locked
    )
    returning schedule_id, tick, state
""")


def take_back_expired(conn: Connection, *, settle_s: float = 0.0) -> list[Any]:
    """Make runs due again whose worker died; fail those that it happened to again and again."""
    return list(conn.execute(EXPIRED, {"most": len(AGAIN_S), "settle_s": settle_s}))


# In the order of their ticks, one of a schedule at a time.
READY = text(f"""
    update schedule_runs r set
        lease_until = now() + :lease_s * interval '1 second', told_at = coalesce(r.told_at, now())
    from schedules s
    where s.id = r.schedule_id and (r.schedule_id, r.tick) in (
        select r.schedule_id, r.tick from schedule_runs r
        where r.state = 'due' and (r.lease_until is null or r.lease_until < now()) and not {EARLIER}
            and not exists (
                select from schedule_runs l where l.schedule_id = r.schedule_id and l.state = 'listing'
            )
            and (r.regardless or not {UNFINISHED})
        for update of r skip locked
    )
    returning r.schedule_id, s.name, r.tick
""")


@dataclass(frozen=True, slots=True)
class Ready:
    schedule_id: int
    name: str
    tick: datetime


def renew_ready(conn: Connection, *, lease_s: float) -> list[Ready]:
    """Runs that may start, to be told to a worker; they are told again when the lease is over."""
    return [Ready(**row) for row in conn.execute(READY, {"lease_s": lease_s}).mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClaim:
    """A run in the hands of one process, with what its schedule says."""

    schedule_id: int
    tick: datetime
    fence: int
    since: datetime | None
    until: datetime | None
    name: str
    timezone: str
    source: str
    patterns: list[str]
    args: dict[str, Any]
    out: str | None
    webhook: str | None


# The schedule's row is locked first, so that what is seen of its other runs is how they stand.
CLAIM = text("""
    update schedule_runs r set
        state = 'listing', fence = r.fence + 1, worker = :worker, started_at = now(), told_at = null,
        lease_until = now() + :lease_s * interval '1 second'
    from schedules s
    where s.id = r.schedule_id and r.schedule_id = :schedule_id and r.tick = :tick and r.state = 'due'
        and not exists (select from schedule_runs l where l.schedule_id = r.schedule_id and l.state = 'listing')
    returning r.schedule_id, r.tick, r.fence, r.since, r.until, s.name, s.timezone, s.source, s.patterns, s.args, s.out,
        s.webhook
""")


def claim_run(conn: Connection, schedule_id: int, tick: datetime, *, worker: str, lease_s: float) -> RunClaim | None:
    """Take a due run; None where another has it, or another run of its schedule is in hand."""
    conn.execute(text("select from schedules where id = :id for no key update"), {"id": schedule_id})
    values = {"schedule_id": schedule_id, "tick": tick, "worker": worker, "lease_s": lease_s}
    row = conn.execute(CLAIM, values).mappings().first()
    return RunClaim(**row) if row else None


class LostRunError(Exception):
    """The run belongs to a later claim by now."""


HELD = "schedule_id = :schedule_id and tick = :tick and fence = :fence and state = 'listing'"
RENEW = text(f"update schedule_runs set lease_until = now() + :lease_s * interval '1 second' where {HELD}")
GIVE_BACK = text(f"update schedule_runs set state = 'due', lease_until = null, worker = null where {HELD}")
FAIL = text(f"""
    update schedule_runs set
        state = case when failures < :most then 'due' else 'failed' end,
        finished_at = case when failures < :most then null else now() end,
        lease_until = case when failures < :most
            then now() + (cast(:waits as float8[]))[failures + 1] * interval '1 second' end,
        failures = failures + 1, error = :error, worker = null
    where {HELD}
    returning state
""")
END = text(f"""
    update schedule_runs set
        state = 'done', finished_at = now(), lease_until = null, error = null, batch_id = :batch_id, found = :found,
        added = :added, known = :known, unsettled = :unsettled, problems = :problems
    where {HELD}
""")


def held(claim: RunClaim) -> dict[str, Any]:
    return {"schedule_id": claim.schedule_id, "tick": claim.tick, "fence": claim.fence}


def hold(conn: Connection, claim: RunClaim) -> None:
    """Lock a run for this transaction. Raises LostRunError."""
    if not conn.execute(text(f"select from schedule_runs where {HELD} for update"), held(claim)).all():
        raise LostRunError


def renew(conn: Connection, claim: RunClaim, *, lease_s: float) -> None:
    """Keep a run for some time more. Raises LostRunError."""
    if not conn.execute(RENEW, {**held(claim), "lease_s": lease_s}).rowcount:
        raise LostRunError


def give_back(conn: Connection, claim: RunClaim) -> None:
    """Let go of a run that could not be finished for no fault of its own."""
    conn.execute(GIVE_BACK, held(claim))


def fail_run(conn: Connection, claim: RunClaim, error: str) -> None:
    """The source cannot be used: look at it again later, or, when that was tried often enough, give up."""
    conn.execute(FAIL, {**held(claim), "error": error, "most": len(AGAIN_S), "waits": list(map(float, AGAIN_S))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a run came to: its batch, if anything was new, and how many files were what (as in `schedule_runs`)."""

    batch_id: int | None
    found: int
    added: int
    known: int
    unsettled: int
    problems: int


def end_run(conn: Connection, claim: RunClaim, ended: Ended) -> None:
    """Record what a run came to. Raises LostRunError."""
    if not conn.execute(END, held(claim) | asdict(ended)).rowcount:
        raise LostRunError
