"""The SQL that changes a job's state as its work goes on. `interventions`, `pipelines`, `recordings` have the rest.

Each statement keeps to `state.LEGAL`; `doctor --audit` holds every step that was made against it.

Every write names the job and the fence of the claim that makes it: a later claim's
fence is higher, so that an older write changes nothing. All times are the database's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, TextClause, text

from models.limit import ACCOUNT
from models.recordings import NewPiece
from models.state import FINAL, JobState, check_move


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job in the hands of one process, and the attempt that was written with the claim."""

    job_id: int
    fence: int
    kind: str
    model: str
    args: dict[str, Any]
    #: Counted tries, this one included.
    attempt: int
    #: The row of `attempts`.
    number: int
    request_id: str
    #: Answers lost so far: policy allows one more purchase after the first.
    unknowns: int
    #: US dollars that a success costs.
    estimate: Decimal
    #: When it got its slot, by the database's clock.
    dispatched_at: datetime
    batch_id: int | None
    #: The recording that it is a piece of.
    parent_id: int | None
    #: Keys of the jobs that it comes after.
    after: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A waiting job to ask the provider about."""

    job_id: int
    fence: int
    batch_id: int | None
    kind: str
    model: str
    args: dict[str, Any]
    number: int
    remote_id: str
    polls: int
    #: US dollars that its request is on record with.
    charged: Decimal
    #: Seconds since the provider accepted the work.
    age_s: float
    #: Seconds since it first said, and has said ever since, that it knows nothing (readable) of it.
    doubted_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """A job whose outputs are to be stored, with the raw answer that names them."""

    job_id: int
    fence: int
    batch_id: int | None
    kind: str
    model: str
    args: dict[str, Any]
    number: int
    fetches: int
    #: Those of them in which it was the file that was amiss.
    gone: int
    #: Workers that died with it.
    crashes: int
    remote_id: str | None
    answer: bytes
    #: The result was asked for again already, for its URL was dead.
    asked_again: bool
    #: Seconds until the result's URLs are believed to die; less than 0: since.
    expires_in_s: float
    #: The recording that it is a piece of.
    parent_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """What became of a request: closes its row of `attempts`."""

    number: int
    outcome: str
    http_status: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    excerpt: str | None = None
    answer: bytes | None = None
    remote_id: str | None = None
    cost: Decimal = Decimal(0)
    possibly_charged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOutput:
    """A complete file in the store."""

    index: int
    role: str
    location: str
    mime: str
    bytes: int
    sha256: str
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One step of one job. `delay_s`: seconds until the next run, poll or fetch.

    Raises IllegalMoveError where the table of legal moves lacks the step.
    """

    job_id: int
    fence: int
    source: JobState
    target: JobState
    delay_s: float = 0.0
    #: The attempt does not count: the job was limited, paused or interrupted.
    give_back: bool = False
    remote_id: str | None = None
    next_request_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    #: US dollars to add to the job's cost.
    cost: Decimal = Decimal(0)
    #: This step adds a charge that nobody can be sure of.
    possibly_charged: bool = False
    crashed: bool = False
    #: The file was amiss, not the way to it.
    gone: bool = False
    #: It waits on, but its slot goes to others.
    frees_slot: bool = False
    #: It waits on, although the provider knows nothing of it.
    doubted: bool = False
    #: Seconds that the result's URLs are believed to live.
    expires_s: float | None = None
    attempt_end: AttemptEnd | None = None
    outputs: tuple[StoredOutput, ...] = ()
    #: What a recording was cut into.
    pieces: tuple[NewPiece, ...] = ()
    parent_id: int | None = None

    def __post_init__(self) -> None:
        check_move(self.source, self.target)

    @property
    def unknown(self) -> bool:
        """The answer was lost after sending."""
        return self.attempt_end is not None and self.attempt_end.outcome == "unknown"


@dataclass(frozen=True, slots=True)
class Moved:
    """A step that was made. `freed`: the model's slot came back; `released`: US dollars that budgets held for it.

    `probing`: its model, or the account, has a pause that the next good answer ends.
    """

    job_id: int
    fence: int
    state: JobState
    kind: str
    model: str
    freed: bool
    batch_id: int | None
    released: Decimal
    #: The recording that it is a piece of.
    parent_id: int | None
    probing: bool


@dataclass(frozen=True, slots=True)
class Spent:
    """A change of what a job's requests cost, or may have cost, for the budgets that are set.

    US dollars, less than 0 if it turned out free.
    """

    job_id: int
    model: str
    batch_id: int | None
    amount: Decimal


