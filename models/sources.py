"""The SQL of files in schedules' sources: which are new, what they are, which job each became."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from models.runs import RunClaim
from models.transitions import rows_of

#: A file that changed within this time may still be written to.
SETTLE_S = 30
#: A date that is further ahead than this is a wrong one, and says nothing of when the file was changed.
AHEAD_S = 3600


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as its store lists it."""

    path: str
    size: int
    mtime: datetime
    etag: str | None


RUN = "schedule_id = :schedule_id and tick = :tick"

# What we put there ourselves is no source. On a conflict: an earlier claim of this run had seen it already. A file that
# was taken for the one of a job is new all the same, if that job found its own file gone.
NOTE = text("""
    with given as (
        select * from unnest(
            cast(:path as text[]), cast(:size as bigint[]), cast(:mtime as timestamptz[]), cast(:etag as text[])
        ) as g (path, size, mtime, etag)
    ), fresh as (
        select g.*, g.mtime between now() - :settle_s * interval '1 second' and now() + :ahead_s * interval '1 second'
            as unsettled
        from given g left join source_files s on s.schedule_id = :schedule_id and s.path = g.path
        where (s.path is null or (s.size, s.mtime, s.etag) is distinct from (g.size, g.mtime, g.etag) or exists (
                select from jobs j where j.id = s.job_id and j.state = 'failed' and j.error_code = 'input_unreadable'
                    and j.key <> g.path
            ))
            and (cast(:since as timestamptz) is null or g.mtime > :since)
            and (cast(:until as timestamptz) is null or g.mtime <= :until)
            and not exists (select from published_files p where p.target = :url || g.path)
    ), noted as (
        insert into run_files as f (schedule_id, tick, path, size, mtime, etag)
        select :schedule_id, :tick, path, size, mtime, etag from fresh where not unsettled
        on conflict (schedule_id, tick, path) do update set
            size = excluded.size, mtime = excluded.mtime, etag = excluded.etag, sha256 = null, problem = null
        where (f.size, f.mtime, f.etag) is distinct from (excluded.size, excluded.mtime, excluded.etag)
    )
    select count(*) filter (where unsettled) from fresh
""")


def note_new(conn: Connection, claim: RunClaim, listed: Sequence[Listed], *, url: str) -> int:
    """Keep those files that are new, or not as they were; returns how many are left for the next run, as unsettled.

    `url`: what comes before their paths.
    """
    values = {
        **run(claim), **rows_of(listed, "path", "size", "mtime", "etag"), "url": url, "since": claim.since,
        "until": claim.until, "settle_s": SETTLE_S, "ahead_s": AHEAD_S,
    }  # fmt: skip
    return int(conn.execute(NOTE, values).scalar_one())


PROBLEMS = text("""
    insert into run_files (schedule_id, tick, path, problem)
    select :schedule_id, :tick, path, problem
    from unnest(cast(:path as text[]), cast(:problem as text[])) as p (path, problem)
    on conflict (schedule_id, tick, path) do update set problem = excluded.problem
""")


def note_problems(conn: Connection, claim: RunClaim, problems: Sequence[Any]) -> None:
    """Keep what could not be listed: objects with `path` and `problem`, each path once."""
    conn.execute(PROBLEMS, {**run(claim), **rows_of(problems, "path", "problem")})


def forget_problems(conn: Connection, claim: RunClaim) -> None:
    """Look anew at what an earlier claim of the run could not use."""
    conn.execute(text(f"delete from run_files where {RUN} and problem is not null"), run(claim))


UNREAD = text(f"""
    select path, size, mtime, etag from run_files
    where {RUN} and sha256 is null and problem is null and path > :after order by path limit :most
""")


