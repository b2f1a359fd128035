"""Holds the record against itself, and against what the provider says that it charged.

Reads only. Each check yields what it found wrong, in words; the invariants are those of docs/faults.md.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from models.state import FINAL, LEGAL, JobState
from worker.storage import Storage

#: What is wrong is listed up to here; a broken table would have a line a row.
MOST = 20


def audit(conn: Connection, storage: Storage | None = None, *, ended: bool = False) -> Iterator[str]:
    """Every violation, in words; nothing if all holds.

    `storage`: look at the files as well, where they lie on this machine. `ended`: nothing may be under way.
    """
    yield from states(conn, ended=ended)
    yield from paths(conn)
    yield from batches(conn)
    yield from purchases(conn)
    yield from money(conn)
    yield from artefacts(conn, storage)
    yield from transcripts(conn)
    yield from counters(conn)
    yield from leases(conn)
    yield from fences(conn)
    yield from tallies(conn)
    yield from order(conn)


def states(conn: Connection, *, ended: bool) -> Iterator[str]:
    """Every accepted job ends in one final state; or it is held, or comes after one that is."""
    if not ended:
        return
    final = [each.value for each in FINAL] + [JobState.HELD.value]
    found = conn.execute(
        text("""
            select id, state from jobs j where not state = any(:final) and not (blocked_by > 0 and exists (
                select from links l join jobs e on e.id = l.earlier_id where l.later_id = j.id and e.finished_at is null
            )) order by id limit :most
        """),
        {"final": final, "most": MOST},
    )
    for row in found:
        yield f"job {row.id} has not ended: it is {row.state}"


PATHS = text("""
    select * from (
        select e.job_id, e.source, e.target,
            coalesce(lag(e.target) over (partition by e.job_id order by e.id), 'queued') as before,
            case when lead(e.id) over (partition by e.job_id order by e.id) is null then j.state end as now
        from events e join jobs j on j.id = e.job_id
    ) steps
    where source <> before or now is not null and now <> target
        or not (source || ' ' || target) = any(cast(:legal as text[]))
    order by job_id limit :most
""")


def paths(conn: Connection) -> Iterator[str]:
    """Events form a legal path, from queued to where the job stands."""
    legal = [f"{source} {target}" for source, targets in LEGAL.items() for target in targets]
    for row in conn.execute(PATHS, {"legal": legal, "most": MOST}):
        now = f"; it is {row.now}" if row.now else ""
        yield f"job {row.job_id} went from {row.source} to {row.target} when it was {row.before}{now}"
    missing = text("""
        select id, state from jobs j
        where state <> 'queued' and not exists (select from events e where e.job_id = j.id) order by id limit :most
    """)
    for row in conn.execute(missing, {"most": MOST}):
        yield f"job {row.id} is {row.state}, but nothing was recorded of it"


# Messages are kept for thirty days.
UNTOLD = text("""
    select b.id, b.name, b.completions, count(d.id) as told from batches b
    left join deliveries d on d.batch_id = b.id and d.event = 'batch.finished' and d.url = b.webhook
    where b.webhook is not null and b.created_at > now() - interval '29 days'
    group by b.id having count(d.id) <> b.completions order by b.id limit :most
""")


def batches(conn: Connection) -> Iterator[str]:
    """What counts as finished has nothing open, and its end was told where that was asked for, each time once."""
    unfinished = text("""
        select b.id, b.name from batches b where b.finished_at is not null
            and exists (select from jobs j where j.batch_id = b.id and j.finished_at is null) order by b.id limit :most
    """)
    for row in conn.execute(unfinished, {"most": MOST}):
        yield f"batch {row.id} ({row.name}) counts as finished, but jobs of it are open"
    for row in conn.execute(UNTOLD, {"most": MOST}):
        yield f"batch {row.id} ({row.name}) finished {row.completions} times, and that was told {row.told} times"


# An operator's retry may buy again what failed after it was paid for: that is his decision, and an event.
PURCHASES = text("""
    select a.job_id, count(*) filter (where a.outcome = 'answered' and not a.late) as answered,
        count(*) filter (where a.outcome = 'unknown') as unknown, count(*) filter (where a.outcome is null) as open,
        (select count(*) from events e where e.job_id = a.job_id and e.target = 'queued'
            and e.source in ('failed', 'cancelled', 'held')) as decided
    from attempts a group by a.job_id
    having count(*) filter (where a.outcome = 'answered') > 1 or count(*) filter (where a.outcome = 'unknown') > 1
