"""Finds jobs among millions, the newest first, in a time that does not grow with their number.

A page looks at no more than so many rows. Where that was not enough, it says how far it came, and the next page goes on
from there: a rare match is found in several steps, none of which holds anybody up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from models.state import JobState
from worker.reasons import earlier, facts
from worker.report import CHARGED, COST, FAMILY, MODEL, SUBJECT

#: Rows that one page looks at. Their input has to be read where a text is looked for.
SCAN, SCAN_TEXT = 20_000, 5_000
#: As the partial index of what went wrong has it.
RARE = "j.state in ('cancelled', 'failed', 'held')"
#: States that have an index of their own in which there is never much.
FEW = {
    JobState.DISPATCHED: "j.state in ('dispatched', 'running')",
    JobState.RUNNING: "j.state in ('dispatched', 'running')",
    JobState.WAITING: "j.state = 'waiting'",
    JobState.STORING: "j.state = 'storing'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which jobs; None: any. `text`: in key, input or error, or the id or key itself. `before`: ids below this one.

    `since`, `until`: when they were enqueued. `pieces_of`: the pieces of this recording, left out otherwise.
    """

    batch: int | None = None
    state: str | None = None
    kind: str | None = None
    model: str | None = None
    code: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    pieces_of: int | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A page. `older`: where the next one goes on, None at the end; `looked_at`: rows, if there may be more to find."""

    jobs: list[dict[str, Any]]
    older: int | None
    looked_at: int | None


# Rows are taken in order until there are enough that fit, or enough were looked at.
PAGE = """
    select id from (
        select j.id, (cast(:state as text) is null or j.state = :state)
            and (cast(:batch as bigint) is null or j.batch_id = :batch)
            and (cast(:kind as text) is null or j.kind = :kind)
            and (cast(:model as text) is null or {model} = :model)
            and (cast(:code as text) is null or j.error_code = :code)
            and (cast(:since as timestamptz) is null or j.created_at >= :since)
            and (cast(:until as timestamptz) is null or j.created_at < :until)
            and (cast(:text as text) is null or j.key ilike :text or cast(j.args as text) ilike :text
                or j.error_message ilike :text) as fits
        from jobs j where {where} order by {order} limit :scan
    ) looked_at where fits limit :most
"""
LOOKED_AT = """
    select count(*) as rows, min(id) as last from (
        select j.id from jobs j where {where} order by {order} limit :scan
    ) looked_at
"""
ROWS = text(f"""
    select j.id as job, b.name as batch, j.batch_id, j.row, j.key, j.kind, {MODEL} as model, j.state,
        j.attempt as attempts, {COST} as cost, {CHARGED} as possibly_charged, j.model as lane, j.error_code,
        j.error_message, j.created_at, j.dispatched_at, j.finished_at, j.run_at, j.blocked_by, j.estimate, j.parent_id,
        left({SUBJECT}, 300) as subject,
        case when j.state <> 'queued' then extract(epoch from coalesce(j.finished_at, now()) - j.dispatched_at) end
            as took_s
    from unnest(cast(:ids as bigint[])) with ordinality as w (id, place)
    join jobs j on j.id = w.id left join batches b on b.id = j.batch_id {FAMILY}
    order by w.place
""")
# By the index that makes one row of one input one job: whose key is this?
EXACT = text("""
    select id from jobs where id = :id
    union all
    (select id from jobs where batch_id is not null and dedupe = :dedupe order by id desc limit 20)
    union all
    (select id from jobs where batch_id is null and dedupe = :dedupe)
""")
# Ids grow with the time; a probe of the primary key each step.
ID_AT = text("""
    with recursive s (low, high) as (
        select coalesce(min(id), 0), coalesce(max(id), 0) + 1 from jobs
        union all
        select case when m.early then m.middle + 1 else s.low end, case when m.early then s.high else m.middle end
        from s cross join lateral (
            select s.low + (s.high - s.low) / 2 as middle,
                coalesce((select j.created_at < :at from jobs j
                    where j.id >= s.low + (s.high - s.low) / 2 order by j.id limit 1), false) as early
        ) m where s.low < s.high
    )
    select low from s where low >= high limit 1
""")
STATES = ", ".join(f"'{each}'" for each in JobState)
# Ids of a batch lie together: a few probes say where.
SPAN = text(f"""
    select coalesce(min(low), 0), coalesce(max(high), 0) from unnest(array[{STATES}]) s,
        lateral (
            select (select id from jobs where batch_id = :batch and state = s order by id limit 1) as low,
                (select id from jobs where batch_id = :batch and state = s order by id desc limit 1) as high
        ) ends
