"""How jobs stand, from the tallies: states, money, pieces, by batch or altogether."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from models.state import FINAL, JobState

ORDER = [JobState.SUCCEEDED, JobState.STORING, JobState.WAITING, JobState.RUNNING, JobState.DISPATCHED, JobState.HELD,
         JobState.FAILED, JobState.CANCELLED, JobState.QUEUED]  # fmt: skip
IN_FLIGHT = (JobState.DISPATCHED, JobState.RUNNING, JobState.WAITING, JobState.STORING)


@dataclass(slots=True)
class Standing:
    """`states`: jobs by state; `pieces`: the same of pieces of recordings; `cost`: US dollars, pieces' included.

    `moving`: by model, those that end without a person.
    """

    states: dict[str, int] = field(default_factory=dict)
    pieces: dict[str, int] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    moving: dict[str, int] = field(default_factory=dict)
    cost: Decimal = Decimal(0)

    def add(self, row: Any) -> None:
        self.cost += row.cost
        if row.state is None:
            return
        counted = self.pieces if row.piece else self.states
        counted[row.state] = counted.get(row.state, 0) + row.jobs
        if not row.piece:
            self.models[row.model] = self.models.get(row.model, 0) + row.jobs
            self.kinds[row.kind] = self.kinds.get(row.kind, 0) + row.jobs
            if row.state not in FINAL and row.state != JobState.HELD:
                self.moving[row.model] = self.moving.get(row.model, 0) + row.jobs

    @property
    def counts(self) -> list[tuple[str, int]]:
        """States with jobs, in the order in which bars show them."""
        return [(state.value, self.states[state]) for state in ORDER if self.states.get(state)]

    @property
    def total(self) -> int:
        return sum(self.states.values())

    @property
    def finished(self) -> int:
        return sum(self.states.get(state, 0) for state in FINAL)

    @property
    def in_flight(self) -> int:
        return sum(self.states.get(state, 0) for state in IN_FLIGHT)

    @property
    def open(self) -> int:
        return self.total - self.finished

    def of(self, state: str) -> int:
        return self.states.get(state, 0)


def standing(rows: Iterable[Any]) -> Standing:
    made = Standing()
    for row in rows:
        made.add(row)
    return made


def by_batch(rows: Iterable[Any]) -> dict[int, Standing]:
    found: dict[int, Standing] = {}
    for row in rows:
        found.setdefault(row.batch_id, Standing()).add(row)
    return found


#: Jobs that are looked at for this: a pipeline of more shows as being about so large.
MOST = 50_000
FOLLOWING = text("""
    select model, count(*) as jobs from (
        select model from jobs
        where state = 'queued' and blocked_by > 0 and (cast(:batch as bigint) is null or batch_id = :batch) limit :most
    ) blocked group by 1
""")


def following(conn: Connection, batch: int | None = None) -> dict[str, int]:
    """Model → jobs that come after others which have not succeeded yet."""
    return {row.model: row.jobs for row in conn.execute(FOLLOWING, {"batch": batch, "most": MOST})}