""")


def purchases(conn: Connection) -> Iterator[str]:
    """A job is bought once, and once more for each answer that was lost and each decision of a person."""
    for row in conn.execute(PURCHASES).all()[:MOST]:
        if row.answered > 1 + row.unknown + row.decided:
            yield f"job {row.job_id} was bought {row.answered} times, with {row.unknown} lost answers"
        if row.unknown > 2 + row.decided:
            yield f"job {row.job_id} lost {row.unknown} answers: policy allows one more purchase after the first"
    closed = text("""
        select a.job_id, a.number from attempts a join jobs j on j.id = a.job_id
        where a.outcome is null and j.state <> 'running' order by 1 limit :most
    """)
    for row in conn.execute(closed, {"most": MOST}):
        yield f"job {row.job_id}: its request {row.number} is open, but the job does not run"
    unflagged = text("""
        select a.job_id, a.number from attempts a join jobs j on j.id = a.job_id
        where a.outcome = 'unknown' and not (a.possibly_charged and j.possibly_charged) order by 1 limit :most
    """)
    for row in conn.execute(unflagged, {"most": MOST}):
        yield f"job {row.job_id}: the answer to request {row.number} was lost, but is not flagged"


def money(conn: Connection) -> Iterator[str]:
    """A job's cost is its requests' cost; what budgets hold is what jobs hold."""
    found = text("""
        select j.id, j.cost, coalesce(sum(a.cost), 0) as requests from jobs j left join attempts a on a.job_id = j.id
        group by j.id having j.cost <> coalesce(sum(a.cost), 0) order by j.id limit :most
    """)
    for row in conn.execute(found, {"most": MOST}):
        yield f"job {row.id} says ${row.cost}, its requests ${row.requests}"
    negative = text("select job_id, number, cost from attempts where cost < 0 order by 1, 2 limit :most")
    for row in conn.execute(negative, {"most": MOST}):
        yield f"job {row.job_id}: request {row.number} cost ${row.cost}"
    held = text("""
        select id, state, reserved from jobs
        where reserved <> 0 and state not in ('dispatched', 'running') order by id limit :most
    """)
    for row in conn.execute(held, {"most": MOST}):
        yield f"job {row.id} is {row.state} and still has ${row.reserved} reserved"


OUTPUTS = text("""
    select j.id, o.location, o.bytes, o.sha256 from jobs j left join outputs o on o.job_id = j.id
    where j.state = 'succeeded' order by j.id
