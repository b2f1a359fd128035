"""Reads for people: how batches stand, why the rest waits, what a job went through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, text

from models import recordings
from models.state import FINAL, JobState
from worker.reasons import AHEAD, earlier, facts, waiting_for
from worker.waiting import BEHIND_HELD


class UnknownBatchError(Exception):
    """No batch has this name or id."""

    def __init__(self, given: str) -> None:
        self.given = given
        super().__init__(f"no batch has the name or id {given!r}; `mediajobs status` counts them all together")


@dataclass(frozen=True, slots=True)
class Status:
    """How a batch (or everything) stands. `cost`: US dollars; `possibly_charged`: jobs that may cost more."""

    batch: str | None
    total: int
    counts: dict[str, int]
    cost: Decimal
    possibly_charged: int
    waiting_for: dict[str, int]
    #: Of recordings: how many pieces there are, and how many of them have their text, or failed.
    pieces: dict[str, int]

    @property
    def finished(self) -> int:
        return sum(count for state, count in self.counts.items() if state in FINAL)

    @property
    def stuck(self) -> int:
        """Jobs that need a person."""
        return self.counts.get(JobState.HELD, 0)

    @property
    def behind(self) -> int:
        """Jobs that come after those."""
        return self.waiting_for.get(BEHIND_HELD, 0)


def find_batch(conn: Connection, given: str) -> int:
    """The id of a batch by name, or else by id. Raises UnknownBatchError."""
    found = conn.execute(text("select id from batches where name = :name"), {"name": given}).scalar()
    if found is None and given.isascii() and given.isdigit() and len(given) < 19:
        found = conn.execute(text("select id from batches where id = :id"), {"id": int(given)}).scalar()
    if found is None:
        raise UnknownBatchError(given)
    return int(found)


# The pieces of recordings have costs of their own, but are no jobs of the user's.
COUNTS = text("""
    select state, count(*) filter (where parent_id is null) as jobs, coalesce(sum(cost), 0) as cost,
        count(*) filter (where possibly_charged) as doubtful,
        count(parent_id) as pieces
    from jobs where cast(:batch as bigint) is null or batch_id = :batch group by state
""")


def status(conn: Connection, batch: str | None) -> Status:
    """Counts, cost and reasons. Raises UnknownBatchError."""
    batch_id = find_batch(conn, batch) if batch is not None else None
    rows = conn.execute(COUNTS, {"batch": batch_id}).all()
    name = None
    if batch_id is not None:
        name = conn.execute(text("select name from batches where id = :id"), {"id": batch_id}).scalar_one()
    return Status(
        batch=name,
        total=sum(row.jobs for row in rows),
        counts={
            row.state: row.jobs for row in sorted(rows, key=lambda row: list(JobState).index(row.state)) if row.jobs
        },
        cost=sum((row.cost for row in rows), Decimal(0)),
        possibly_charged=sum(row.doubtful for row in rows),
        waiting_for=waiting_for(conn, batch_id),
        pieces=pieces_of({row.state: row.pieces for row in rows}),
    )


def pieces_of(states: dict[str, int]) -> dict[str, int]:
    return {
        "total": sum(states.values()),
        "done": states.get(JobState.SUCCEEDED, 0),
        "failed": states.get(JobState.FAILED, 0) + states.get(JobState.CANCELLED, 0),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which jobs to list; None: any. `after`: the id that the page before ended with.

    `pieces_of`: the pieces of this recording, which are left out otherwise.
    """

    batch: int | None = None
    pieces_of: int | None = None
    state: str | None = None
    kind: str | None = None
    model: str | None = None
    search: str | None = None
    after: int = 0
    limit: int = 50


