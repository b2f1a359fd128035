"""Leases that ran out, by the database's clock."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from models.limit import ACCOUNT

# While a hint goes unheard it is sent ever less often: at twice the age each time, up to a minute.
UNHEARD = text("""
    update jobs set lease_until = now() + least(
        60, greatest(:lease_s, extract(epoch from now() - dispatched_at))
    ) * interval '1 second'
    where id in (
        select id from jobs where state = 'dispatched' and lease_until < now()
        order by id limit :most for update skip locked
    )
    returning id, kind, model
""")


def renew_unheard(conn: Connection, *, lease_s: float, most: int = 1000) -> list[tuple[int, str, str]]:
    """Dispatched jobs whose hint nobody heard, as (id, kind, model), their leases renewed."""
    rows = conn.execute(UNHEARD, {"lease_s": lease_s, "most": most})
    return [(row.id, row.kind, row.model) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A running job whose claim is over."""

    job_id: int
    fence: int
    kind: str
    model: str
    attempt: int
    number: int
    request_id: str
    crashes: int
    unknowns: int
    parent_id: int | None


# After a restart of Postgres the living come first: their heartbeats and outcomes could not be written.
EXPIRED = text("""
    select j.id as job_id, j.fence, j.kind, j.model, j.attempt, j.requests as number, a.request_id, j.crashes,
        j.unknowns, j.parent_id
    from jobs j join attempts a on a.job_id = j.id and a.number = j.requests
    where j.state = 'running' and j.lease_until < now()
        and pg_postmaster_start_time() < now() - :settle_s * interval '1 second'
    order by j.id limit :most for update of j skip locked
""")


def lock_expired(conn: Connection, *, settle_s: float = 0.0, most: int = 1000) -> list[Expired]:
    """Running jobs whose lease ended: their worker died, or is cut off. Locked for this transaction.

    None while Postgres is up for less than `settle_s`.
    """
    return [Expired(**row) for row in conn.execute(EXPIRED, {"most": most, "settle_s": settle_s}).mappings()]


HALTED = text("""
    select j.id, j.fence from jobs j
    where j.state = 'dispatched' and exists (
        select from limits l where l.model in (j.model, :account)
            and l.pause_reason is not null and (l.paused_until is null or l.paused_until > now())
    )
    order by j.id limit :most for update of j skip locked
""")


def lock_halted(conn: Connection, *, most: int = 1000) -> list[tuple[int, int]]:
    """Dispatched jobs, as (id, fence), whose model or account was paused before they were claimed."""
    return [(row.id, row.fence) for row in conn.execute(HALTED, {"most": most, "account": ACCOUNT})]