""")


def artefacts(conn: Connection, storage: Storage | None) -> Iterator[str]:
    """No success without its files, whole."""
    for row in conn.execute(OUTPUTS.execution_options(stream_results=True)):
        if row.location is None:
            yield f"job {row.id} succeeded without an output"
            continue
        path = storage.local_path(row.location) if storage else None
        if path is not None and (wrong := amiss(path, row.bytes, row.sha256)):
            yield f"job {row.id}: {row.location} {wrong}"


def amiss(path: Path, size: int, sha256: str) -> str | None:
    """What is wrong with a stored file; None if nothing is."""
    if not path.exists():
        return "is not there"
    if path.stat().st_size != size:
        return f"has {path.stat().st_size} bytes, not {size}"
    with path.open("rb") as file:
        return None if hashlib.file_digest(file, "sha256").hexdigest() == sha256 else "has another checksum"


def transcripts(conn: Connection) -> Iterator[str]:
    """A recording that succeeded has the texts of all its pieces, and they are the whole of it."""
    lacking = text("""
        select x.parent_id, x.index from pieces x join jobs p on p.id = x.parent_id
        left join outputs o on o.job_id = x.job_id and o.role = 'text'
        where p.state = 'succeeded' and x.text is null and o.text is null order by 1, 2 limit :most
    """)
    for row in conn.execute(lacking, {"most": MOST}):
        yield f"job {row.parent_id} succeeded, but its piece {row.index} has no text"
    uncovered = text("""
        select parent_id, index from (
            select parent_id, index, begins, lag(ends, 1, cast(0 as bigint))
                over (partition by parent_id order by index) as before from pieces
        ) x where begins > before order by 1, 2 limit :most
    """)
    for row in conn.execute(uncovered, {"most": MOST}):
        yield f"job {row.parent_id}: something is missing before its piece {row.index}"


def counters(conn: Connection) -> Iterator[str]:
    """Slots counted are slots held."""
    found = text("""
        select l.model, l.in_use, count(j.id) as held
        from limits l left join jobs j on j.model = l.model and j.holds_slot
        group by l.model having l.in_use <> count(j.id)
    """)
    for row in conn.execute(found):
        yield f"{row.model}: {row.in_use} slots are counted as in use, {row.held} are held"
    free = text("""
        select id, state from jobs
        where holds_slot <> (state in ('dispatched', 'running')) and state <> 'waiting' order by id limit :most
    """)
    for row in conn.execute(free, {"most": MOST}):
        yield f"job {row.id} is {row.state}, which does not go with its slot"


# Given out and given back, in the order of the clock: a slot is given on under the lock of its limit.
LEASES = text("""
    with steps as (
        select j.model, greatest(l.highest, l.concurrency) as concurrency, e.at, e.id,
            e.target = 'dispatched' or e.source = 'queued' and e.target = 'running' as taken,
            (e.source in ('dispatched', 'running') or e.source = 'waiting' and l.slot_scope = 'task') and not (
                e.target = 'running' or e.source <> 'waiting' and e.target = 'waiting' and l.slot_scope = 'task'
            ) and not coalesce(lag(e.source = 'waiting' and e.target = 'waiting')
                over (partition by e.job_id order by e.id), false) as freed
        from events e join jobs j on j.id = e.job_id join limits l on l.model = j.model
    )
    select model, max(at_once) as at_once, max(concurrency) as concurrency from (
        select model, concurrency, sum(cast(taken as int) - cast(freed as int))
            over (partition by model order by at, id) as at_once from steps
    ) counted
    group by model having max(at_once) > max(concurrency)
""")


LEFT = text("""
    select id, state, cast(extract(epoch from now() - lease_until) / 60 as int) as minutes from jobs
    where state in ('dispatched', 'running') and lease_until < now() - interval '5 minutes' order by id limit :most
""")


def leases(conn: Connection) -> Iterator[str]:
    """At no moment more at once than the highest limit that was ever set, and no claim outlives its worker for long."""
    for row in conn.execute(LEASES):
        yield f"{row.model}: {row.at_once} at once, {row.concurrency} are allowed"
    for row in conn.execute(LEFT, {"most": MOST}):
        yield (
            f"job {row.id} is {row.state}, and its claim ended {row.minutes} minutes ago: "
            "does a worker of the queue upkeep run, and what does its log say of rescue?"
        )


def fences(conn: Connection) -> Iterator[str]:
    """No claim is older than the one before it."""
    found = text("""
        select job_id, number from (
            select job_id, number, fence, lag(fence) over (partition by job_id order by number) as before from attempts
        ) a where fence <= before order by job_id limit :most
    """)
    for row in conn.execute(found, {"most": MOST}):
        yield f"job {row.job_id}: request {row.number} was made under an older fence than the one before"


ORDER = text("""
    select j.id, j.state, j.blocked_by, count(*) filter (where e.state <> 'succeeded') as open,
        count(*) filter (where e.state in ('failed', 'cancelled')) as lost
    from links l join jobs j on j.id = l.later_id join jobs e on e.id = l.earlier_id
    group by j.id
    having j.state = 'queued' and j.blocked_by <> count(*) filter (where e.state <> 'succeeded')
        or j.state = 'queued' and count(*) filter (where e.state in ('failed', 'cancelled')) > 0
        or count(*) filter (where e.state <> 'succeeded') > 0
            and (j.state not in ('queued', 'failed', 'cancelled')
                or exists (select from attempts a where a.job_id = j.id))
    order by j.id limit :most
