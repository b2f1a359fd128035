"""What a submission would make, cost and refuse, as `insert_rows` would; but nothing is written."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sqlalchemy import Connection, text

from worker.following import ROLES, named
from worker.pipeline import Follower, LeftOut, left_out
from worker.producer import Row, chunks, there_already

BATCH = text("select id from batches where name = :name")


@dataclass(slots=True)
class Sum:
    """Of one model: what its jobs are, in calls and in US dollars."""

    kind: str
    jobs: int = 0
    calls: int = 0
    cost: Decimal = Decimal(0)

    def add(self, row: Row, times: int = 1) -> None:
        self.jobs += times
        self.calls += times * row.calls
        self.cost += times * row.estimate


@dataclass(slots=True)
class Foreseen:
    """`sums`: by model, of the jobs that would be made. `already`: those that are there from an earlier submission."""

    sums: dict[str, Sum] = field(default_factory=dict)
    already: int = 0
    left: LeftOut = field(default_factory=LeftOut)


def foresee(rows: Iterable[Row], bad: Collection[str], conn: Connection | None, batch: str | None) -> Foreseen:
    """Look at all rows. `bad`: keys of those that are refused by themselves, looked at when all rows have come.

    `conn`: where the batch may have jobs already. Raises KeyTakenError.
    """
    found = Foreseen()
    batch_id = conn.execute(BATCH, {"name": batch}).scalar() if conn is not None and batch is not None else None
    seen: Counter[bytes] = Counter()
    kinds: dict[str, str] = {}
    several: set[str] = set()
    followers: list[Follower] = []
    waiting: list[Row] = []
    for chunk, texts in chunks(rows):
        there: set[int] = set()
        if conn is not None and batch_id is not None:
            there = there_already(conn, batch_id, chunk, texts, seen)
        found.already += len(there)
        for place, row in enumerate(chunk):
            if row.named and row.key is not None:
                kinds[row.key] = str(row.kind)
                if row.key.endswith("#1"):
                    several.add(row.key.removesuffix("#1"))
            if place in there:
                continue
            found.sums.setdefault(row.args["model"], Sum(str(row.kind))).add(row)
            if row.after:
                followers.append(row.follower(len(waiting)))
                waiting.append(replace(row, args={"model": row.args["model"]}))
    missing = {key for each in followers for key in each.after} - kinds.keys()
    if conn is not None and batch_id is not None and missing:
        known, more = named(conn, batch_id, missing)
        kinds.update((key, each.kind) for key, each in known.items())
        several |= more
    found.left = left_out(followers, kinds, several, ROLES, bad)
    for place in found.left.places:
        found.sums[waiting[place].args["model"]].add(waiting[place], -1)
    found.sums = {model: each for model, each in found.sums.items() if each.jobs}
    return found