def rows_of(items: Sequence[Any], *names: str) -> dict[str, list[Any]]:
    """Columns for `unnest` from objects with these attributes."""
    return {name: list(map(attrgetter(name), items)) for name in names}


#: What a job gets with its slot, and with its claim; `o` is the old row.
GIVEN = "holds_slot = true, reserved = j.estimate, dispatched_at = now()"
TAKEN = """
    state = 'running',
    fence = j.fence + 1,
    attempt = j.attempt + 1,
    requests = j.requests + 1,
    lease_until = now() + :lease_s * interval '1 second',
    worker = :worker,
    started_at = now(),
    next_request_id = null
"""
# The old row: UPDATE returns new values only, and the id to send again is cleared. Found by nothing but its id:
# by its state too, it could be looked for among all that are queued.
WANTED = """
    select id, state, blocked_by, model, next_request_id from jobs
    where id = any(cast(:job_ids as bigint[]))
    order by id for update skip locked
"""
CLAIMED = """
    j.id as job_id, j.fence, j.kind, j.model, j.args, j.attempt, j.requests as number,
    coalesce(o.next_request_id, w.request_id) as request_id, j.unknowns, j.estimate, j.dispatched_at,
    j.batch_id, j.parent_id, j.after
"""
INTENT = """
    insert into attempts (job_id, number, fence, request_id, worker)
    select job_id, number, fence, request_id, :worker from claimed
"""


def claiming(which: str, *, gives: str = "") -> TextClause:
    """The claim of those of the wanted jobs that are `which`, with the intent of their requests."""
    return text(f"""
        with old as ({WANTED}), claimed as (
            update jobs j set {gives} {TAKEN}
            from old o join unnest(cast(:job_ids as bigint[]), cast(:request_ids as text[])) as w (id, request_id)
                on w.id = o.id
            where j.id = o.id and {which}
            returning {CLAIMED}
        ), intent as ({INTENT})
        select * from claimed
    """)


# A paused model's jobs are not claimed: not one more call goes out. Rescue takes them back.
CLAIM = claiming("""
    o.state = 'dispatched' and not exists (
        select from limits l where l.model in (o.model, :account)
            and l.pause_reason is not null and (l.paused_until is null or l.paused_until > now())
    )
""")


def claim(
    conn: Connection,
    job_ids: Sequence[int],
    request_ids: Sequence[str],
    *,
    worker: str,
    lease_s: float,
) -> list[Claim]:
    """Take dispatched jobs and write the intent of their requests, in one statement.

    A duplicate or stale message claims nothing. The request id of a lost attempt, where
    policy sends it once more, goes before the new one that is offered here.
    """
    values = {
        "job_ids": list(job_ids),
        "request_ids": list(request_ids),
        "worker": worker,
        "lease_s": lease_s,
        "account": ACCOUNT,
    }
    return [Claim(**row) for row in conn.execute(CLAIM, values).mappings()]


# The caller holds the lock of the model's limit, has found no pause there, and counts slots and money.
DISPATCH = text(f"""
    with old as ({WANTED})
    update jobs j set state = 'dispatched', {GIVEN}, lease_until = now() + :lease_s * interval '1 second'
    from old o where j.id = o.id and o.state = 'queued' and o.blocked_by = 0
    returning j.id as job_id, j.kind
""")


def dispatch(conn: Connection, job_ids: Sequence[int], *, lease_s: float) -> dict[int, str]:
    """Give queued jobs a slot each; returns those that took it, with their kinds."""
    rows = conn.execute(DISPATCH, {"job_ids": list(job_ids), "lease_s": lease_s})
    return {row.job_id: row.kind for row in rows}


START = claiming("o.state = 'queued' and o.blocked_by = 0", gives=f"{GIVEN},")


def start(
    conn: Connection,
    job_ids: Sequence[int],
    request_ids: Sequence[str],
    *,
    worker: str,
    lease_s: float,
) -> list[Claim]:
    """As `dispatch` and `claim`, in one step, for a process that goes on with these queued jobs at once."""
    values = {"job_ids": list(job_ids), "request_ids": list(request_ids), "worker": worker, "lease_s": lease_s}
    return [Claim(**row) for row in conn.execute(START, values).mappings()]