# A recording's cost is that of its pieces; its model is the one that hears them.
MODEL = "case when j.model = 'cut' then j.args ->> 'model' else j.model end"
FAMILY = """
    left join lateral (
        select sum(cost) as cost, bool_or(possibly_charged) as possibly_charged from jobs c
        where j.model = 'cut' and c.parent_id = j.id
    ) f on true
"""
COST = "j.cost + coalesce(f.cost, 0)"
CHARGED = "j.possibly_charged or coalesce(f.possibly_charged, false)"
# What is wrong with a job's file: a JSON list, or null. Of a recording what was found when it was cut; of one call what
# its answer tells.
PROBLEMS = """
    case when j.remote_id = 'pieces' then (
        select cast(convert_from(answer, 'UTF8') as jsonb) -> 'problems' from attempts
        where job_id = j.id and outcome = 'cut' order by number desc limit 1
    ) when j.args ? 'file' and exists (select from outputs where job_id = j.id and role = 'text' and text = '') then
        '["has nothing in it that was heard"]'
    end
"""
# Of a chat what was said last; that may be a list of texts and images.
SUBJECT = """
    coalesce(
        j.args ->> 'prompt', j.args ->> 'file',
        jsonb_path_query_first(j.args, '$.messages[last].content[*].text') #>> '{}',
        j.args #>> '{messages,-1,content}', ''
    )
"""
JOBS = text(f"""
    select j.id as job, b.name as batch, j.row, j.key, j.kind, {MODEL} as model, j.state, j.attempt as attempts,
        {COST} as cost, {CHARGED} as possibly_charged, j.model as lane,
        j.error_code, j.error_message, j.created_at, j.finished_at, j.batch_id, j.run_at, j.blocked_by,
        j.estimate,
        {SUBJECT} as subject
    from jobs j left join batches b on b.id = j.batch_id {FAMILY}
    where j.id > :after
        and j.parent_id is not distinct from cast(:pieces_of as bigint)
        and (cast(:batch as bigint) is null or j.batch_id = :batch)
        and (cast(:state as text) is null or j.state = :state)
        and (cast(:kind as text) is null or j.kind = :kind)
        and (cast(:model as text) is null or {MODEL} = :model)
        and (cast(:search as text) is null or j.key ilike :search or cast(j.args as text) ilike :search
            or j.error_message ilike :search)
    order by j.id limit :limit
""")


POPPED = ("batch_id", "run_at", "estimate", "lane", "blocked_by")


def jobs(conn: Connection, wanted: Filter) -> list[dict[str, Any]]:
    """A page of jobs, by id; `waiting_for` says why a queued one waits."""
    search = f"%{wanted.search}%" if wanted.search else None
    values = {
        "batch": wanted.batch, "state": wanted.state, "kind": wanted.kind, "model": wanted.model, "search": search,
        "after": wanted.after, "limit": wanted.limit, "pieces_of": wanted.pieces_of,
    }  # fmt: skip
    known = facts(conn)
    found = [dict(row) for row in conn.execute(JOBS, values).mappings()]
    for job in found:
        batch_id, run_at, cost, lane, blocked_by = (job.pop(name) for name in POPPED)
        job["waiting_for"] = None
        if job["state"] == JobState.QUEUED:
            job["waiting_for"] = (
                earlier(conn, job["job"], blocked_by)
                if blocked_by
                else known.why(lane, batch_id, run_at=run_at, cost=cost)
            )
    return found


