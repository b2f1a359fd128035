"""Why queued jobs wait, in words. Pure: the facts are read by `reasons`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from worker.fairness import EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """What a model's limit says now. `rate_in_s`: seconds until the next call may go by `per_minute`."""

    model: str
    in_use: int
    slots: int
    concurrency: int
    per_minute: int | None = None
    rate_in_s: float = 0.0
    pause_reason: str | None = None
    paused_until: datetime | None = None
    #: The pause's time is over: one job goes first, to see whether its cause is.
    probing: bool = False
    account_reason: str | None = None
    account_until: datetime | None = None
    account_probing: bool = False


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget's row, in US dollars. `name`: of what it is, in words."""

    name: str
    amount: Decimal
    spent: Decimal
    reserved: Decimal

    @property
    def left(self) -> Decimal:
        return self.amount - self.spent - self.reserved


def why(state: ModelState, *, budgets: tuple[BudgetState, ...] = (), cost: Decimal = Decimal(0), ahead: int = 0) -> str:
    """What jobs that could run now are waiting for.

    `budgets`: those they count in; `cost`: US dollars of the one that goes next; `ahead`: jobs
    of the model that have a higher priority.
    """
    if state.account_reason is not None:
        return (
            f"the account is paused{until(state.account_until, probing=state.account_probing)}: {state.account_reason}"
        )
    if state.pause_reason is not None:
        return f"{state.model} is paused{until(state.paused_until, probing=state.probing)}: {state.pause_reason}"
    for budget in budgets:
        if budget.left < cost:
            held = f", {usd(budget.reserved)} reserved" if budget.reserved else ""
            return f"budget: {budget.name} has {usd(budget.amount)}, {usd(budget.spent)} is spent{held}"
    behind = f"; {ahead} jobs of higher priority go first, but for every {EVERY}th slot" if ahead else ""
    if state.in_use >= state.slots:
        learned = f" (learned; {state.concurrency} are set)" if state.slots < state.concurrency else ""
        return f"limit: {state.in_use} of {state.slots} slots of {state.model} in use{learned}{behind}"
    if state.per_minute is not None and state.rate_in_s > 0:
        return f"rate: {state.per_minute} calls of {state.model} a minute; the next in {state.rate_in_s:.0f} s{behind}"
    return f"dispatch{behind}"


CENT = Decimal("0.01")


def usd(amount: Decimal) -> str:
    """To the cent, or as exactly as it is.

    >>> usd(Decimal("0.1")), usd(Decimal("12.500000")), usd(Decimal("0.0042"))
    ('$0.10', '$12.50', '$0.0042')
    """
    return f"${max(amount.normalize(), amount.quantize(CENT), key=lambda each: -int(each.as_tuple().exponent)):f}"


def until(end: datetime | None, *, probing: bool = False) -> str:
    if probing:
        return ", and one job looks whether it goes on"
    return f" until {end:%Y-%m-%d %H:%M:%S %Z}" if end else " until resumed"


def later(first: datetime) -> str:
    """What jobs whose time has not come wait for."""
    return f"time: the next runs at {first:%Y-%m-%d %H:%M:%S %Z}"


#: What jobs wait for that come after others, all together; and those of them that a held one holds up.
FOLLOWS = "after: the jobs that they come after"
BEHIND_HELD = "after: held jobs, which need a decision"


def after(earlier: Sequence[tuple[str, str]], of: int) -> str:
    """What one job waits for. `earlier`: (name, state) of some of the jobs; `of`: how many there are."""
    more = f" and {of - len(earlier)} more" if of > len(earlier) else ""
    return f"after: {', '.join(f'{name} ({state})' for name, state in earlier)}{more}"
