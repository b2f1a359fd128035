"""What an operator does to jobs: cancel, retry, resolve. The row decides every race."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from models import interventions, money, pipelines, slots
from models.interventions import Changed, Selection
from models.money import Entry
from models.state import FINAL, JobState
from worker.kick import kick_after_commit

__all__ = ["Counts", "Selection", "cancel", "paid_for", "resolve", "retry"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs were changed, by the state that they have now, and what that may cost (US dollars)."""

    by_state: dict[str, int]
    cost: Decimal

    @property
    def total(self) -> int:
        return sum(self.by_state.values())


def cancel(session: Session, selection: Selection, *, keep_result: bool = False) -> Counts:
    """Cancel jobs that have not ended; one whose call is under way (`running`) ends when its answer is recorded.

    `keep_result`: what is paid for by then is stored all the same.
    """
    connection = session.connection()
    changed = interventions.cancel(connection, selection, keep_result=keep_result)
    return applied(session, changed + pipelines.doom(connection, ended(changed)))


PAID = text(f"""
    select count(*) as jobs, coalesce(sum(cost), 0) as cost from jobs j
    where state in ('waiting', 'storing') and cost > 0 and {interventions.SELECTED}
""")


def paid_for(session: Session, selection: Selection) -> Row[Any]:
    """How many `jobs` are paid for, at what `cost` (US dollars), and not stored yet: what a cancel throws away."""
    return session.execute(PAID, selection.values).one()


def retry(session: Session, selection: Selection) -> Counts:
    """Run failed and cancelled jobs again: a new attempt, or the rest of one whose result is paid for.

    What ended because these did goes along, and waits for them.
    """
    return applied(session, pipelines.retry(session.connection(), selection))


def resolve(session: Session, ids: Sequence[int], how: Literal["retry", "wait", "fail"]) -> Counts:
    """Decide held jobs: `retry` may buy a second time what was bought already, `fail` gives up.

    `wait` asks the provider about the task again, at no cost; only for those that have one.
    """
    target = {"retry": JobState.QUEUED, "wait": JobState.WAITING, "fail": JobState.FAILED}[how]
    connection = session.connection()
    changed = interventions.resolve(connection, Selection(ids=ids), target=target.value)
    return applied(session, changed + pipelines.doom(connection, ended(changed)))


def ended(changed: Sequence[Changed]) -> list[int]:
    """Those that are at their end now."""
    return [each.job_id for each in changed if each.state in FINAL]


def applied(session: Session, changed: Sequence[Changed]) -> Counts:
    """Give freed slots and reserved money back, and wake dispatch after the commit."""
    connection = session.connection()
    freed = Counter(each.model for each in changed if each.freed)
    slots.lock(connection, freed)
    for model, count in freed.items():
        slots.take_back(connection, model, count)
    money.book(connection, [Entry(each.model, each.batch_id, reserved=-each.released) for each in changed])
    kick_after_commit(session)
    # A piece is its recording's affair, but where it alone was meant.
    own = {each.job_id for each in changed}
    counted = [each for each in changed if each.parent_id not in own]
    cost = sum((each.estimate for each in changed if each.state == JobState.QUEUED), Decimal(0))
    return Counts(dict(Counter(each.state for each in counted)), cost)
