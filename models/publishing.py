"""The SQL of outputs that are put where schedules want them: what is due, what is ours there, how it went."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from models.transitions import rows_of

#: A file that could not be put is tried again after a minute, then ever later, up to an hour.
AGAIN_S, AGAIN_CAP_S = 60, 3600
DUE = "j.finished_at is not null and j.published_fence < j.fence"

# Such as those of a schedule that was removed, or of content that its file has no more.
FORGET = text(f"""
    update jobs j set published_fence = j.fence
    where j.id in (
        select j.id from jobs j
        where {DUE} and not exists (select from source_files s where s.job_id = j.id)
        order by j.id limit :most for update skip locked
    )
""")
AGAIN = text("""
    with again as (
        update published_files set again_at = null where state = 'failed' and again_at <= now() returning job_id
    )
    update jobs set published_fence = -1 where id in (select job_id from again) and published_fence is not null
""")
SCHEDULES = text(f"""
    select distinct s.schedule_id from jobs j join source_files s on s.job_id = j.id where {DUE} order by 1
""")


def schedules_with_outputs(conn: Connection, *, most: int = 1000) -> list[int]:
    """Schedules with jobs that ended and whose outputs are not where they are wanted."""
    conn.execute(FORGET, {"most": most})
    conn.execute(AGAIN)
    return list(conn.execute(SCHEDULES).scalars())


@dataclass(frozen=True, slots=True)
class Publisher:
    """A schedule whose outputs this process puts in place, while it renews."""

    id: int
    name: str
    source: str
    out: str | None


CLAIM = text("""
    update schedules set publishing_until = now() + :lease_s * interval '1 second'
    where id = :id and (publishing_until is null or publishing_until < now())
    returning id, name, source, out
""")
RENEW = text("update schedules set publishing_until = now() + :lease_s * interval '1 second' where id = :id")
RELEASE = text("update schedules set publishing_until = null where id = :id")


def claim_publishing(conn: Connection, schedule_id: int, *, lease_s: float) -> Publisher | None:
    """None while another process does it. Two at once would do no harm, only the same."""
    row = conn.execute(CLAIM, {"id": schedule_id, "lease_s": lease_s}).mappings().first()
    return Publisher(**row) if row else None


def renew_publishing(conn: Connection, schedule_id: int, *, lease_s: float) -> None:
    conn.execute(RENEW, {"id": schedule_id, "lease_s": lease_s})


def release_publishing(conn: Connection, schedule_id: int) -> None:
    conn.execute(RELEASE, {"id": schedule_id})


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that ended, the source files that it stands for, and its outputs (`location`, `sha256`)."""

    job_id: int
    fence: int
    paths: list[str]
    outputs: list[dict[str, Any]]


# What failed may have outputs all the same: the pieces that succeeded.
ENDED = text(f"""
    select j.id as job_id, j.fence, p.paths, coalesce(o.outputs, '[]') as outputs
    from jobs j
    cross join lateral (
        select array_agg(s.path order by s.path) as paths from source_files s
        where s.job_id = j.id and s.schedule_id = :schedule_id
    ) p
    left join lateral (
        select jsonb_agg(jsonb_build_object('location', location, 'sha256', sha256) order by index) as outputs
        from outputs where job_id = j.id and j.state <> 'cancelled'
    ) o on true
    where {DUE} and p.paths is not null
    order by j.id limit :most
""")


def ended_jobs(conn: Connection, schedule_id: int, *, most: int) -> list[EndedJob]:
    rows = conn.execute(ENDED, {"schedule_id": schedule_id, "most": most}).mappings()
    return [EndedJob(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """An output and where it is to be put."""

    path: str
    target: str
    job_id: int
    location: str
    sha256: str


# Nothing is said twice: what is there with this content is left out.
INTEND = text("""
    insert into published_files as p (schedule, path, target, job_id, sha256, sha256s)
    select :schedule, path, target, job_id, sha256, array[sha256]
    from unnest(
        cast(:path as text[]), cast(:target as text[]), cast(:job_id as bigint[]), cast(:sha256 as text[])
    ) as w (path, target, job_id, sha256)
    on conflict (schedule, path, target) do update set
        job_id = excluded.job_id, sha256 = excluded.sha256, state = 'putting', message = null,
        sha256s = array_remove(p.sha256s, excluded.sha256) || excluded.sha256
    where p.state <> 'done' or p.sha256 <> excluded.sha256
    returning path, target, sha256s
""")


def intend(conn: Connection, schedule: str, wanted: Sequence[Wanted]) -> dict[tuple[str, str], set[str]]:
    """Write down what is about to be put; returns what is left to do, as (path, target) → sha256s that are ours."""
    values = rows_of(wanted, "path", "target", "job_id", "sha256")
    rows = conn.execute(INTEND, {"schedule": schedule, **values})
    return {(row.path, row.target): set(row.sha256s) for row in rows}


@dataclass(frozen=True, slots=True)
class Put:
    """How it went: `done`, `out_exists` (a file of somebody else's is there) or `failed`, and why."""

    path: str
    target: str
    state: str
    message: str | None = None


# Where another's file is in the way, ours was never there.
RECORD = text("""
    update published_files p set
        state = r.state, message = r.message,
        sha256s = case r.state when 'out_exists' then array_remove(p.sha256s, p.sha256) else p.sha256s end,
        tries = case r.state when 'failed' then least(p.tries + 1, 16) else 0 end,
        again_at = case r.state when 'failed'
            then now() + least(:cap_s, :again_s * 2 ^ least(p.tries, 16)) * interval '1 second' end,
        put_at = case r.state when 'done' then now() else p.put_at end
    from unnest(
        cast(:path as text[]), cast(:target as text[]), cast(:state as text[]), cast(:message as text[])
    ) as r (path, target, state, message)
    where p.schedule = :schedule and p.path = r.path and p.target = r.target
""")
PUBLISHED = text("""
    with ended as (
        select j.id, e.fence from unnest(cast(:job_id as bigint[]), cast(:fence as bigint[])) as e (id, fence)
        join jobs j on j.id = e.id and j.fence = e.fence order by j.id for no key update of j
    )
    update jobs j set published_fence = e.fence from ended e where j.id = e.id
""")


def record_put(conn: Connection, schedule: str, done: Sequence[Put], jobs: Sequence[EndedJob]) -> None:
    """Write down how it went, and that these jobs are dealt with as they stand."""
    if done:
        values = rows_of(done, "path", "target", "state", "message")
        conn.execute(RECORD, {"schedule": schedule, "again_s": AGAIN_S, "cap_s": AGAIN_CAP_S, **values})
    conn.execute(PUBLISHED, rows_of(jobs, "job_id", "fence"))


LOOK_AGAIN = text("""
    update jobs set published_fence = -1
    where published_fence is not null and id in (
        select job_id from published_files where schedule = :schedule and state in ('failed', 'out_exists')
    )
""")


def look_again(conn: Connection, schedule: str) -> None:
    """Try once more what could not be put: what was in the way may be gone."""
    conn.execute(LOOK_AGAIN, {"schedule": schedule})