# A poll is leased by pushing its time forward: if the poller dies, it is due again.
CLAIM_POLLS = text("""
    update jobs j set
        fence = j.fence + 1,
        polls = j.polls + 1,
        next_poll_at = now() + :lease_s * interval '1 second'
    where j.id in (
        select id from jobs where state = 'waiting' and next_poll_at <= now()
        order by next_poll_at limit :most for update skip locked
    )
    returning j.id as job_id, j.fence, j.batch_id, j.kind, j.model, j.args,
        coalesce(j.paid_attempt, j.requests) as number, j.remote_id, j.polls, (
            select a.cost from attempts a where a.job_id = j.id and a.number = coalesce(j.paid_attempt, j.requests)
        ) as charged, cast(extract(epoch from now() - j.submitted_at) as float8) as age_s,
        cast(extract(epoch from now() - coalesce(j.doubted_at, now())) as float8) as doubted_s
""")


def claim_polls(conn: Connection, *, most: int, lease_s: float) -> list[Poll]:
    """Take waiting jobs whose poll is due."""
    rows = conn.execute(CLAIM_POLLS, {"most": most, "lease_s": lease_s}).mappings()
    return [Poll(**row) for row in rows]


# A worker that is still noted died with the download: its successor counts that.
CLAIM_FETCHES = text("""
    with claimed as (
        update jobs j set
            fence = j.fence + 1,
            fetches = j.fetches + 1,
            crashes = j.crashes + cast(o.worker is not null as int),
            worker = :worker,
            next_fetch_at = now() + :lease_s * interval '1 second'
        from (
            select id, worker from jobs where state = 'storing' and next_fetch_at <= now()
            order by result_expires_at, id limit :most for update skip locked
        ) o
        where j.id = o.id
        returning j.id, j.fence, j.batch_id, j.kind, j.model, j.args,
            coalesce(j.paid_attempt, j.requests) as number, j.fetches, j.gone, j.crashes, j.remote_id,
            j.asked_again, j.parent_id,
            coalesce(cast(extract(epoch from j.result_expires_at - now()) as float8), 'infinity') as expires_in_s
    )
    select c.id as job_id, c.fence, c.batch_id, c.kind, c.model, c.args, c.number, c.fetches, c.gone, c.crashes,
        c.remote_id, c.asked_again, c.expires_in_s, c.parent_id, a.answer
    from claimed c join attempts a on a.job_id = c.id and a.number = c.number
""")  # fmt: skip


def claim_fetches(conn: Connection, *, most: int, worker: str, lease_s: float) -> list[Fetch]:
    """Take jobs whose outputs are to be stored, with their raw answers: first those whose URLs die first."""
    values = {"most": most, "worker": worker, "lease_s": lease_s}
    return [Fetch(**row) for row in conn.execute(CLAIM_FETCHES, values).mappings()]


