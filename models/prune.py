"""The SQL of pruning: takes away what ended long ago, a step at a time. Nothing that is not final is ever deleted.

A batch goes when all of it has: half of one would be bought again with the next submission of its file. A job that
others come after goes after those, so that at any moment what is left can be retried.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from models.output import thumb_of
from models.state import FINAL, JobState

OPEN = [each.value for each in JobState if each not in FINAL]

# Final and old is not enough: an answer may be on its way, or an output not yet where its schedule wants it.
STAYS = """(
    {0}.finished_at is null or {0}.finished_at >= :before or coalesce({0}.published_fence < {0}.fence, false)
    or exists (select from attempts a where a.job_id = {0}.id and a.outcome is null)
    or exists (select from published_files p where p.job_id = {0}.id and p.state in ('failed', 'putting'))
)"""
# Of one without a batch, or of a recording with its pieces.
FREE = f"""
    not {STAYS.format("j")}
    and not exists (select from jobs c where c.parent_id = j.id and {STAYS.format("c")})
"""
LAST = "not exists (select from links l where l.earlier_id = j.id)"
OLD = f"b.created_at < :before and not exists (select from jobs j where j.batch_id = b.id and {STAYS.format('j')})"

PLAN = text(f"""
    with recursive kept as (
        select l.earlier_id as id from links l join jobs j on j.id = l.later_id
        where j.batch_id is null and not ({FREE})
        union
        select l.earlier_id from links l join kept k on k.id = l.later_id
    ), old as (
        select b.id from batches b where {OLD}
    ), gone as (
        select j.id, j.batch_id is null as alone from jobs j
        where j.parent_id is null and (
            j.batch_id in (select id from old)
            or j.batch_id is null and {FREE} and not exists (select from kept k where k.id = j.id)
        )
    ), files as (
        select o.bytes from gone g join outputs o on o.job_id = g.id
        union all
        select o.bytes from gone g join jobs c on c.parent_id = g.id join outputs o on o.job_id = c.id
        union all
        select (x.ends - x.begins) * 2 from gone g join pieces x on x.parent_id = g.id where x.location is not null
    )
    select (select count(*) from old) as batches, (select count(*) from gone) as jobs,
        (select count(*) from gone where alone) as alone, (select count(*) from files) as files,
        (select coalesce(sum(bytes), 0) from files) as bytes
""")


@dataclass(frozen=True, slots=True)
class Plan:
    """What would go. `alone`: of the jobs, those without a batch; `bytes`: of the files, pieces as if they were WAV."""

    batches: int
    jobs: int
    alone: int
    files: int
    bytes: int


def plan(conn: Connection, before: datetime) -> Plan:
    row = conn.execute(PLAN, {"before": before}).one()
    return Plan(row.batches, row.jobs, row.alone, row.files, int(row.bytes))


def time_of(conn: Connection, age: timedelta) -> datetime:
    """When it was so long ago, by the database's clock."""
    found: datetime = conn.execute(text("select now() - cast(:age as interval)"), {"age": age}).scalar_one()
    return found


OLD_BATCHES = text(f"select b.id from batches b where b.id > :after and {OLD} order by b.id limit :most")


def old_batches(conn: Connection, before: datetime, *, after: int, most: int) -> list[int]:
    """Batches with larger ids than `after` that are old as a whole."""
    return list(conn.execute(OLD_BATCHES, {"before": before, "after": after, "most": most}).scalars())


# Whoever submits rows of the batch holds it too.
LOCK_BATCH = text("""
    select from batches b where b.id = :batch for update skip locked
""")
OF_BATCH = text(f"""
    select j.id from jobs j where j.batch_id = :batch and j.parent_id is null and {LAST} order by j.id limit :most
""")
IS_OPEN = text("select exists (select from jobs j where j.batch_id = :batch and j.state = any(cast(:open as text[])))")


def of_batch(conn: Connection, batch: int, *, most: int) -> list[int] | None:
    """Jobs of the batch that are to go first; None where it is in other hands, or is not final any more.

    The batch is the caller's until its transaction ends.
    """
    values = {"batch": batch, "open": OPEN, "most": most}
    if conn.execute(LOCK_BATCH, values).first() is None or conn.execute(IS_OPEN, values).scalar_one():
        return None
    return list(conn.execute(OF_BATCH, values).scalars())


ALONE = text(f"""
    select j.id from jobs j
    where j.id > :after and j.batch_id is null and j.parent_id is null and {FREE} and {LAST} order by j.id limit :most
""")


def alone(conn: Connection, before: datetime, *, after: int, most: int) -> list[int]:
    """Jobs without a batch, with larger ids than `after`, that may go now."""
    return list(conn.execute(ALONE, {"before": before, "after": after, "most": most}).scalars())


LOCK = text("select id from jobs where id = any(cast(:ids as bigint[])) order by id for update skip locked")
LOCK_PIECES = text("select id from jobs where parent_id = any(cast(:ids as bigint[])) order by id for update")
# Anew, for they may have been retried or followed since.
STILL = text(f"select j.id from jobs j where j.id = any(cast(:ids as bigint[])) and {FREE} and {LAST}")
FILES = text("""
    select location from outputs where job_id = any(cast(:all as bigint[]))
    union all
    select location from pieces where parent_id = any(cast(:ids as bigint[])) and location is not null
""")


# Another output with the same content has its picture made anew.
PICTURES = text("""
    select distinct sha256 from outputs
    where job_id = any(cast(:all as bigint[])) and (mime like 'image/%' or mime like 'video/%')
""")


@dataclass(frozen=True, slots=True)
class Going:
    """Jobs that are the caller's until its transaction ends, with their pieces' jobs and all their files.

    `thumbs`: small pictures of these; not each need be there.
    """

    ids: Sequence[int]
    pieces: Sequence[int]
    files: Sequence[str]
    thumbs: Sequence[str]


def take(conn: Connection, ids: Sequence[int], before: datetime) -> Going:
    """Lock those of these jobs that may go, and nobody else has."""
    locked = list(conn.execute(LOCK, {"ids": list(ids)}).scalars())
    conn.execute(LOCK_PIECES, {"ids": locked})
    free = list(conn.execute(STILL, {"ids": locked, "before": before}).scalars())
    pieces = list(conn.execute(LOCK_PIECES, {"ids": free}).scalars())
    values = {"ids": free, "all": [*free, *pieces]}
    files = list(conn.execute(FILES, values).scalars())
    return Going(free, pieces, files, [thumb_of(sha256) for sha256 in conn.execute(PICTURES, values).scalars()])


# Requests, outputs and links go with their jobs.
REMOVE = [
    text("delete from pieces where parent_id = any(cast(:ids as bigint[]))"),
    text("delete from events where job_id = any(cast(:all as bigint[]))"),
    text("delete from jobs where parent_id = any(cast(:ids as bigint[]))"),
    text("delete from jobs where id = any(cast(:ids as bigint[]))"),
]


def remove(conn: Connection, going: Going) -> None:
    values: dict[str, Any] = {"ids": list(going.ids), "all": [*going.ids, *going.pieces]}
    for each in REMOVE:
        conn.execute(each, values)


REMOVE_BATCH = [
    text("delete from budgets where scope = 'batch' and subject = cast(:batch as text)"),
    text("delete from batches where id = :batch"),
]


def remove_batch(conn: Connection, batch: int) -> None:
    """A batch that `of_batch` has found empty."""
    for each in REMOVE_BATCH:
        conn.execute(each, {"batch": batch})
