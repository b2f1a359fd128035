"""A manifest's way in: its rows checked one by one, then all of them enqueued in one transaction, or none."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from models import money
from worker.forecast import forecast_s
from worker.foreseen import foresee
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
    #: Keys of rows that are bad by themselves.
    bad_keys: set[str] = field(default_factory=set)
    #: Problems beyond those that are kept.
    more: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    jobs: Counter[str] = field(default_factory=Counter)
    cost: Decimal = Decimal(0)

    def __iter__(self) -> Iterator[Row]:
        for each in self.found:
            if isinstance(each, Problem):
                self.refuse(each)
                if each.key is not None:
                    self.bad_keys.add(each.key)
                continue
            self.warnings.update(each.warnings)
            for row in each.rows:
                self.jobs[row.args["model"]] += 1
                self.cost += row.estimate
                yield row if row.priority is not None else replace(row, priority=self.priority)

    def refuse(self, *problems: Problem | Misplaced) -> None:
        for each in {str(each): each for each in problems}.values():  # a row with n is n jobs
            self.bad_rows.add(each.row)
            if len(self.problems) < SHOWN:
                self.problems.append(each)
            else:
                self.more += 1

    @property
    def unpriced(self) -> list[str]:
        """Models whose price is not known: they count as free."""
        return sorted(model for model in self.jobs if price_of(model) is None)


class RefusedError(Exception):
    """Nothing was enqueued; the sieve knows which rows are bad."""


def enqueue(session: Session, order: Order, sieve: Sieve) -> Inserted:
    """Enqueue the rows, and set the batch's budget, in the session's transaction.

    Raises RefusedError, ManifestError and KeyTakenError; then nothing of it may be committed.
    """
    added = Inserted(None, 0, 0)
    try:
        added = insert_rows(
            session, order.batch, order.kind, sieve, webhook=order.webhook, skip_misplaced=order.skip_invalid,
            bad=sieve.bad_keys,
        )  # fmt: skip
        sieve.refuse(*added.left_out.wrong, *added.left_out.along)
    except AfterError as error:
        sieve.refuse(*error.found)
    if (why := refusal(sieve, added.added + added.already, order)) is not None:
        raise RefusedError(why)
    if order.budget is not None:
        money.set_budget(session.connection(), ("batch", str(added.batch_id)), order.budget)
    return added


def refusal(sieve: Sieve, good: int, order: Order) -> str | None:
    """Why nothing is enqueued; None if the good rows are."""
    if sieve.bad_rows and not order.skip_invalid:
        bad = len(sieve.bad_rows)
        return f"{bad} bad row{'s' * (bad != 1)}; nothing was enqueued"
    return None if good else "no row is good; nothing was enqueued"


@dataclass(frozen=True, slots=True)
class OfModel:
    """What the jobs of one model will come to. `cost`: US dollars; None: its price is not known."""

    model: str
    jobs: int
    calls: int
    cost: Decimal | None
    took_s: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a submission would come to; models run side by side. `refused`: why nothing of it would be enqueued."""

    models: list[OfModel]
    already: int
    refused: str | None

    @property
    def jobs(self) -> int:
        return sum(each.jobs for each in self.models)

    @property
    def cost(self) -> Decimal:
        """US dollars; what has no price counts as nothing."""
        return sum((each.cost for each in self.models if each.cost is not None), Decimal(0))

    @property
    def took_s(self) -> float:
        return max((each.took_s for each in self.models), default=0.0)


def look_ahead(conn: Connection | None, order: Order, rows: Iterable[Row], sieve: Sieve) -> Outlook:
    """What `enqueue` would do with rows that come through the sieve; nothing is written.

    `conn`: where the batch may have jobs already, and what calls took is known. Raises ManifestError, KeyTakenError.
    """
    foreseen = foresee(rows, sieve.bad_keys, conn, order.batch)
    sieve.refuse(*foreseen.left.wrong, *(foreseen.left.along if order.skip_invalid else ()))
    models = [
        OfModel(
            model, each.jobs, each.calls, None if price_of(model) is None else each.cost,
            forecast_s(conn, model, each.kind, each.calls),
        )
        for model, each in foreseen.sums.items()
    ]  # fmt: skip
    good = sum(each.jobs for each in models) + foreseen.already
    return Outlook(models, foreseen.already, refusal(sieve, good, order))
