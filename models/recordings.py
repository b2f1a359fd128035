"""The SQL of recordings and their pieces: cut once, heard piece by piece, gathered when the last piece has ended.

A recording that has its pieces is `waiting`, its remote id is PIECES, and no poll is due. No counter of open pieces
is kept that could drift: whoever ends a piece asks, under the recording's lock, whether another is open.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

#: The remote id of a recording that waits for its pieces.
PIECES = "pieces"
#: Before a location: the file is in our own store of outputs.
STORED = "stored:"
#: Samples a second, of all that is said in samples here.
RATE = 16000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPiece:
    """A piece as it was cut. `location`: None where the recording's file goes as it is."""

    index: int
    begins: int
    ends: int
    seam: str
    speech: tuple[tuple[float, float], ...]
    location: str | None
    #: None: its text is not to be taken from another piece, nor given to one.
    cache_key: str | None


# What is silent has no words; what was heard before is not paid for again.
ADD_PIECES = text("""
    with given as (
        select * from unnest(
            cast(:index as bigint[]), cast(:begins as bigint[]), cast(:ends as bigint[]), cast(:seam as text[]),
            cast(:speech as text[]), cast(:location as text[]), cast(:cache_key as text[])
        ) as g (index, begins, ends, seam, speech, location, cache_key)
    ), known as (
        select distinct on (g.index) g.index, coalesce(x.text, o.text) as text
        from given g join pieces x on x.cache_key = g.cache_key
        left join outputs o on o.job_id = x.job_id and o.role = 'text'
        where coalesce(x.text, o.text) is not null
    )
    insert into pieces (parent_id, index, begins, ends, seam, speech, location, cache_key, text)
    select :recording, g.index, g.begins, g.ends, g.seam, cast(g.speech as jsonb), g.location, g.cache_key,
        case when g.speech = '[]' then '' else k.text end
    from given g left join known k on k.index = g.index
""")


def add_pieces(conn: Connection, recording: int, pieces: Sequence[NewPiece]) -> None:
    """Write a recording's pieces, with the texts that are known."""
    values = {
        "recording": recording,
        "index": [each.index for each in pieces],
        "begins": [each.begins for each in pieces],
        "ends": [each.ends for each in pieces],
        "seam": [each.seam for each in pieces],
        "speech": [json.dumps(each.speech) for each in pieces],
        "location": [each.location for each in pieces],
        "cache_key": [each.cache_key for each in pieces],
    }
    conn.execute(ADD_PIECES, values)


# The API counts whole seconds.
ADD_JOBS = text("""
    with wanted as (
        select index, location, ceil(cast(ends - begins as numeric) / :rate) as seconds
        from pieces where parent_id = :recording and text is null and job_id is null
        order by index limit :most
    ), made as (
        insert into jobs (parent_id, batch_id, dedupe, kind, model, args, priority, estimate, after)
        select p.id, p.batch_id, 'piece:' || p.id || ':' || w.index, p.kind, p.args ->> 'model',
            (p.args - cast(:ours as text[]))
                || jsonb_build_object('file', coalesce(:stored || w.location, p.args ->> 'file'))
                || case when cast(:prompt as text) is null then '{}' else jsonb_build_object('prompt', :prompt) end,
            p.priority, round(cast(:price as numeric) * w.seconds / 60, 6), p.after
        from wanted w join jobs p on p.id = :recording order by w.index
        returning id, dedupe, model
    ), noted as (
        update pieces x set job_id = m.id from made m
        where x.parent_id = :recording and m.dedupe = 'piece:' || x.parent_id || ':' || x.index
    ), tied as (
        -- What the recording takes of earlier jobs, its pieces take too.
        insert into links (earlier_id, later_id)
        select k.earlier_id, m.id from made m join links k on k.later_id = :recording
    )
    select model, count(*) as jobs from made group by model
""")