# Whether a budget is set at all: no other statement needs to look then. Exact, for whoever sets one locks `jobs` first.
BUDGETED = "exists (select from budgets)"
# Rows are locked in the order of their ids, so that two writers never wait for each other in a ring.
# A cancelled job goes no further: what comes back for it is recorded, then it ends.
SETTLE = text(f"""
    with moves as (
        select * from unnest(
            cast(:job_id as bigint[]), cast(:fence as bigint[]), cast(:source as text[]), cast(:target as text[]),
            cast(:delay_s as float8[]), cast(:give_back as boolean[]), cast(:remote_id as text[]),
            cast(:next_request_id as text[]), cast(:error_code as text[]), cast(:error_message as text[]),
            cast(:cost as numeric[]), cast(:possibly_charged as boolean[]), cast(:crashed as boolean[]),
            cast(:gone as boolean[]), cast(:unknown as boolean[]), cast(:frees_slot as boolean[]),
            cast(:doubted as boolean[]), cast(:expires_s as float8[])
        ) as m (id, fence, source, wanted, delay_s, give_back, remote_id, next_request_id, error_code,
            error_message, cost, possibly_charged, crashed, gone, unknown, frees_slot, doubted, expires_s)
    ), before as (
        select m.*, j.holds_slot, j.reserved, l.slot_scope,
            l.probes or exists (select from limits a where a.model = :account and a.probes) as probing,
            -- To be cut is nothing that was paid for.
            case when j.cancel_requested and (
                m.wanted in ('queued', 'held') or m.wanted in ('waiting', 'storing')
                and (not j.keep_result or m.remote_id is not distinct from 'pieces')
            ) then 'cancelled' else m.wanted end as target
        from jobs j
        join moves m on m.id = j.id and m.fence = j.fence and m.source = j.state
        join limits l on l.model = j.model
        where j.id = any(cast(:job_id as bigint[]))
        order by j.id for update of j
    )
    update jobs j set
        state = m.target,
        holds_slot = m.holds_slot and m.target = 'waiting' and m.slot_scope = 'task' and not m.frees_slot,
        reserved = 0,
        lease_until = null,
        worker = null,
        partial = null,
        run_at = case when m.target = 'queued' then now() + m.delay_s * interval '1 second' else j.run_at end,
        -- A recording waits for its pieces, and they have their own money.
        next_poll_at = case when m.target = 'waiting' and m.remote_id is distinct from 'pieces'
            then now() + m.delay_s * interval '1 second' end,
        estimate = case when m.target = 'waiting' and m.remote_id = 'pieces' then 0 else j.estimate end,
        next_fetch_at = case when m.target = 'storing' then now() + m.delay_s * interval '1 second' end,
        attempt = j.attempt - cast(m.give_back as int),
        crashes = j.crashes + cast(m.crashed as int),
        unknowns = j.unknowns + cast(m.unknown as int),
        remote_id = case when m.target = 'cancelled' and m.remote_id = 'pieces' then j.remote_id
            else coalesce(m.remote_id, j.remote_id) end,
        next_request_id = m.next_request_id,
        error_code = m.error_code,
        error_message = m.error_message,
        cost = j.cost + m.cost,
        possibly_charged = j.possibly_charged or m.possibly_charged,
        paid_attempt = case when m.source = 'running' and m.target in ('waiting', 'storing') then j.requests
            else j.paid_attempt end,
        submitted_at = case when m.remote_id is null then j.submitted_at else now() end,
        doubted_at = case when m.doubted then coalesce(j.doubted_at, now()) end,
        answered_at = case when m.target = 'storing' then coalesce(j.answered_at, now()) else j.answered_at end,
        result_expires_at = coalesce(now() + m.expires_s * interval '1 second', j.result_expires_at),
        -- Back to the provider: the result's URL was dead. Fetches are counted anew for the new one.
        asked_again = j.asked_again or m.source = 'storing' and m.target = 'waiting',
        fetches = case when m.source = 'storing' and m.target = 'waiting' then 0 else j.fetches end,
        gone = case when m.source = 'storing' and m.target = 'waiting' then 0 else j.gone + cast(m.gone as int) end,
        finished_at = case when m.target in ({", ".join(f"'{each}'" for each in sorted(FINAL))}) then now() end
    from before m
    where j.id = m.id and j.fence = m.fence
    returning j.id as job_id, j.fence, j.state, j.kind, j.model, m.holds_slot and not j.holds_slot as freed,
        j.batch_id, case when {BUDGETED} then m.reserved else 0 end as released, j.parent_id, m.probing
""")
# Recordings before their pieces, as their ids are: who ends a piece asks then whether it was the last.
LOCK_FAMILY = text("select from jobs where id = any(cast(:ids as bigint[])) order by id for update")

# An attempt is closed by its own number, whoever holds the job by now: what a late answer brings was paid for.
# Its money before is read under the row's lock: an expired claim and its late answer may close it at once.
WORTH = "({0} + case when {1} then greatest(j.estimate - {0}, 0) else 0 end)"
GAINED = f"{WORTH.format('a.cost', 'a.possibly_charged')} - {WORTH.format('e.cost_before', 'e.doubt_before')}"
END_ATTEMPTS = text(f"""
    with ends as (
        select * from unnest(
            cast(:job_id as bigint[]), cast(:number as bigint[]), cast(:outcome as text[]),
            cast(:http_status as int[]), cast(:error_code as text[]), cast(:error_message as text[]),
            cast(:excerpt as text[]), cast(:answer as bytea[]), cast(:remote_id as text[]), cast(:cost as numeric[]),
            cast(:possibly_charged as boolean[])
        ) as e (job_id, number, outcome, http_status, error_code, error_message, excerpt, answer, remote_id, cost,
            possibly_charged)
    ), before as (
        select e.*, a.cost as cost_before, a.possibly_charged as doubt_before
        from ends e join attempts a on a.job_id = e.job_id and a.number = e.number
        where a.job_id = any(cast(:job_id as bigint[]))
        order by a.job_id, a.number for update of a
    )
    update attempts a set
        ended_at = now(), outcome = e.outcome, http_status = e.http_status, error_code = e.error_code,
        error_message = e.error_message, excerpt = e.excerpt, answer = coalesce(e.answer, a.answer),
        remote_id = coalesce(e.remote_id, a.remote_id), cost = a.cost + e.cost,
        -- Once the answer is there, be it a refusal, nothing is in doubt.
        possibly_charged = e.possibly_charged or a.possibly_charged and e.outcome = 'unknown'
    from before e
    join jobs j on j.id = e.job_id
    where a.job_id = e.job_id and a.number = e.number
    returning a.job_id, j.model, j.batch_id,
        case when {BUDGETED} then {GAINED} else 0 end as amount
""")

