"""What was spent: by day, model and batch, from the tallies."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import Connection, text

from worker.reasons import budget_states
from worker.waiting import BudgetState


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    by_model: dict[str, Decimal]

    @property
    def cost(self) -> Decimal:
        return sum(self.by_model.values(), Decimal(0))


@dataclass(frozen=True, slots=True)
class Line:
    """`id`: the batch's, where it is one."""

    name: str
    id: int | None
    requests: int
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """Of the last `days`; `possibly`: what lost answers would add if all of them were charged."""

    days: list[Day]
    models: list[Line]
    batches: list[Line]
    cost: Decimal
    requests: int
    possibly: Decimal
    possibly_jobs: int
    budgets: list[tuple[str, str, BudgetState]]


BY_DAY = text("""
    select cast(at at time zone 'UTC' as date) as day, model, sum(cost) as cost,
        cast(sum(requests) as bigint) as requests
    from tallies
    where state is null and isfinite(at) and model <> 'cut'
        and at >= date_trunc('day', now(), 'UTC') - :days * interval '1 day'
    group by 1, 2
""")
BY_BATCH = text("""
    select s.id, coalesce(b.name, case when s.id is null then 'no batch' else 'a batch that is gone' end) as name,
        s.requests, s.cost
    from (
        select batch_id as id, cast(sum(requests) as bigint) as requests, sum(cost) as cost from tallies
        where state is null and isfinite(at) and model <> 'cut'
            and at >= date_trunc('day', now(), 'UTC') - :days * interval '1 day'
        group by 1 order by 3 desc, 1 desc limit 20
    ) s left join batches b on b.id = s.id order by s.cost desc, s.id desc
""")
POSSIBLY = text("""
    select coalesce(sum(greatest(estimate - cost, 0)), 0) as cost, count(*) as jobs from (
        select j.estimate, a.cost from attempts a join jobs j on j.id = a.job_id
        where a.possibly_charged and a.sent_at >= date_trunc('day', now(), 'UTC') - :days * interval '1 day'
        limit 2000
    ) lost
""")
TODAY = text("select cast(now() at time zone 'UTC' as date)")


def read(conn: Connection, *, days: int) -> Spending:
    today = conn.execute(TODAY).scalar_one()
    found = conn.execute(BY_DAY, {"days": days - 1}).all()
    by_day: dict[date, dict[str, Decimal]] = {today - timedelta(days=each): {} for each in reversed(range(days))}
    models: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for row in found:
        if row.day in by_day:
            by_day[row.day][row.model] = row.cost
        requests, cost = models[row.model]
        models[row.model] = (requests + row.requests, cost + row.cost)
    lines = [Line(name, None, *sums) for name, sums in models.items()]
    possibly = conn.execute(POSSIBLY, {"days": days - 1}).one()
    budgets = [(scope, subject, state) for (scope, subject), state in budget_states(conn).items()]
    return Spending(
        days=[Day(day, costs) for day, costs in by_day.items()],
        models=sorted(lines, key=lambda each: -each.cost),
        batches=[Line(row.name, row.id, row.requests, row.cost) for row in conn.execute(BY_BATCH, {"days": days - 1})],
        cost=sum((each.cost for each in lines), Decimal(0)),
        requests=sum(each.requests for each in lines),
        possibly=possibly.cost,
        possibly_jobs=possibly.jobs,
        budgets=budgets,
    )