def add_jobs(
    conn: Connection,
    recording: int,
    *,
    price: Decimal,
    ours: Collection[str],
    most: int | None = None,
    prompt: str | None = None,
) -> str | None:
    """Make the jobs of pieces that have neither text nor job; returns their model, None if there are none.

    price: US dollars a minute. ours: fields of the recording's input that are none of a piece's.
    most, prompt: only so many, told this instead of the recording's own prompt.
    """
    values = {
        "recording": recording, "price": price, "ours": list(ours), "most": most, "prompt": prompt,
        "stored": STORED, "rate": RATE,
    }  # fmt: skip
    row = conn.execute(ADD_JOBS, values).first()
    return row.model if row else None


# One that waits for its pieces has no poll to come, which the index of polls knows.
WAITING = """
    p.state = 'waiting' and p.next_poll_at is null and p.remote_id = 'pieces'
    and not exists (select from jobs c where c.parent_id = p.id and c.finished_at is null)
"""
NEXT = text(f"""
    select p.id as recording, p.args, coalesce(b.text, o.text) as before
    from jobs p
    join lateral (
        select index from pieces where parent_id = p.id and text is null and job_id is null order by index limit 1
    ) x on true
    left join pieces b on b.parent_id = p.id and b.index = x.index - 1
    left join outputs o on o.job_id = b.job_id and o.role = 'text'
    where p.id = any(cast(:recordings as bigint[])) and {WAITING}
    order by p.id
""")


def lacking(conn: Connection, recordings: Collection[int]) -> Sequence[Any]:
    """Of these, locked by the caller, those with no open piece and one that has no job yet: with its context."""
    return conn.execute(NEXT, {"recordings": list(recordings)}).all()


GATHER = text(f"""
    update jobs p set state = 'storing', fence = p.fence + 1, next_fetch_at = now(), answered_at = now()
    where p.id = any(cast(:recordings as bigint[])) and {WAITING}
        and not exists (select from pieces x where x.parent_id = p.id and x.text is null and x.job_id is null)
    returning p.id as job_id, p.kind, p.model
""")


def gather(conn: Connection, recordings: Collection[int]) -> Sequence[Any]:
    """Of these, locked by the caller, those whose last piece has ended are to be put together: rows of the jobs."""
    return conn.execute(GATHER, {"recordings": list(recordings)}).all()


READY = text(f"select p.id from jobs p where {WAITING} order by p.id limit :most for update skip locked")


def lock_ready(conn: Connection, *, most: int = 1000) -> list[int]:
    """Recordings that nothing is open of any more, locked: a net for what `gather` was not asked about."""
    return list(conn.execute(READY, {"most": most}).scalars())


ORPHANS = text("""
    select c.id from jobs c join jobs p on p.id = c.parent_id
    where c.parent_id is not null and c.finished_at is null and p.finished_at is not null and not c.cancel_requested
    order by c.id limit :most
""")


def orphans(conn: Connection, *, most: int = 10000) -> list[int]:
    """Open pieces of recordings that have ended."""
    return list(conn.execute(ORPHANS, {"most": most}).scalars())


PARTS = text("""
    select x.index, x.begins, x.ends, x.speech, coalesce(x.text, o.text) as text, c.id as job, c.state,
        c.error_code, c.error_message
    from pieces x left join jobs c on c.id = x.job_id
    left join outputs o on o.job_id = x.job_id and o.role = 'text'
    where x.parent_id = :recording order by x.index
""")


def parts(conn: Connection, recording: int) -> Sequence[Any]:
    """The pieces in order, with what became of each."""
    return conn.execute(PARTS, {"recording": recording}).all()


LEFT = text("""
    select x.parent_id, x.index, x.location from pieces x join jobs p on p.id = x.parent_id
    where x.location is not null and p.state = 'succeeded' limit :most
""")
GONE = text("""
    update pieces x set location = null
    from unnest(cast(:parents as bigint[]), cast(:indexes as bigint[])) as g (parent_id, index)
    where x.parent_id = g.parent_id and x.index = g.index
""")


def left_files(conn: Connection, *, most: int = 1000) -> Sequence[Any]:
    """Files of pieces whose recording has its transcript: rows of parent_id, index, location."""
    return conn.execute(LEFT, {"most": most}).all()


def forget_files(conn: Connection, gone: Collection[tuple[int, int]]) -> None:
    """Note that the files of these (parent_id, index) are deleted."""
    conn.execute(GONE, {"parents": [each[0] for each in gone], "indexes": [each[1] for each in gone]})