ADD_OUTPUTS = text("""
    insert into outputs (job_id, index, role, location, mime, bytes, sha256, text)
    select * from unnest(
        cast(:job_id as bigint[]), cast(:index as int[]), cast(:role as text[]), cast(:location as text[]),
        cast(:mime as text[]), cast(:bytes as bigint[]), cast(:sha256 as text[]), cast(:text as text[])
    )
    on conflict (job_id, index) do update set
        role = excluded.role, location = excluded.location, mime = excluded.mime, bytes = excluded.bytes,
        sha256 = excluded.sha256, text = excluded.text
""")


def settle(conn: Connection, moves: Sequence[Move]) -> tuple[list[Moved], list[Spent]]:
    """Make these steps, close their attempts, add their outputs; returns the steps that the fence allowed, and costs.

    No claim may stand in `moves` twice. What a stale step brings that was paid for is kept with
    its attempt, and marked for `adopt`.
    """
    if parents := {move.parent_id for move in moves if move.parent_id}:
        conn.execute(LOCK_FAMILY, {"ids": [*parents, *(move.job_id for move in moves)]})
    values = rows_of(
        moves, "job_id", "fence", "source.value", "target.value", "delay_s", "give_back", "remote_id",
        "next_request_id", "error_code", "error_message", "cost", "possibly_charged", "crashed", "gone",
        "unknown", "frees_slot", "doubted", "expires_s",
    )  # fmt: skip
    # psycopg sends our enum as a Postgres one, and no array of mixed numbers.
    values["delay_s"] = list(map(float, values["delay_s"]))
    values |= {"source": values.pop("source.value"), "target": values.pop("target.value")}
    moved = [as_moved(row, probing=row.probing) for row in conn.execute(SETTLE, {**values, "account": ACCOUNT})]
    made = {(each.job_id, each.fence) for each in moved}
    spent: list[Spent] = []
    # Of what is stale, only an answer to the call itself: what an old poll heard, a newer one hears too.
    closing = [each for each in moves if (each.job_id, each.fence) in made or each.source is JobState.RUNNING]
    if ends := [(move.job_id, move.attempt_end) for move in closing if move.attempt_end]:
        values = rows_of(
            [end for _, end in ends], "number", "outcome", "http_status", "error_code", "error_message",
            "excerpt", "answer", "remote_id", "cost", "possibly_charged",
        )  # fmt: skip
        values["job_id"] = [job_id for job_id, _ in ends]
        spent = [Spent(*row) for row in conn.execute(END_ATTEMPTS, values) if row.amount]
    if stale := [each for each in closing if (each.job_id, each.fence) not in made and each.attempt_end]:
        note_late(conn, stale)
    # A recording of which a piece failed has what there is.
    ended = {(each.job_id, each.fence) for each in moved if each.state in (JobState.SUCCEEDED, JobState.FAILED)}
    if outputs := [(m.job_id, each) for m in moves if (m.job_id, m.fence) in ended for each in m.outputs]:
        values = rows_of(
            [output for _, output in outputs], "index", "role", "location", "mime", "bytes", "sha256", "text"
        )
        conn.execute(ADD_OUTPUTS, {"job_id": [job_id for job_id, _ in outputs], **values})
    return moved, spent


def as_moved(row: Any, *, probing: bool = True) -> Moved:
    return Moved(
        row.job_id, row.fence, JobState(row.state), row.kind, row.model, row.freed, row.batch_id, row.released,
        row.parent_id, probing,
    )  # fmt: skip


MARK_LATE = text("""
    update attempts a set late = true
    from unnest(cast(:job_ids as bigint[]), cast(:numbers as bigint[])) as l (job_id, number)
    where a.job_id = l.job_id and a.number = l.number
""")
# A job's money is its attempts' money.
SUM_UP = text("""
    update jobs j set cost = s.cost, possibly_charged = s.possibly_charged
    from (
        select job_id, sum(cost) as cost, bool_or(possibly_charged) as possibly_charged
        from attempts where job_id = any(cast(:job_ids as bigint[])) group by job_id
    ) s
    where j.id = s.job_id
""")


