"""The SQL behind what an operator does to jobs.

Each raises the fence of what it stops, so that a worker's later write changes nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Jobs by id or batch, or all; of one state, kind, model and error, where they are given."""

    ids: Sequence[int] | None = None
    batch: int | None = None
    state: str | None = None
    kind: str | None = None
    model: str | None = None
    code: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """For SELECTED."""
        return {**asdict(self), "ids": None if self.ids is None else list(self.ids)}


@dataclass(frozen=True, slots=True)
class Changed:
    """A job that was changed: what it was and is. `freed`: its model's slot came back.

    US dollars: `released` by its budgets, and the `estimate` of another purchase.
    """

    job_id: int
    model: str
    batch_id: int | None
    source: str
    state: str
    freed: bool
    released: Decimal
    estimate: Decimal
    #: The recording that it is a piece of.
    parent_id: int | None


# What a new value is made of comes from here, not from `jobs` again: Postgres checks the constraints of an
# UPDATE on the row as the statement first saw it, which by then may be older than the locked one.
PICK = """
    select j.id, j.state as source, j.holds_slot, j.reserved, j.lease_until, j.remote_id, j.answered_at, j.error_code
    from jobs j
"""
# What is done to a recording is done to its pieces.
SELECTED = """
    (cast(:ids as bigint[]) is null
        or j.id = any(cast(:ids as bigint[])) or j.parent_id = any(cast(:ids as bigint[])))
    and (cast(:batch as bigint) is null or j.batch_id = :batch)
    and (cast(:state as text) is null or j.state = :state or exists (
        select from jobs p where p.id = j.parent_id and p.state = :state
    ))
    and (cast(:code as text) is null or j.error_code = :code or exists (
        select from jobs p where p.id = j.parent_id and p.error_code = :code
    ))
    and (cast(:kind as text) is null or j.kind = :kind)
    and (cast(:model as text) is null or :model = case when j.model = 'cut' then j.args ->> 'model' else j.model end)
"""
PICKED = f"{PICK} where {SELECTED}"
#: Of a piece also its recording.
RETRIABLE = f"""
    j.state in ('failed', 'cancelled') and ({SELECTED} or j.id in (
        select j.parent_id from jobs j where j.state in ('failed', 'cancelled') and {SELECTED}
    ))
"""
RETURNED = """
    returning j.id, j.model, j.batch_id, p.source, j.state, p.holds_slot and not j.holds_slot as freed,
        p.reserved - j.reserved as released, j.estimate, j.parent_id
"""

# A call that is under way cannot be called back: its outcome is recorded, then the job is cancelled.
CANCEL = text(f"""
    with picked as (
        {PICKED} and j.state not in ('succeeded', 'failed', 'cancelled')
            and not (cast(:keep_result as boolean) and j.state in ('waiting', 'storing'))
        -- Earlier jobs before those that wait for them, as whoever ends an earlier one has it.
        order by j.blocked_by > 0, j.id for update
    )
    update jobs j set
        cancel_requested = true,
        keep_result = :keep_result,
        reserved = case when p.source = 'running' then p.reserved else 0 end,
        state = case when p.source = 'running' then 'running' else 'cancelled' end,
        fence = j.fence + case when p.source = 'running' then 0 else 1 end,
        holds_slot = p.holds_slot and p.source = 'running',
        lease_until = case when p.source = 'running' then p.lease_until end,
        next_poll_at = null, next_fetch_at = null,
        finished_at = case when p.source <> 'running' then now() end
    from picked p where j.id = p.id
    {RETURNED}
""")

# What is paid for is not bought again: it goes on where it was lost. A recording waits for its pieces again, and a
# piece takes its recording along.
RETRY = text(f"""
    with picked as (
        {PICK} where ({RETRIABLE} or j.id = any(cast(:along as bigint[])) and j.state in ('failed', 'cancelled'))
            and not j.id = any(cast(:stuck as bigint[]))
        order by j.id for update
    ), planned as (
        select p.*, case
            when p.remote_id = 'pieces' then 'waiting'
            when a.outcome = 'answered' and p.error_code is distinct from 'unreadable_answer'
                and (p.answered_at is not null or p.remote_id is null) and p.error_code is distinct from 'output_lost'
                then 'storing'
            when a.outcome = 'answered' and p.remote_id is not null
                and p.error_code is distinct from 'unreadable_answer' then 'waiting'
            else 'queued' end as target
        from picked p join jobs o on o.id = p.id
        left join attempts a on a.job_id = o.id and a.number = coalesce(o.paid_attempt, o.requests)
    )
    update jobs j set
        state = p.target,
        fence = j.fence + 1,
        attempt = case when p.target = 'queued' then 0 else j.attempt end,
        crashes = 0, polls = 0, fetches = 0, gone = 0, cancel_requested = false, keep_result = false,
        asked_again = false, worker = null,
        remote_id = case when p.target = 'queued' then null else j.remote_id end,
        paid_attempt = case when p.target = 'queued' then null else j.paid_attempt end,
        answered_at = case when p.target = 'queued' then null else j.answered_at end,
        -- What was to run later still is.
        run_at = greatest(j.run_at, now()), finished_at = null, error_code = null, error_message = null,
        next_poll_at = case when p.target = 'waiting' and p.remote_id <> 'pieces' then now() end,
        next_fetch_at = case when p.target = 'storing' then now() end,
        blocked_by = case when p.target = 'queued' then (
            select count(*) from links l join jobs e on e.id = l.earlier_id
            where l.later_id = j.id and e.state <> 'succeeded'
        ) else 0 end
    from planned p where j.id = p.id
    {RETURNED}
""")

