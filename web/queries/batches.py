"""Batches: how they stand, how fast they go, why some of their jobs failed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from models import counting
from models.money import scopes
from models.state import JobState
from web.queries.standing import Standing, by_batch, following
from worker.reasons import Facts, budget_states, facts
from worker.waiting import FOLLOWS, BudgetState

PAGE = 25
#: Seconds that a rate is of; of a batch that is younger, as long as there is one, but not less than the second.
RATE_S, LEAST_S = 120, 5
#: Failures that are looked at for their reasons, the newest.
FAILURES = 2_000
#: Spans that a batch's chart has, at most.
COLUMNS = 72
SPANS_S = (10, 60, 300, 900, 3600, 21600, 86400)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """`rates`: jobs a second of late, by model; `stopped`: some of it waits for a pause or a budget, however long."""

    id: int
    name: str
    created_at: datetime
    webhook: str | None
    standing: Standing
    rates: Mapping[str, float]
    stopped: bool

    @property
    def per_s(self) -> float:
        return sum(self.rates.values())

    @property
    def left_s(self) -> float | None:
        """By the slowest model: films take longer than pictures. None where one of them does not move."""
        left = {model: jobs for model, jobs in self.standing.moving.items() if jobs}
        if not left or self.stopped or any(not self.rates.get(model) for model in left):
            return None
        return max(jobs / self.rates[model] for model, jobs in left.items())


LIST = text("""
    select id, name, created_at, webhook from batches
    where id < :before and (cast(:name as text) is null or name ilike :name) order by id desc limit :limit
""")
RECENT = text(f"""
    select batch_id, model, cast(
        sum(came) / least(:seconds, greatest(:least, extract(epoch from now() - min(b.created_at)))) as float8
    ) as per_s
    from tallies t join batches b on b.id = t.batch_id
    where at >= now() - :seconds * interval '1 second' and not piece and batch_id = any(cast(:batches as bigint[]))
        and state in ({counting.FINISHED})
    group by 1, 2
""")


def page(
    conn: Connection, *, name: str | None, before: int | None, limit: int = PAGE
) -> tuple[list[BatchRow], int | None]:
    """The newest batches (below the id `before`), and where the next page goes on."""
    pattern = "%" + name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" if name else None
    values = {"name": pattern, "before": before or 2**63 - 1, "limit": limit + 1}
    found = conn.execute(LIST, values).all()
    return rows(conn, found[:limit]), found[limit - 1].id if len(found) > limit else None


OPEN = text(f"""
    select id, name, created_at, webhook from batches where id in (
        select batch_id from tallies where batch_id is not null and not piece and state not in ({counting.FINISHED})
        group by 1 having sum(jobs) > 0
    ) order by id desc limit :limit
""")


def under_way(conn: Connection, *, limit: int) -> list[BatchRow]:
    return rows(conn, conn.execute(OPEN, {"limit": limit}).all())


def one(conn: Connection, batch: int) -> BatchRow | None:
    found = conn.execute(ONE, {"id": batch}).all()
    return rows(conn, found)[0] if found else None


def rows(conn: Connection, found: Sequence[Any]) -> list[BatchRow]:
    ids = [each.id for each in found]
    stand = by_batch(counting.counts(conn, ids))
    asked = {"batches": ids, "seconds": RATE_S, "least": LEAST_S}
    rates: dict[int, dict[str, float]] = defaultdict(dict)
    for row in conn.execute(RECENT, asked):
        rates[row.batch_id][row.model] = row.per_s
    known = facts(conn)
    return [
        BatchRow(
            id=each.id, name=each.name, created_at=each.created_at, webhook=each.webhook,
            standing=stand.get(each.id) or Standing(), rates=rates[each.id],
            stopped=any(stands_still(conn, known, each.id, model) for model in moving(stand.get(each.id))),
        )
        for each in found
    ]  # fmt: skip


def moving(standing: Standing | None) -> list[str]:
    return [model for model, jobs in standing.moving.items() if jobs] if standing else []


def stands_still(conn: Connection, known: Facts, batch: int, model: str) -> bool:
    """Whether the queued jobs of a model in a batch wait for a pause, or for a budget that has no room for the next."""
    state = known.models.get(model)
    paused = state is not None and (state.account_reason or state.pause_reason) is not None
    budgets = [known.budgets[each] for each in scopes(model, batch) if each in known.budgets]
    if not (paused or budgets):
        return False
    head = conn.execute(HEAD, {"batch": batch, "model": model}).first()
    return head is not None and (paused or any(each.left < head.estimate for each in budgets))


@dataclass(frozen=True, slots=True)
class Failure:
    code: str | None
    message: str | None
    jobs: int


@dataclass(frozen=True, slots=True)
class Column:
    at: datetime
    ended: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    row: BatchRow
    at: datetime
    #: From its submission until it was seen that nothing of it is open.
    took_s: float | None
    span_s: int
    columns: list[Column]
    #: Reasons of the newest failures, and whether there are more than were looked at.
    failures: list[Failure]
    more_failures: bool
    waiting: list[tuple[str, int]]
    budget: BudgetState | None
    charged: int
    #: Its newest jobs that have something to look at.
    newest: list[Any]


ONE = text("select id, name, created_at, webhook, finished_at, now() as now from batches where id = :id")
REASONS = text("""
    select error_code as code, left(error_message, 240) as message, count(*) as jobs from (
        select error_code, error_message from jobs
        where (batch_id, state) >= (:batch, 'failed') and (batch_id, state) <= (:batch, 'failed')
        order by batch_id desc, state desc, id desc limit :most
    ) newest group by 1, 2 order by 3 desc, 1 limit 12
