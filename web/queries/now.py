"""What is going on: models, their slots and rates; the last hour; what needs a person."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from models import counting
from models.limit import ACCOUNT, CUT
from models.state import JobState
from web.queries.standing import Standing, following, standing
from worker.kinds import KINDS_OF
from worker.reasons import budget_states, model_states
from worker.waiting import BudgetState, ModelState, why

#: Seconds that `jobs/s` is an average of; of what has begun since, as long as it goes on, but not less than the second.
RATE_S, LEAST_S = 60, 10
MINUTES = 60


@dataclass(slots=True)
class Minute:
    """What ended in one minute."""

    at: datetime
    ended: dict[str, int] = field(default_factory=dict)

    def of(self, state: str) -> int:
        return self.ended.get(state, 0)


@dataclass(slots=True)
class Lane:
    """A model: its limit, and how it does. `errors`: the part that failed of what ended in the last hour."""

    state: ModelState
    kinds: list[str]
    #: Queued, after nothing that is still open.
    ready: int
    per_s: float
    errors: float | None
    minutes: list[Minute]
    reason: str | None
    #: Queued, after others.
    behind: int = 0

    @property
    def queued(self) -> int:
        return self.ready + self.behind

    @property
    def paused(self) -> bool:
        return self.state.pause_reason is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    at: datetime
    all: Standing
    lanes: list[Lane]
    minutes: list[Minute]
    #: That succeeded, a second.
    per_s: float
    #: Seconds of work that is queued, by the slowest lane; None where one does not move.
    queue_s: float | None
    spent_today: Decimal
    day: BudgetState | None
    spent_budgets: list[BudgetState]
    account_reason: str | None
    account_until: datetime | None


CLOCK = text("select now()")
SPENT_TODAY = text("""
    select coalesce(sum(cost), 0) from tallies
    where at >= date_trunc('day', now(), 'UTC') and cost <> 0
""")


def read(conn: Connection) -> Now:
    at = conn.execute(CLOCK).scalar_one()
    origin = at.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    ended = counting.ended(conn, origin=origin, span="1 minute")
    recent = counting.ended(conn, origin=at - timedelta(seconds=RATE_S), span="1 day")
    counts = counting.counts(conn)
    states = model_states(conn)
    budgets = budget_states(conn)
    queued: dict[str, int] = defaultdict(int)
    for row in counts:
        if row.state == JobState.QUEUED:
            queued[row.model] += row.jobs
    behind = following(conn)
    lanes = [
        lane(state, queued[name] - behind.get(name, 0), ended, recent, at=at)
        for name, state in states.items()
        if name != ACCOUNT
    ]
    for each in lanes:
        each.behind = behind.get(each.state.model, 0)
    lanes = [each for each in lanes if each.state.model != CUT or each.queued or each.state.in_use]
    account = next(iter(states.values()), None)
    spent = [each for scope, each in budgets.items() if each.left <= 0 and scope[0] != "batch"]
    return Now(
        at=at,
        all=standing(counts),
        lanes=sorted(lanes, key=lambda each: (-each.state.in_use, -each.queued, each.state.model)),
        minutes=minutes([row for row in ended if not row.piece], origin),
        per_s=rate(succeeded(ended), succeeded(recent), at),
        queue_s=queue_s(lanes),
        spent_today=conn.execute(SPENT_TODAY).scalar_one(),
        day=budgets.get(("day", "")),
        spent_budgets=spent,
        account_reason=account.account_reason if account else None,
        account_until=account.account_until if account else None,
    )


def queue_s(lanes: Sequence[Lane]) -> float | None:
    busy = [each for each in lanes if each.ready]
    return max((each.ready / each.per_s for each in busy), default=0.0) if all(each.per_s for each in busy) else None


def minutes(ended: Sequence[Any], origin: datetime) -> list[Minute]:
    """Sixty of them, the newest last."""
    found = [Minute(origin + timedelta(minutes=each)) for each in range(MINUTES)]
    for row in ended:
        place = int((row.at - origin).total_seconds()) // 60
        if 0 <= place < MINUTES:
            found[place].ended[row.state] = found[place].of(row.state) + row.jobs
    return found


def succeeded(rows: Sequence[Any]) -> Sequence[Any]:
    return [row for row in rows if row.state == JobState.SUCCEEDED and not row.piece]


def rate(ended: Sequence[Any], recent: Sequence[Any], at: datetime) -> float:
    """Jobs a second of late. What has only begun to end in the last minute is not divided by more than that time."""
    going_s: float = (at - min((row.first for row in ended), default=at)).total_seconds()
    jobs: int = sum(row.jobs for row in recent)
    return jobs / min(max(going_s, LEAST_S), RATE_S)


def lane(state: ModelState, ready: int, ended: Sequence[Any], recent: Sequence[Any], *, at: datetime) -> Lane:
    ended = [row for row in ended if row.model == state.model]
    own = minutes(ended, at.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1))
    failed = sum(each.of(JobState.FAILED) for each in own)
    done = failed + sum(each.of(JobState.SUCCEEDED) for each in own)
    # Of the account's pause the page tells once, not in each lane.
    reason = why(state) if state.account_reason is None else None
    return Lane(
        state=state,
        kinds=[each.name for each in KINDS_OF.get(state.model, [])],
        ready=ready,
        per_s=rate(ended, [row for row in recent if row.model == state.model], at),
        errors=failed / done if done else None,
        minutes=own,
        reason=reason if reason and (ready or state.pause_reason) and reason != "dispatch" else None,
    )


IN_HAND = text("""
    select worker, count(*) as jobs from jobs where state in ('dispatched', 'running') and worker is not null group by 1
""")


def in_hand(conn: Connection) -> Mapping[str, int]:
    """Process (host:pid) → jobs that it runs."""
    return {row.worker: row.jobs for row in conn.execute(IN_HAND)}