def note_late(conn: Connection, stale: Sequence[Move]) -> None:
    """Mark paid answers that came when a later claim had the job, and bring the jobs' money up to date."""
    ends = [(move.job_id, move.attempt_end) for move in stale if move.attempt_end]
    answered = [(job_id, end.number) for job_id, end in ends if end.outcome == "answered"]
    values = {"job_ids": [job_id for job_id, _ in answered], "numbers": [number for _, number in answered]}
    conn.execute(MARK_LATE, values)
    conn.execute(SUM_UP, {"job_ids": [move.job_id for move in stale]})


# Only jobs in whose place nothing is under way: while a second call runs, or its result is fetched,
# the late one waits to be needed. What ended otherwise needs it no more: then it is only on the bill.
ADOPT = text("""
    with picked as (
        select j.id, j.holds_slot, j.reserved, l.slot_scope,
            (select min(a.number) from attempts a where a.job_id = j.id and a.late) as number
        from jobs j join limits l on l.model = j.model
        where j.id in (select job_id from attempts where late) and not j.cancel_requested
            and (j.state in ('queued', 'dispatched', 'held') or j.state = 'failed' and j.paid_attempt is null)
        order by j.id for update of j skip locked
    ), late as (
        update attempts a set late = false from picked p where a.job_id = p.id and a.number = p.number
        returning p.id as job_id, a.number, a.remote_id, p.reserved, p.holds_slot,
            p.holds_slot and a.remote_id is not null and p.slot_scope = 'task' as keeps_slot
    )
    update jobs j set
        state = case when l.remote_id is null then 'storing' else 'waiting' end,
        fence = j.fence + 1,
        paid_attempt = l.number,
        remote_id = l.remote_id,
        holds_slot = l.keeps_slot,
        reserved = 0,
        lease_until = null,
        worker = null,
        next_request_id = null,
        error_code = null,
        error_message = null,
        finished_at = null,
        submitted_at = case when l.remote_id is null then j.submitted_at else now() end,
        answered_at = case when l.remote_id is null then now() else j.answered_at end,
        next_poll_at = case when l.remote_id is not null then now() end,
        next_fetch_at = case when l.remote_id is null then now() end
    from late l where j.id = l.job_id
    returning j.id as job_id, j.fence, j.state, j.kind, j.model, l.holds_slot and not l.keeps_slot as freed,
        j.batch_id, l.reserved as released, j.parent_id
""")


def adopt(conn: Connection) -> list[Moved]:
    """Put paid answers that came late to use, for jobs that would otherwise be bought again, held or lost."""
    return [as_moved(row) for row in conn.execute(ADOPT)]


SAY = text("""
    update jobs j set partial = s.said
    from unnest(cast(:job_ids as bigint[]), cast(:fences as bigint[]), cast(:texts as text[])) as s (id, fence, said)
    where j.id = s.id and j.fence = s.fence and j.state = 'running'
""")


def say(conn: Connection, said: Sequence[tuple[int, int, str]]) -> None:
    """Show what streams brought so far: (id, fence, text), none twice."""
    values = {
        "job_ids": [each[0] for each in said],
        "fences": [each[1] for each in said],
        "texts": [each[2] for each in said],
    }
    conn.execute(SAY, values)


HEARTBEAT = text("""
    update jobs j set
        lease_until = case when j.state = 'running' then now() + :lease_s * interval '1 second' end,
        next_poll_at = case when j.state = 'waiting' then now() + :lease_s * interval '1 second' end,
        next_fetch_at = case when j.state = 'storing' then now() + :lease_s * interval '1 second' end
    from unnest(cast(:job_ids as bigint[]), cast(:fences as bigint[])) as h (id, fence)
    where j.id = h.id and j.fence = h.fence and j.state in ('running', 'waiting', 'storing')
    returning j.id, j.fence
""")


def heartbeat(conn: Connection, held: Sequence[tuple[int, int]], *, lease_s: float) -> list[tuple[int, int]]:
    """Renew the leases of the (id, fence) pairs that a process has in hand; returns those that are still its own."""
    values = {
        "job_ids": [each[0] for each in held],
        "fences": [each[1] for each in held],
        "lease_s": lease_s,
    }
    return [(row.id, row.fence) for row in conn.execute(HEARTBEAT, values)]