""")
#: A long transaction's rows are older than those that got their ids after them.
SLACK = 20_000


def id_at(conn: Connection, moment: datetime) -> int:
    """About the first id that was enqueued then."""
    return int(conn.execute(ID_AT, {"at": moment}).scalar_one())


#: The way through the rows: conditions that an index serves, and the order that makes Postgres take it.
Way = tuple[str, str]


def way(wanted: Search) -> Way:
    """Comparing rows rather than columns leaves but one index that has them in order, whatever is believed of sizes."""
    ids = "j.id < :before and j.id >= :first"
    if wanted.batch is not None and wanted.state:
        columns, own = "j.batch_id, j.state, j.id", "cast(:batch as bigint), :state"
        return between(columns, own), "j.batch_id desc, j.state desc, j.id desc"
    if wanted.state in {JobState.FAILED, JobState.CANCELLED, JobState.HELD} and wanted.batch is None:
        return f"{RARE} and {between('j.state, j.id', ':state')}", "j.state desc, j.id desc"
    if wanted.state in FEW and wanted.batch is None:
        return f"{FEW[JobState(wanted.state)]} and {ids}", "j.id + 0 desc"
    return ids, "j.id desc"


def between(columns: str, own: str) -> str:
    return f"({columns}) < ({own}, cast(:before as bigint)) and ({columns}) >= ({own}, cast(:first as bigint))"


def search(conn: Connection, wanted: Search) -> Found:
    """One page, with why each queued job waits."""
    before, first = wanted.before or 2**63 - 1, 0
    if wanted.until is not None:
        before = min(before, id_at(conn, wanted.until) + SLACK)
    if wanted.since is not None:
        first = id_at(conn, wanted.since) - SLACK
    if wanted.batch is not None and not wanted.state:
        low, high = conn.execute(SPAN, {"batch": wanted.batch}).one()
        before, first = min(before, high + 1), max(first, low)
    where, order = way(wanted)
    family = "j.parent_id is null" if wanted.pieces_of is None else "j.parent_id = :pieces_of"
    sql = {"where": f"{where} and {family}", "order": order}
    values = {
        "batch": wanted.batch, "state": wanted.state, "kind": wanted.kind, "model": wanted.model, "code": wanted.code,
        "since": wanted.since, "until": wanted.until, "text": f"%{escaped(wanted.text)}%" if wanted.text else None,
        "pieces_of": wanted.pieces_of, "before": before, "first": first, "most": wanted.limit + 1,
        "scan": SCAN_TEXT if wanted.text else SCAN,
    }  # fmt: skip
    found = conn.execute(text(PAGE.format(**sql, model=MODEL)), values).scalars().all()
    older, looked_at = None, None
    if len(found) > wanted.limit:
        older = found[wanted.limit - 1]
    else:
        seen = conn.execute(text(LOOKED_AT.format(**sql)), values).one()
        if seen.rows == values["scan"]:
            older, looked_at = seen.last, seen.rows
    ids = list(dict.fromkeys([*exact(conn, wanted), *found[: wanted.limit]]))
    return Found(rows(conn, ids), older, looked_at)


def escaped(given: str) -> str:
    """For LIKE: what was typed is meant as it stands."""
    return given.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def exact(conn: Connection, wanted: Search) -> Sequence[int]:
    """On the first page of a search for nothing but a text: the job with this id, and those with this key."""
    only = wanted == Search(text=wanted.text, limit=wanted.limit)
    if not wanted.text or not only:
        return []
    given = wanted.text.strip().removeprefix("#")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0
    return conn.execute(EXACT, {"id": number, "dedupe": f"key:{wanted.text.strip()}"}).scalars().all()


def rows(conn: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """What lists show of these jobs, in this order."""
    known = facts(conn)
    found = [dict(row) for row in conn.execute(ROWS, {"ids": list(ids)}).mappings()]
    for job in found:
        job["waiting_for"] = None
        if job["state"] == JobState.QUEUED:
            job["waiting_for"] = (
                earlier(conn, job["job"], job["blocked_by"])
                if job["blocked_by"]
                else known.why(job["lane"], job["batch_id"], run_at=job["run_at"], cost=job["estimate"])
            )
    return found
