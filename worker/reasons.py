"""Reads why queued jobs wait: limits, pauses, budgets, and what goes before them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from models import pipelines
from models.limit import ACCOUNT
from models.money import Scope, scopes
from models.slots import HALF_OPEN, PAUSED
from worker.waiting import BEHIND_HELD, FOLLOWS, BudgetState, ModelState, after, later, why

#: Jobs that a reason names.
NAMED = 3
ACCOUNT_PAUSED = PAUSED.replace("l.", "a.")
ACCOUNT_PROBES = HALF_OPEN.replace("l.", "a.")
LIMITS = text(f"""
    select l.model, l.in_use, l.learned as slots, l.concurrency, l.per_minute,
        cast(extract(epoch from l.rate_at - now()) as float8) as rate_in_s,
        case when {PAUSED} or {HALF_OPEN} then l.pause_reason end as pause_reason, l.paused_until,
        {HALF_OPEN} as probing,
        case when {ACCOUNT_PAUSED} or {ACCOUNT_PROBES} then a.pause_reason end as account_reason,
        a.paused_until as account_until, coalesce({ACCOUNT_PROBES}, false) as account_probing
    from limits l left join limits a on a.model = :account where l.model <> :account
""")
BUDGETS = text("""
    select b.scope, b.subject, b.amount, b.reserved, t.name as batch, case
        when b.scope = 'day' and b.day <> cast(now() at time zone 'UTC' as date) then 0 else b.spent end as spent
    from budgets b left join batches t on b.scope = 'batch' and cast(t.id as text) = b.subject
    order by b.scope, b.subject
""")


def model_states(conn: Connection) -> dict[str, ModelState]:
    rows = conn.execute(LIMITS, {"account": ACCOUNT}).mappings()
    return {row["model"]: ModelState(**row) for row in rows}


def budget_states(conn: Connection) -> dict[Scope, BudgetState]:
    return {
        (row.scope, row.subject): BudgetState(budget_name(row), row.amount, row.spent, row.reserved)
        for row in conn.execute(BUDGETS)
    }


def budget_name(row: Any) -> str:
    match row.scope:
        case "day":
            return "the day (UTC)"
        case "batch":
            return f"batch {row.batch or row.subject!r}"
        case _:
            return f"model {row.subject}"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that reasons are made of, read once."""

    models: Mapping[str, ModelState]
    budgets: Mapping[Scope, BudgetState]
    now: datetime

    def why(self, model: str, batch_id: int | None, *, run_at: datetime, cost: Decimal, ahead: int = 0) -> str:
        """What a queued job (or several alike) waits for."""
        if run_at > self.now:
            return later(run_at)
        if model not in self.models:
            return "dispatch"
        budgets = tuple(self.budgets[each] for each in scopes(model, batch_id) if each in self.budgets)
        return why(self.models[model], budgets=budgets, cost=cost, ahead=ahead)


def facts(conn: Connection) -> Facts:
    now = conn.execute(text("select now()")).scalar_one()
    return Facts(model_states(conn), budget_states(conn), now)


QUEUED = text("""
    select model, batch_id, count(*) filter (where run_at <= now()) as due,
        count(*) filter (where run_at > now()) as later, min(run_at) filter (where run_at > now()) as first,
        max(priority) filter (where run_at <= now()) as priority
    from jobs where state = 'queued' and blocked_by = 0 and (cast(:batch as bigint) is null or batch_id = :batch)
    group by model, batch_id
""")
BLOCKED = text("""
    select count(*) from jobs
    where state = 'queued' and blocked_by > 0 and (cast(:batch as bigint) is null or batch_id = :batch)
""")
EARLIER = text("""
    select coalesce(e.key, 'job ' || e.id) as name, e.state from links l join jobs e on e.id = l.earlier_id
    where l.later_id = :job and e.state <> 'succeeded' order by e.id limit :most
""")
# What goes next is what a budget must have room for: others of its batch wait behind it.
NEXT = text("""
    select estimate from jobs
    where state = 'queued' and blocked_by = 0 and model = :model and (-priority) = - cast(:priority as int)
        and coalesce(batch_id, 0) = coalesce(cast(:batch as bigint), 0) and run_at <= now()
    order by run_at, id limit 1
""")
AHEAD = text("""
    select count(*) from jobs
    where state = 'queued' and blocked_by = 0 and model = :model and (-priority) < - cast(:priority as int)
        and run_at <= now()
""")


def waiting_for(conn: Connection, batch_id: int | None) -> dict[str, int]:
    """Reason → queued jobs that wait for it."""
    known = facts(conn)
    reasons: dict[str, int] = {}
    for row in conn.execute(QUEUED, {"batch": batch_id}).all():
        if row.due:
            ahead = conn.execute(AHEAD, {"model": row.model, "priority": row.priority}).scalar_one()
            lane = {"model": row.model, "priority": row.priority, "batch": row.batch_id}
            cost = conn.execute(NEXT, lane).scalar() or Decimal(0)
            reason = known.why(row.model, row.batch_id, run_at=known.now, cost=cost, ahead=ahead)
            reasons[reason] = reasons.get(reason, 0) + row.due
        if row.later:
            reason = later(row.first)
            reasons[reason] = reasons.get(reason, 0) + row.later
    if blocked := conn.execute(BLOCKED, {"batch": batch_id}).scalar_one():
        behind = pipelines.behind_held(conn, batch_id)
        reasons |= {reason: jobs for reason, jobs in ((FOLLOWS, blocked - behind), (BEHIND_HELD, behind)) if jobs}
    return reasons


def earlier(conn: Connection, job_id: int, blocked_by: int) -> str:
    """What one job comes after that has not succeeded."""
    rows = conn.execute(EARLIER, {"job": job_id, "most": NAMED}).all()
    return after([(row.name, row.state) for row in rows], blocked_by)