def unknown_ids(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Those of the ids that no job has."""
    known = set(conn.execute(text("select id from jobs where id = any(:ids)"), {"ids": list(ids)}).scalars())
    return [each for each in ids if each not in known]


ATTEMPTS = text("""
    select number, request_id, worker, sent_at, ended_at, outcome, http_status, error_code, error_message, excerpt,
        remote_id, cost, possibly_charged, late
    from attempts where job_id = :job order by number
""")
OUTPUTS = text("""
    select index, role, location, mime, bytes, sha256, text from outputs where job_id = :job order by index
""")
EVENTS = text("""
    select at, source, target as state, number as request, code, reason from events where job_id = :job order by id
""")


SHOW = text(f"""
    select j.*, b.name as batch, {MODEL} as hears, {COST} as all_cost, {CHARGED} as all_charged,
        {PROBLEMS} as problems
    from jobs j left join batches b on b.id = j.batch_id {FAMILY} where j.id = :job
""")


#: Jobs before and after one that are named.
LINKED = 100
EARLIER = text("""
    select j.id as job, j.key, j.kind, j.state from links l join jobs j on j.id = l.earlier_id
    where l.later_id = :job order by j.id
""")
# Pieces come after what their recording comes after.
LATER = text("""
    select j.id as job, j.key, j.kind, j.state from links l join jobs j on j.id = l.later_id
    where l.earlier_id = :job and j.parent_id is null order by j.id limit :most
""")


def show(conn: Connection, job: int) -> dict[str, Any] | None:
    """One job with its attempts, outputs, every change of its state, and those before and after it (LINKED at most).

    None if there is no such job.
    """
    found = conn.execute(SHOW, {"job": job}).mappings().first()
    if found is None:
        return None
    row = dict(found)
    enqueued = {"at": row["created_at"], "source": None, "state": JobState.QUEUED, "request": 0, "code": None,
                "reason": "enqueued"}  # fmt: skip
    history = [enqueued, *(dict(each) for each in conn.execute(EVENTS, {"job": job}).mappings())]
    names = ("batch", "row", "key", "after", "kind", "model", "state", "priority", "run_at", "remote_id", "cost",
             "possibly_charged", "error_code", "error_message", "args")  # fmt: skip
    waiting = None
    if row["state"] == JobState.QUEUED and row["blocked_by"]:
        waiting = earlier(conn, job, row["blocked_by"])
    elif row["state"] == JobState.QUEUED:
        ahead = conn.execute(AHEAD, {"model": row["model"], "priority": row["priority"]}).scalar_one()
        waiting = facts(conn).why(
            row["model"], row["batch_id"], run_at=row["run_at"], cost=row["estimate"], ahead=ahead
        )
    parts = recordings.parts(conn, job) if row["remote_id"] == recordings.PIECES else []
    return {
        "job": row["id"],
        **{name: row[name] for name in names},
        "model": row["hears"],
        "cost": row["all_cost"],
        "possibly_charged": row["all_charged"],
        "partial": row["partial"] if row["state"] == JobState.RUNNING else None,
        "piece_of": row["parent_id"],
        "problems": row["problems"] or [],
        "pieces": [piece(each) for each in parts],
        "earlier": [dict(each) for each in conn.execute(EARLIER, {"job": job}).mappings()],
        "later": [dict(each) for each in conn.execute(LATER, {"job": job, "most": LINKED}).mappings()],
        "attempts": row["attempt"],
        "waiting_for": waiting,
        "history": history,
        "requests": [dict(each) for each in conn.execute(ATTEMPTS, {"job": job}).mappings()],
        "outputs": [dict(each) for each in conn.execute(OUTPUTS, {"job": job}).mappings()],
    }


def piece(row: Any) -> dict[str, Any]:
    """`job`: None where no call was needed."""
    return {
        "index": row.index,
        "start_s": row.begins / recordings.RATE,
        "end_s": row.ends / recordings.RATE,
        "job": row.job,
        "state": row.state or (JobState.SUCCEEDED if row.text is not None else JobState.QUEUED),
        "error_code": row.error_code if row.text is None else None,
        "error_message": row.error_message if row.text is None else None,
        "text": row.text,
    }


RESULTS = """
    select j.row, j.key, j.after, j.id as job, j.kind, j.state, j.error_code, j.error_message, j.attempt as attempts,
        {cost} as cost, {charged} as possibly_charged, j.finished_at, o.outputs, {problems} as problems, a.request_id
    from jobs j {family} left join lateral (
        select jsonb_agg(jsonb_build_object(
            'index', index, 'role', role, 'location', location, 'mime', mime, 'bytes', bytes, 'sha256', sha256,
            'text', text
        ) order by index) as outputs from outputs where job_id = j.id
    ) o on true
    left join attempts a on a.job_id = j.id and a.number = coalesce(j.paid_attempt, j.requests)
    where j.batch_id = :batch and j.parent_id is null and {after} order by j.row, j.id limit :limit
"""
# Jobs that were enqueued from Python have no row; in the index they come last.
RESULTS_WITH_ROWS, RESULTS_WITHOUT = (
    text(RESULTS.format(cost=COST, charged=CHARGED, family=FAMILY, problems=PROBLEMS, after=after))
    for after in ("(j.row, j.id) > (:row, :job)", "j.row is null and j.id > :job")
)
LOT = 1000


def results(engine: Engine, batch_id: int) -> Iterator[Any]:
    """Every job of a batch in the order of its input, with its outputs.

    Some at a time: whoever takes long to read them holds no transaction open meanwhile.
    """
    for statement in (RESULTS_WITH_ROWS, RESULTS_WITHOUT):
        row = job = 0
        while True:
            with engine.connect() as conn:
                found = conn.execute(statement, {"batch": batch_id, "row": row, "job": job, "limit": LOT}).all()
            yield from found
            if len(found) < LOT:
                break
            row, job = found[-1].row, found[-1].job


def as_json(value: Any) -> Any:
    """For `json.dumps(default=…)`."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
