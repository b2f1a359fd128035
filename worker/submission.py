"""A manifest's way in: its rows checked one by one, then all of them enqueued in one transaction, or none."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from models import money
from worker.forecast import forecast_s
from worker.foreseen import Foreseen
from worker.manifest import Good, Problem
from worker.pipeline import AfterError, Misplaced
from worker.prices import price_of
from worker.producer import Inserted, Row, insert_rows

#: Problems that are kept in words; the others are counted.
SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What holds for all rows. `kind`, `priority`: of those that name none; `budget`: US dollars for the batch."""

    batch: str
    kind: str | None
    priority: int = 0
    webhook: str | None = None
    budget: Decimal | None = None
    skip_invalid: bool = False


@dataclass
class Sieve:
    """Passes good rows on, and remembers what there was."""

    found: Iterable[Good | Problem]
    priority: int = 0
    problems: list[Problem | Misplaced] = field(default_factory=list)
    bad_rows: set[int | None] = field(default_factory=set)
    #: Problems beyond those that are kept.
    more: int = 0
    #: Good rows; each may be several jobs.
    rows: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    #: Model → a kind that it is used for here.
    kinds: dict[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    costs: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def __iter__(self) -> Iterator[Row]:
        for each in self.found:
            if isinstance(each, Problem):
                self.refuse(each)
                continue
            self.rows += 1
            self.warnings.update(each.warnings)
            for row in each.rows:
                model = row.args["model"]
                self.jobs[model] += 1
                self.kinds[model] = str(row.kind)
                self.calls[model] += row.calls
                self.costs[model] += row.estimate
                yield row if row.priority or not self.priority else replace(row, priority=self.priority)

    def refuse(self, *problems: Problem | Misplaced) -> None:
        for each in problems:
            self.bad_rows.add(each.row)
            if len(self.problems) < SHOWN:
                self.problems.append(each)
            else:
                self.more += 1

    @property
    def unpriced(self) -> list[str]:
        """Models whose price is not known: they count as free."""
        return [model for model in self.jobs if price_of(model) is None]


class RefusedError(Exception):
    """Nothing was enqueued; the sieve knows which rows are bad."""


def enqueue(session: Session, order: Order, sieve: Sieve) -> Inserted:
    """Enqueue the rows, and set the batch's budget, in the session's transaction.

    Raises RefusedError, ManifestError and KeyTakenError; then nothing of it may be committed.
    """
    added = Inserted(None, 0, 0)
    try:
        added = insert_rows(
            session, order.batch, order.kind, sieve, webhook=order.webhook, skip_misplaced=order.skip_invalid
        )
    except AfterError as error:
        if not sieve.bad_rows:  # else it may be those rows that are missed
            sieve.refuse(*error.found)
    if sieve.bad_rows and not order.skip_invalid:
        bad = len(sieve.bad_rows)
        raise RefusedError(f"{bad} bad row{'s' * (bad != 1)}; nothing was enqueued")
    sieve.refuse(*added.misplaced)
    if not added.added + added.already:
        raise RefusedError("no row is good; nothing was enqueued")
    if order.budget is not None:
        money.set_budget(session.connection(), ("batch", str(added.batch_id)), order.budget)
    return added


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the jobs of one model will come to. `cost`: US dollars; None: its price is not known."""

    model: str
    jobs: int
    calls: int
    cost: Decimal | None
    took_s: float


def foresee(conn: Connection | None, rows: Iterable[Row], sieve: Sieve, batch: str | None) -> list[Forecast]:
    """What all rows, which come through the sieve, will come to; models run side by side.

    `conn`: where the batch may have jobs already, and what calls took is known.
    """
    foreseen = Foreseen()
    for row in rows:
        foreseen.see(row)
    if not sieve.bad_rows:
        sieve.refuse(*foreseen.misplaced(conn, batch))
    return [
        Forecast(
            model, jobs, sieve.calls[model], None if price_of(model) is None else sieve.costs[model],
            forecast_s(conn, model, sieve.kinds[model], sieve.calls[model]),
        )
        for model, jobs in sieve.jobs.items()
    ]  # fmt: skip
