"""What a person may do, each with its entry in the trail: the command line and the web act through this."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal

from sqlalchemy import Connection, Row, text
from sqlalchemy.orm import Session

from models import money, outbox, slots
from models.limit import ACCOUNT, CUT
from models.money import Scope
from worker import actions, keys, reasons, scheduling, submission
from worker.actions import Counts, Selection
from worker.addresses import Network, host_of
from worker.keys import Role
from worker.kick import kick_after_commit
from worker.kind import ASSUMED_CONCURRENCY
from worker.kinds import KINDS_OF
from worker.producer import CUTS, Inserted
from worker.scheduling import Backfill, Forgotten, Plan
from worker.submission import Order, Sieve
from worker.tariff import Price
from worker.trail import Actor, note
from worker.waiting import BudgetState
from worker.webhooks import manage

#: Ids of jobs that an entry names at most.
MOST_IDS = 100


LEFT = text("select extract(epoch from :until - now())")


@dataclass(frozen=True, slots=True)
class Operator:
    """Acts in the session's transaction; the caller commits."""

    session: Session
    by: Actor

    # -- jobs ------------------------------------------------------------------------------------------

    def submit(self, order: Order, sieve: Sieve) -> Inserted:
        """As `submission.enqueue`."""
        added = submission.enqueue(self.session, order, sieve)
        cost = None if added.already or added.left_out.places else sieve.cost or None
        self.note("submit", f"batch {order.batch}", jobs=added.added, cost=cost, kind=order.kind,
                  already=added.already or None, skipped=len(sieve.bad_rows) or None, budget=order.budget)  # fmt: skip
        return added

    def cancel(self, selection: Selection, *, keep_result: bool = False) -> Counts:
        """As `actions.cancel`."""
        counts = actions.cancel(self.session, selection, keep_result=keep_result)
        return self._noted("cancel", selection, counts, keep_result=keep_result or None)

    def retry(self, selection: Selection) -> Counts:
        """As `actions.retry`."""
        return self._noted("retry", selection, actions.retry(self.session, selection))

    def resolve(self, ids: Sequence[int], how: Literal["retry", "wait", "fail"]) -> Counts:
        """As `actions.resolve`."""
        return self._noted("resolve", Selection(ids=ids), actions.resolve(self.session, ids, how), how=how)

    def _noted(self, action: str, selection: Selection, counts: Counts, **detail: Any) -> Counts:
        if counts.total:
            ids = list(selection.ids or ())[:MOST_IDS] or None
            only = {"state": selection.state, "kind": selection.kind, "model": selection.model, "code": selection.code}
            self.note(action, self._named(selection), jobs=counts.total, cost=counts.cost or None, ids=ids, **only,
                      now=counts.by_state, **detail)  # fmt: skip
        return counts

    def _named(self, selection: Selection) -> str | None:
        if selection.ids:
            return f"job {selection.ids[0]}" if len(selection.ids) == 1 else f"{len(selection.ids)} jobs"
        return self._batch(selection.batch) if selection.batch is not None else None

    def _batch(self, batch_id: object) -> str:
        name = self.session.execute(text("select name from batches where id = :id"), {"id": batch_id}).scalar()
        return f"batch {name}"

    # -- models ----------------------------------------------------------------------------------------

    def pause(self, model: str, *, reason: str, for_s: float | None = None, until: datetime | None = None) -> None:
        """Make no more calls of a model (or ACCOUNT) for seconds, or until then, or until it is resumed.

        Raises ValueError where `until` is over.
        """
        if until is not None:
            # By the database's clock, as all times are.
            for_s = float(self.session.connection().execute(LEFT, {"until": until}).scalar_one())
            if for_s <= 0:
                raise ValueError(f"{until.isoformat()} is over already")
        if model != ACCOUNT:
            self._known(model)
        slots.pause(self.session.connection(), model, reason=reason, for_s=for_s, by_hand=True)
        self.note("pause", model_named(model), reason=reason, for_s=for_s and round(for_s))

    def resume(self, model: str) -> bool:
        """End a pause; False if there is no such limit."""
        known = slots.resume(self.session.connection(), model)
        if known:
            self.note("resume", model_named(model))
            kick_after_commit(self.session)
        return known

    def set_limit(
        self, model: str, *, concurrency: int | None = None, start: int | None = None, per_minute: int | None = None
    ) -> Row[Any]:
        """As `slots.set_limit`; a model that was not used yet gets a limit."""
        self._known(model)
        now = slots.set_limit(
            self.session.connection(), model, concurrency=concurrency, start=start, per_minute=per_minute
        )
        self.note("set limit", model_named(model), concurrency=concurrency, start=start, per_minute=per_minute)
        kick_after_commit(self.session)
        return now

    def _known(self, model: str) -> None:
        """A model that was not used yet has its published limit."""
        kind = next(iter(KINDS_OF.get(model, [])), None)
        # Of a model whose kind nobody knows: a slot that is held until the task ends is held long enough.
        scope = "answer" if model == CUT else kind.slot_scope if kind else "task"
        slots.add_limit(self.session.connection(), model, concurrency=published(model), slot_scope=scope)

    def remove_limit(self, model: str) -> Literal["forgotten", "reset"] | None:
        """As `slots.forget`: the published limit holds from then on."""
        if model == ACCOUNT:  # its row is a pause, and no limit
            return None
        done = slots.forget(self.session.connection(), model, concurrency=published(model))
        if done:
            self.note("remove limit", model_named(model))
            kick_after_commit(self.session)
        return done

    def call(self, endpoint: str, price: Price | None) -> None:
        """Note that an endpoint is called once, outside of any job, and what one call costs (US dollars), if known."""
        self.note("call", f"endpoint {endpoint}", cost=price if isinstance(price, Decimal) else None)

    # -- money -----------------------------------------------------------------------------------------

    def set_budget(self, scope: Scope, amount: Decimal) -> BudgetState:
        """Set or change a budget (US dollars); what was spent before counts."""
        conn = self.session.connection()
        money.set_budget(conn, scope, amount)
        self.note("set budget", self._scope(scope), amount=amount)
        kick_after_commit(self.session)
        return reasons.budget_states(conn)[scope]

    def remove_budget(self, scope: Scope) -> bool:
        """False if there is none."""
        there = money.remove_budget(self.session.connection(), scope)
        if there:
            self.note("remove budget", self._scope(scope))
            kick_after_commit(self.session)
        return there

    def _scope(self, scope: Scope) -> str:
        match scope:
            case "batch", batch_id:
                return self._batch(batch_id)
            case "model", model:
                return model_named(model)
            case _:
                return "the day"

    # -- keys ------------------------------------------------------------------------------------------

    def add_key(self, name: str, role: Role) -> str:
        """As `keys.add_key`."""
        key = keys.add_key(self.session.connection(), name, role)
        self.note("add key", f"key {name}", role=role)
        return key

    def remove_key(self, name: str) -> bool:
        """Its browsers are logged out; False if there is none."""
        there = keys.remove_key(self.session.connection(), name)
        if there:
            self.note("remove key", f"key {name}")
        return there

    # -- schedules -------------------------------------------------------------------------------------

    def add_schedule(self, plan: Plan, *, replace: bool = False) -> datetime:
        """As `scheduling.add`."""
        next_at = scheduling.add(self.session, plan, replace=replace)
        self.note("replace schedule" if replace else "add schedule", f"schedule {plan.name}",
                  cron=plan.cron, timezone=plan.timezone, source=plan.source)  # fmt: skip
        return next_at

    def pause_schedule(self, name: str) -> None:
        """As `scheduling.pause`."""
        scheduling.pause(self.session, name)
        self.note("pause", f"schedule {name}")

    def resume_schedule(self, name: str) -> datetime:
        """As `scheduling.resume`."""
        next_at = scheduling.resume(self.session, name)
        self.note("resume", f"schedule {name}")
        return next_at

    def run_schedule(self, name: str) -> datetime:
        """As `scheduling.run_now`."""
        tick = scheduling.run_now(self.session, name)
        self.note("run", f"schedule {name}")
        return tick

    def backfill(self, name: str, start: str, end: str | None) -> Backfill:
        """As `scheduling.backfill`."""
        made = scheduling.backfill(self.session, name, start, end)
        self.note("backfill", f"schedule {name}", **{"from": start, "to": end, "runs": made.due})
        return made

    def remove_schedule(self, name: str) -> Forgotten:
        """As `scheduling.remove`."""
        gone = scheduling.remove(self.session, name)
        self.note("remove schedule", f"schedule {name}", files=gone.files)
        return gone

    # -- webhooks --------------------------------------------------------------------------------------

    def add_webhook(self, url: str, events: Collection[str], *, allowed: Sequence[Network]) -> int:
        """As `manage.add`."""
        webhook = manage.add(self.session.connection(), url, events, allowed=allowed)
        self.note("add webhook", f"webhook {host_of(url)}", events=sorted(events))
        return webhook

    def remove_webhook(self, webhook: int) -> bool:
        """False if there is none."""
        there = manage.remove(self.session.connection(), webhook)
        if there:
            self.note("remove webhook", f"webhook {webhook}")
        return there

    def rotate_secrets(self) -> None:
        """As `manage.rotate`."""
        manage.rotate(self.session.connection())
        self.note("rotate secrets", "all webhooks")

    def replay(self, ids: Collection[int] | None = None, *, state: str | None = None) -> int:
        """As `outbox.replay`."""
        count = outbox.replay(self.session.connection(), ids=ids, state=state)
        if count:
            self.note("replay", f"{count} messages", ids=sorted(ids)[:MOST_IDS] if ids else None, only=state)
        return count

    def note(self, action: str, subject: str | None = None, **more: Any) -> None:
        """An entry of something that is done elsewhere in this transaction."""
        note(self.session.connection(), self.by, action, subject, **more)


def published(model: str) -> int:
    """Calls or tasks at once, by the provider's word or, of a model that is not known, by ours."""
    if model == CUT:
        return CUTS
    kind = next(iter(KINDS_OF.get(model, [])), None)
    return kind.concurrency(model) if kind else ASSUMED_CONCURRENCY


def doubt(conn: Connection, model: str) -> str | None:
    """A warning about a model that nobody has named before: providers add models, and people mistype them."""
    used = reasons.model_states(conn)
    if model in {ACCOUNT, CUT, *KINDS_OF, *used}:
        return None
    near = get_close_matches(model, KINDS_OF, n=1) or get_close_matches(model, used, n=1)
    return f"no kind and no job has the model {model!r}; " + (f"is it {near[0]!r}?" if near else "is it spelt right?")


def model_named(model: str) -> str:
    return "the account" if model == ACCOUNT else f"model {model}"