def unread(conn: Connection, claim: RunClaim, *, after: str, most: int) -> list[Listed]:
    """Files that are still to be read, by path."""
    rows = conn.execute(UNREAD, {**run(claim), "after": after, "most": most}).mappings()
    return [Listed(**row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a file turned out to be: a job to be (`args` as JSON), a `problem`, `unsettled`; none of these: gone."""

    path: str
    sha256: str | None = None
    args: str | None = None
    estimate: Decimal | None = None
    slots_of: str | None = None
    problem: str | None = None
    unsettled: bool = False


RECORD = text("""
    with looked as (
        select * from unnest(
            cast(:path as text[]), cast(:sha256 as text[]), cast(:args as text[]), cast(:estimate as numeric[]),
            cast(:slots_of as text[]), cast(:problem as text[])
        ) as r (path, sha256, args, estimate, slots_of, problem)
    ), gone as (
        delete from run_files f using looked r
        where f.path = r.path and r.sha256 is null and r.problem is null and f.schedule_id = :schedule_id
            and f.tick = :tick
    )
    update run_files f set
        sha256 = r.sha256, args = cast(r.args as jsonb), estimate = r.estimate, slots_of = r.slots_of,
        problem = r.problem
    from looked r
    where f.path = r.path and (r.sha256 is not null or r.problem is not null) and f.schedule_id = :schedule_id
        and f.tick = :tick
""")


def record_read(conn: Connection, claim: RunClaim, found: Sequence[Read]) -> None:
    values = rows_of(found, "path", "sha256", "args", "estimate", "slots_of", "problem")
    conn.execute(RECORD, {**run(claim), **values})


# The same content under another name, or with another date, is no new job. Its outputs are wanted beside each, though.
# But one whose job has failed is: it may have been moved away before its turn, and to touch it is to try again.
KNOWN = text("""
    with same as (
        select f.path, f.size, f.mtime, f.etag, f.sha256, k.job_id
        from run_files f cross join lateral (
            select s.job_id from source_files s left join jobs j on j.id = s.job_id
            where s.schedule_id = :schedule_id and s.sha256 = f.sha256 and j.state is distinct from 'failed'
            order by j.state is distinct from 'succeeded', s.job_id desc limit 1
        ) k
        where f.schedule_id = :schedule_id and f.tick = :tick and f.sha256 is not null and f.problem is null
    ), known as (
        insert into source_files as k (schedule_id, path, size, mtime, etag, sha256, job_id)
        select :schedule_id, path, size, mtime, etag, sha256, job_id from same
        on conflict (schedule_id, path) do update set
            size = excluded.size, mtime = excluded.mtime, etag = excluded.etag, sha256 = excluded.sha256,
            job_id = excluded.job_id
        returning path, job_id
    ), wanted as (
        update jobs set published_fence = -1
        where id in (select job_id from known) and published_fence is not null
    ), done as (
        delete from run_files f using known k
        where f.schedule_id = :schedule_id and f.tick = :tick and f.path = k.path
    )
    select count(*) from known
""")


def settle_known(conn: Connection, claim: RunClaim) -> int:
    """Take files whose content was taken before for what they are; returns how many."""
    return int(conn.execute(KNOWN, run(claim)).scalar_one())


# Of copies the first by path stands for all.
FRESH = text("""
    select path, args, estimate, slots_of from (
        select path, args, estimate, slots_of, row_number() over (partition by sha256 order by path) as place
        from run_files where schedule_id = :schedule_id and tick = :tick and sha256 is not null and problem is null
    ) f
    where place = 1 order by path
""").execution_options(stream_results=True, max_row_buffer=1000)


def fresh(conn: Connection, claim: RunClaim) -> Iterator[Any]:
    """What is to become a job (`path`, `args`, `estimate`, `slots_of`), by path; streamed."""
    yield from conn.execute(FRESH, run(claim))


TAKE = text("""
    with made as (
        select f.sha256, j.id from run_files f
        join jobs j on j.batch_id = :batch_id and j.dedupe = 'key:' || f.path
        where f.schedule_id = :schedule_id and f.tick = :tick and f.sha256 is not null
    ), taken as (
        insert into source_files (schedule_id, path, size, mtime, etag, sha256, job_id)
        select :schedule_id, f.path, f.size, f.mtime, f.etag, f.sha256, m.id
        from run_files f join made m on m.sha256 = f.sha256
        where f.schedule_id = :schedule_id and f.tick = :tick and f.problem is null
        on conflict (schedule_id, path) do update set
            size = excluded.size, mtime = excluded.mtime, etag = excluded.etag, sha256 = excluded.sha256,
            job_id = excluded.job_id
        returning path
    ), done as (
        delete from run_files f using taken t
        where f.schedule_id = :schedule_id and f.tick = :tick and f.path = t.path
    )
    select count(*) from taken
""")


def take_fresh(conn: Connection, claim: RunClaim, batch_id: int) -> int:
    """Keep the files that became jobs of this batch, copies among them, as known; returns how many."""
    return int(conn.execute(TAKE, {**run(claim), "batch_id": batch_id}).scalar_one())


def count_problems(conn: Connection, claim: RunClaim) -> int:
    return int(conn.execute(text(f"select count(*) from run_files where {RUN}"), run(claim)).scalar_one())


def run(claim: RunClaim) -> dict[str, Any]:
    return {"schedule_id": claim.schedule_id, "tick": claim.tick}