""")


def order(conn: Connection) -> Iterator[str]:
    """No job runs before what it comes after has succeeded, and none waits for what will not."""
    for row in conn.execute(ORDER, {"most": MOST}):
        if row.state == "queued" and row.lost:
            yield f"job {row.id} waits for {row.lost} jobs that did not succeed"
        elif row.state == "queued" and row.blocked_by != row.open:
            yield f"job {row.id} says that it waits for {row.blocked_by} jobs, it waits for {row.open}"
        else:
            yield f"job {row.id} ran, but {row.open} jobs that it comes after have not succeeded"
    alone = text("""
        select id, blocked_by from jobs j where blocked_by > 0 and not exists (
            select from links l where l.later_id = j.id
        ) order by id limit :most
    """)
    for row in conn.execute(alone, {"most": MOST}):
        yield f"job {row.id} says that it waits for {row.blocked_by} jobs, it waits for none"


def against_ledger(conn: Connection, ledger: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The provider's charges are ours: none that we do not know of, and none of ours that it does not know.

    `ledger`: `charged`, `request_id` (where the endpoint has one) and `key` (the job's, where it has none).
    """
    rows = conn.execute(
        text("""
            select j.id, j.key, a.request_id, a.outcome, a.possibly_charged, j.estimate = 0 as free
            from attempts a join jobs j on j.id = a.job_id order by j.id, a.number
        """)
    ).all()
    charged = [entry for entry in ledger if entry["charged"]]
    by_request = Counter(entry["request_id"] for entry in charged if entry["request_id"])
    sent = Counter(row.request_id for row in rows)
    paid = {row.request_id for row in rows if row.possibly_charged or row.outcome == "answered"}
    for request_id, times in by_request.items():
        if request_id not in sent:
            yield f"the provider charged request {request_id}, of which nothing is recorded"
        elif times > sent[request_id]:
            # The same id may have been sent twice, after an answer was lost.
            yield f"request {request_id} was sent {sent[request_id]} times and charged {times} times"
        elif request_id not in paid:
            yield f"request {request_id} was charged, but is recorded as free"
    by_key = Counter(entry["key"] for entry in charged if not entry["request_id"])
    others = [row for row in rows if row.request_id not in by_request]
    # What costs nothing may be in a ledger or not.
    sure = Counter(row.key for row in others if row.outcome == "answered" and not row.free)
    maybe = Counter(row.key for row in others if row.free or (row.possibly_charged and row.outcome != "answered"))
    for key in sorted(by_key.keys() | sure.keys(), key=str):
        if not sure[key] <= by_key[key] <= sure[key] + maybe[key]:
            yield f"job {key!r} was charged {by_key[key]} times; recorded are {sure[key]}, and {maybe[key]} possible"


# The day's or hour's money is that of the moment when it was recorded, so only sums can be held against each other.
TALLIED = text("""
    with counted as (
        select batch_id, kind, model, parent_id is not null as piece, state, count(*) as jobs from jobs
        group by 1, 2, 3, 4, 5
    ), tallied as (
        select batch_id, kind, model, piece, state, sum(jobs) as jobs from tallies where state is not null
        group by 1, 2, 3, 4, 5 having sum(jobs) <> 0
    )
    select coalesce(c.model, t.model) as model, coalesce(c.state, t.state) as state,
        coalesce(c.jobs, 0) as jobs, coalesce(t.jobs, 0) as tallied
    from counted c full join tallied t on coalesce(c.batch_id, 0) = coalesce(t.batch_id, 0) and c.kind = t.kind
        and c.model = t.model and c.piece = t.piece and c.state = t.state
    where c.jobs is distinct from t.jobs limit :most
""")
SPENT = text("""
    select (select coalesce(sum(cost), 0) from jobs) as jobs, (select coalesce(sum(cost), 0) from tallies) as tallied
""")


def tallies(conn: Connection) -> Iterator[str]:
    """What is counted as it changes is what there is."""
    for row in conn.execute(TALLIED, {"most": MOST}):
        yield f"{row.jobs} jobs of {row.model} are {row.state}, {row.tallied} are counted"
    spent = conn.execute(SPENT).one()
    if spent.jobs > spent.tallied:  # jobs that were pruned stay in what was spent
        yield f"jobs cost ${spent.jobs}, ${spent.tallied} is counted"


__all__ = ["against_ledger", "audit"]