# Calls of pieces that were under way at the cancel: what they bring is wanted again.
UNCANCEL = text("""
    update jobs set cancel_requested = false, keep_result = false
    where parent_id = any(cast(:ids as bigint[])) and state = 'running' and cancel_requested
""")

# After an unknown outcome the same request id is sent again: at best the API notices. What has a task at
# the provider can be waited for anew instead.
RESOLVE = text(f"""
    with picked as (
        {PICKED} and j.state = 'held' and (cast(:target as text) <> 'waiting' or j.remote_id is not null)
        order by j.id for update
    )
    update jobs j set
        state = :target,
        fence = j.fence + 1,
        attempt = case when :target = 'queued' then 0 else j.attempt end,
        remote_id = case when :target = 'queued' then null else j.remote_id end,
        paid_attempt = case when :target = 'queued' then null else j.paid_attempt end,
        next_request_id = case when :target = 'queued' and p.error_code is distinct from '1231' then (
            select a.request_id from attempts a
            where a.job_id = j.id and a.number = j.requests and a.outcome = 'unknown'
        ) end,
        run_at = case when :target = 'queued' then now() else j.run_at end,
        next_poll_at = case when :target = 'waiting' then now() end,
        submitted_at = case when :target = 'waiting' then now() else j.submitted_at end,
        doubted_at = null,
        finished_at = case when :target = 'failed' then now() end
    from picked p where j.id = p.id
    {RETURNED}
""")


def cancel(conn: Connection, selection: Selection, *, keep_result: bool = False) -> list[Changed]:
    """`keep_result`: what is paid for by now goes on, and is stored."""
    return change(conn, CANCEL, selection, reason="cancelled by an operator", keep_result=keep_result)


def retry(
    conn: Connection, selection: Selection, *, along: Sequence[int], stuck: Sequence[int], reason: str
) -> list[Changed]:
    """`along`: more to run again; `stuck`: what is not, although it was selected. `pipelines.retry` knows both."""
    changed = change(conn, RETRY, selection, reason=reason, along=list(along), stuck=list(stuck))
    if recordings := [each.job_id for each in changed if each.state == "waiting"]:
        conn.execute(UNCANCEL, {"ids": recordings})
    return changed


def resolve(conn: Connection, selection: Selection, *, target: str) -> list[Changed]:
    return change(conn, RESOLVE, selection, reason="resolved by an operator", target=target)


#: For the events that the trigger writes; ends with the transaction.
BECAUSE = text("select set_config('mediajobs.reason', :reason, true)")


def change(conn: Connection, statement: Any, selection: Selection, *, reason: str, **values: Any) -> list[Changed]:
    conn.execute(BECAUSE, {"reason": reason})
    found = conn.execute(statement, {**selection.values, **values}).all()
    conn.execute(BECAUSE, {"reason": ""})
    return [Changed(*row) for row in found]


#: Jobs that a person's action would change, at most; more are told as more.
MOST = 100_000
#: What an action can be done to.
ALLOWED = {
    "retry": ("failed", "cancelled"),
    "cancel": ("queued", "dispatched", "running", "waiting", "storing", "held"),
    "resolve": ("held",),
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would change: how many jobs, and US dollars that they may cost (retry) or did (cancel).

    `paid`: those whose result is paid for and not stored yet. `more`: than were counted.
    """

    jobs: int
    estimate: Decimal
    paid: int
    paid_cost: Decimal

    @property
    def more(self) -> bool:
        return self.jobs > MOST


PREVIEW = text(f"""
    select count(*) as jobs, coalesce(sum(estimate), 0) as estimate,
        count(*) filter (where state in ('waiting', 'storing') and cost > 0) as paid,
        coalesce(sum(cost) filter (where state in ('waiting', 'storing')), 0) as paid_cost
    from (
        select state, estimate, cost from jobs j
        where ({SELECTED} and j.state = any(cast(:allowed as text[])) or j.id = any(cast(:along as bigint[])))
            and not j.id = any(cast(:stuck as bigint[])) and j.parent_id is null limit :most
    ) seen
""")


def preview(
    conn: Connection, action: str, selection: Selection, *, along: Sequence[int] = (), stuck: Sequence[int] = ()
) -> Preview:
    """What `action` (retry, cancel, resolve) would be done to; `along` and `stuck` as in `retry`."""
    values = {**selection.values, "allowed": list(ALLOWED[action]), "most": MOST + 1}
    values |= {"along": list(along), "stuck": list(stuck)}
    return Preview(*conn.execute(PREVIEW, values).one())
