"""The SQL of jobs that come after others.

A job that waits for others is `queued`, its `blocked_by` is their number, and no look for ready jobs sees it. Whoever
ends one of them goes on here, in the same transaction. Locks go from jobs that may run to those that wait.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from models import interventions
from models.interventions import MOST, RETRIABLE, SELECTED, Changed, Preview, Selection

#: Why a job ended that never ran: what it comes after did not succeed.
EARLIER_FAILED, EARLIER_CANCELLED = "earlier_failed", "earlier_cancelled"
CODES = [EARLIER_FAILED, EARLIER_CANCELLED]


# -- when a job has ended --------------------------------------------------------------------------

RELEASE = text("""
    with freed as (
        select later_id as id, count(*) as jobs from links where earlier_id = any(cast(:ids as bigint[])) group by 1
    ), locked as (
        select j.id, f.jobs from jobs j join freed f on f.id = j.id
        where j.state = 'queued' and j.blocked_by > 0 order by j.id for update of j
    )
    update jobs j set blocked_by = j.blocked_by - l.jobs from locked l where j.id = l.id
    returning j.model, j.blocked_by
""")


def release(conn: Connection, succeeded: Collection[int]) -> set[str]:
    """Let those that came after these jobs, and after nothing else that is open, run; returns their models."""
    return {row.model for row in conn.execute(RELEASE, {"ids": list(succeeded)}) if not row.blocked_by}


# What waits cannot have started, so that all below is still to be had.
DOOM = text("""
    with recursive below as (
        select l.later_id as id, e.id as cause from links l join jobs e on e.id = l.earlier_id
        where e.id = any(cast(:ids as bigint[])) and e.state in ('failed', 'cancelled')
        union
        select l.later_id, b.cause from links l join below b on b.id = l.earlier_id
    ), doomed as (
        select id, min(cause) as cause from below group by id
    ), locked as (
        select j.id, d.cause from jobs j join doomed d on d.id = j.id
        where j.state = 'queued' and j.blocked_by > 0 order by j.id for update of j
    )
    update jobs j set
        state = c.state,
        fence = j.fence + 1,
        finished_at = now(),
        error_code = case c.state when 'failed' then :failed else :cancelled end,
        error_message = left('comes after ' || coalesce('''' || c.key || '''', 'job ' || c.id) || case c.state
            when 'failed' then ', which failed: ' || coalesce(c.error_code || ': ' || c.error_message, 'no reason told')
            else ', which was cancelled' end, 500)
    from locked l join jobs c on c.id = l.cause
    where j.id = l.id
    returning j.id, j.model, j.batch_id, 'queued' as source, j.state, false as freed, j.reserved as released,
        j.estimate, j.parent_id
""")


def doom(conn: Connection, ended: Collection[int]) -> list[Changed]:
    """End all that comes after those of these jobs that failed or were cancelled, and tell why."""
    changed: list[Changed] = []
    while ended:
        values = {"ids": list(ended), "failed": EARLIER_FAILED, "cancelled": EARLIER_CANCELLED}
        found = [Changed(*row) for row in conn.execute(DOOM, values)]
        changed += found
        ended = [each.job_id for each in found]  # more may have been written while their locks were waited for
    return changed


# -- a net for what should never be ----------------------------------------------------------------

ASTRAY = text("""
    select j.id, array_agg(l.earlier_id) filter (where l.earlier_id is not null) as earlier
    from jobs j left join links l on l.later_id = j.id left join jobs e on e.id = l.earlier_id
    where j.state = 'queued' and j.blocked_by > 0
    group by j.id
    having j.blocked_by <> count(*) filter (where e.state <> 'succeeded')
        or bool_or(e.state in ('failed', 'cancelled'))
    order by j.id limit :most
""")
RECOUNT = text("""
    update jobs j set blocked_by = (
        select count(*) from links l join jobs e on e.id = l.earlier_id
        where l.later_id = j.id and e.state <> 'succeeded'
    )
    where j.id = any(cast(:ids as bigint[])) and j.state = 'queued' and j.blocked_by > 0
    returning j.model, j.blocked_by
""")


@dataclass(frozen=True, slots=True)
class Mended:
    """Jobs that waited for what had ended; `models`: of those that may run."""

    ids: Sequence[int] = ()
    models: frozenset[str] = frozenset()


def mend(conn: Connection, *, most: int = 1000) -> Mended:
    """Count anew for jobs that wait for more or less than is so, or for what did not succeed."""
    found = conn.execute(ASTRAY, {"most": most}).all()
    if not found:
        return Mended()
    ids = [row.id for row in found]
    earlier = {each for row in found for each in row.earlier or ()}
    conn.execute(LOCK, {"ids": [*earlier, *ids]})
    freed = {row.model for row in conn.execute(RECOUNT, {"ids": ids}) if not row.blocked_by}
    doom(conn, earlier)
    return Mended(ids, frozenset(freed))


# -- what a held job holds up ------------------------------------------------------------------------

BEHIND_HELD = text("""
    with recursive below as (
        select l.later_id as id from jobs h join links l on l.earlier_id = h.id
        where h.state = 'held' and (cast(:batch as bigint) is null or h.batch_id = :batch)
        union
        select l.later_id from links l join below b on b.id = l.earlier_id
    )
    select count(*) from below b join jobs j on j.id = b.id where j.state = 'queued' and j.blocked_by > 0
""")


def behind_held(conn: Connection, batch_id: int | None) -> int:
    """How many jobs wait, in the end, for one that waits for a person."""
    return int(conn.execute(BEHIND_HELD, {"batch": batch_id}).scalar_one())


# -- when jobs are run again -----------------------------------------------------------------------

# `along`: what ended for its sake; `stuck`: what comes after something else that stays at its end.
AROUND = """
    with recursive chosen as (
        select j.id from jobs j where {}
    ), below as (
        select l.later_id as id from links l join chosen c on c.id = l.earlier_id
        union
        select l.later_id from links l join below b on b.id = l.earlier_id
    ), along as (
        select j.id from jobs j join below b on b.id = j.id
        where j.state in ('failed', 'cancelled') and j.error_code = any(cast(:codes as text[]))
    ), pool as (
        select id from chosen union select id from along
    ), stuck as (
        select p.id from links l join pool p on p.id = l.later_id join jobs e on e.id = l.earlier_id
        where e.state in ('failed', 'cancelled') and not exists (select from pool q where q.id = e.id)
        union
        select p.id from links l join stuck s on s.id = l.earlier_id join pool p on p.id = l.later_id
    )
    select
        coalesce((select array_agg(id) from along), '{{}}') as along,
        coalesce((select array_agg(id) from stuck), '{{}}') as stuck,
        coalesce((
            select array_agg(e.id) from links l join pool p on p.id = l.later_id join jobs e on e.id = l.earlier_id
            where e.finished_at is null
        ), '{{}}') as earlier
"""
AROUND_SELECTION = text(AROUND.format(RETRIABLE))
AROUND_SOME = text(AROUND.format(f"{RETRIABLE} limit :most"))
AROUND_IDS = text(AROUND.format("j.id = any(cast(:ids as bigint[]))"))
LOCK = text("select from jobs where id = any(cast(:ids as bigint[])) order by blocked_by > 0, id for update")


def retry(conn: Connection, selection: Selection) -> list[Changed]:
    """Run failed and cancelled jobs again, and take along what ended for their sake.

    What comes after something that stays at its end stays too.
    """
    around = conn.execute(AROUND_SELECTION, {**selection.values, "codes": CODES}).one()
    return run_again(conn, around, selection, reason="retried by an operator")


def revive(conn: Connection, ids: Collection[int]) -> None:
    """Take along what ended for the sake of these jobs, which go on after all."""
    around = conn.execute(AROUND_IDS, {"ids": list(ids), "codes": CODES}).one()
    if around.along:
        run_again(conn, around, Selection(ids=[]), reason="what it comes after goes on")


def run_again(conn: Connection, around: Any, selection: Selection, *, reason: str) -> list[Changed]:
    if around.earlier:
        conn.execute(LOCK, {"ids": around.earlier})  # none of them ends while what waits for it is counted
    changed = interventions.retry(conn, selection, along=around.along, stuck=around.stuck, reason=reason)
    return changed + (doom(conn, around.earlier) if around.earlier else [])


BEHIND = text(f"""
    with recursive below as (
        select l.later_id as id from links l where l.earlier_id in (
            select j.id from jobs j where {SELECTED} and j.finished_at is null limit :most
        )
        union
        select l.later_id from links l join below b on b.id = l.earlier_id
    )
    select j.id from below b join jobs j on j.id = b.id where j.state = 'queued' and j.blocked_by > 0
""")


def preview(conn: Connection, action: str, selection: Selection) -> Preview:
    """As `interventions.preview`, with what goes along: what ended for the sake of these jobs, or comes after them."""
    values = {**selection.values, "most": MOST + 1}
    if action == "retry":
        around = conn.execute(AROUND_SOME, {**values, "codes": CODES}).one()
        return interventions.preview(conn, action, selection, along=around.along, stuck=around.stuck)
    along = conn.execute(BEHIND, values).scalars().all() if action == "cancel" else ()
    return interventions.preview(conn, action, selection, along=along)


# -- when jobs are made ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """A job that others may come after."""

    job_id: int
    kind: str
    state: str
    #: Of another transaction than this one.
    before: bool


FIND = """
    select id, key, kind, state, created_at <> now() as before from jobs
    where dedupe = any(cast(:names as text[])) and batch_id {}
"""
FIND_IN_BATCH = text(FIND.format("= :batch"))
FIND_ALONE = text(FIND.format("is null"))


def find(conn: Connection, batch_id: int | None, keys: Collection[str]) -> dict[str, Known]:
    """Those of these keys that a job has, in the batch or among the jobs that have none."""
    values = {"names": [f"key:{key}" for key in keys], "batch": batch_id}
    rows = conn.execute(FIND_ALONE if batch_id is None else FIND_IN_BATCH, values)
    return {row.key: Known(row.id, row.kind, row.state, row.before) for row in rows}


UNMAKE = text("delete from jobs where id = any(cast(:ids as bigint[]))")


def unmake(conn: Connection, ids: Collection[int]) -> None:
    """Take back jobs that this transaction has made."""
    conn.execute(UNMAKE, {"ids": list(ids)})


ADD = text("""
    insert into links (earlier_id, later_id)
    select * from unnest(cast(:earlier as bigint[]), cast(:later as bigint[]))
""")
# They were made as if nothing had succeeded yet.
COUNT_DOWN = text("""
    update jobs j set blocked_by = j.blocked_by - d.jobs
    from (
        select l.later_id as id, count(*) as jobs
        from unnest(cast(:earlier as bigint[]), cast(:later as bigint[])) as l (earlier_id, later_id)
        join jobs e on e.id = l.earlier_id and e.state = 'succeeded' group by 1
    ) d
    where j.id = d.id
""")


def link(conn: Connection, pairs: Sequence[tuple[int, int]], locking: Collection[int]) -> None:
    """Write that these (earlier, later) jobs follow each other; the later ones are of this transaction.

    `locking`: earlier ones of another transaction, which may be ending just now, or be retried; and what else this
    transaction will lock.
    """
    conn.execute(LOCK, {"ids": list(locking)})
    values = {"earlier": [each[0] for each in pairs], "later": [each[1] for each in pairs]}
    conn.execute(ADD, values)
    conn.execute(COUNT_DOWN, values)
    doom(conn, {each[0] for each in pairs})