""")
CHARGED = text("""
    select count(*) from (
        select from jobs where possibly_charged and batch_id = :batch and parent_id is null limit 10000
    ) seen
""")
NEWEST = text("""
    select j.id as job, o.index, o.role, o.mime, j.state, j.key, left(o.text, 120) as text
    from jobs j join lateral (
        select * from outputs where job_id = j.id order by role <> 'cover', index limit 1
    ) o on true
    where (j.batch_id, j.state) >= (:batch, 'succeeded') and (j.batch_id, j.state) <= (:batch, 'succeeded')
        and j.parent_id is null
    order by j.batch_id desc, j.state desc, j.id desc limit :limit
""")


def read(conn: Connection, batch: int) -> BatchPage | None:
    found = conn.execute(ONE, {"id": batch}).first()
    if found is None:
        return None
    row = rows(conn, [found])[0]
    failures = [Failure(*each) for each in conn.execute(REASONS, {"batch": batch, "most": FAILURES})]
    span_s, columns = pace(conn, found)
    return BatchPage(
        row=row,
        at=found.now,
        took_s=(found.finished_at - found.created_at).total_seconds() if found.finished_at else None,
        span_s=span_s,
        columns=columns,
        failures=failures,
        more_failures=row.standing.of(JobState.FAILED) > FAILURES,
        waiting=waiting(conn, row),
        budget=budget_states(conn).get(("batch", str(batch))),
        charged=conn.execute(CHARGED, {"batch": batch}).scalar_one(),
        newest=list(conn.execute(NEWEST, {"batch": batch, "limit": 12})),
    )


def pace(conn: Connection, batch: Any) -> tuple[int, list[Column]]:
    """What ended in each span of a batch's life, or of its last part: (seconds of a span, the spans)."""
    last = conn.execute(LAST, {"batch": batch.id}).scalar() or batch.now
    end = min(batch.now, last + timedelta(seconds=10))
    age_s = max((end - batch.created_at).total_seconds(), 1)
    span_s = next((each for each in SPANS_S if age_s / each <= COLUMNS), SPANS_S[-1])
    count = max(min(int(age_s // span_s) + 1, COLUMNS), 12)
    last_start = int(end.timestamp()) // span_s * span_s
    origin = datetime.fromtimestamp(last_start - (count - 1) * span_s, tz=end.tzinfo)
    columns = [Column(origin + timedelta(seconds=each * span_s), {}) for each in range(count)]
    for row in counting.ended(conn, origin=origin, span=f"{span_s} seconds", batch=batch.id):
        place = int((row.at - origin).total_seconds()) // span_s
        if not row.piece and place < count:
            columns[place].ended[row.state] = columns[place].ended.get(row.state, 0) + row.jobs
    return span_s, columns


LAST = text(f"""
    select max(at) from tallies where batch_id = :batch and isfinite(at) and state in ({counting.FINISHED})
""")
#: The head of each model's queue in a batch says what the others behind it wait for.
HEAD = text("""
    select run_at, estimate from jobs
    where state = 'queued' and blocked_by = 0 and model = :model and coalesce(batch_id, 0) = :batch
    order by (-priority), run_at, id limit 1
""")
PIECES_TOO = text("""
    select model, cast(sum(jobs) as bigint) as jobs from tallies
    where batch_id = :batch and state = 'queued' group by 1 having sum(jobs) > 0 order by 2 desc
""")


def waiting(conn: Connection, row: BatchRow) -> list[tuple[str, int]]:
    """What its queued jobs wait for: others before them or, by the first of each model, for what that waits."""
    known = facts(conn)
    behind = following(conn, row.id)
    found = {FOLLOWS: sum(behind.values())} if behind else {}
    for lane in conn.execute(PIECES_TOO, {"batch": row.id}).all():
        head = conn.execute(HEAD, {"batch": row.id, "model": lane.model}).first()
        if head is not None and (jobs := lane.jobs - behind.get(lane.model, 0)) > 0:
            reason = known.why(lane.model, row.id, run_at=head.run_at, cost=head.estimate)
            found[reason] = found.get(reason, 0) + jobs
    return sorted(found.items(), key=lambda each: -each[1])
