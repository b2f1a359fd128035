"""Takes away what ended long ago: rows, and with them their files in the store of outputs.

Files first, for what lies there without a row would lie there for ever; where it stops between the two, the next pass
goes on. Two passes at once share the work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from models import prune as record
from worker.storage import Storage

#: Jobs in one step, which is one transaction.
STEP = 200


@dataclass(slots=True)
class Pruned:
    """What was taken away; `jobs` without the pieces of recordings."""

    batches: int = 0
    jobs: int = 0
    files: int = 0


def prune(
    engine: Engine, storage: Storage, age: timedelta, *, stopping: Callable[[], bool] = lambda: False, step: int = STEP
) -> Pruned:
    """One pass. The engine is not to cut off a transaction that waits for the store to delete files."""
    with engine.connect() as conn:
        before = record.time_of(conn, age)
    work = Pass(engine, storage, before, step, stopping, Pruned())
    work.over_batches()
    while work.over_jobs_without():
        pass  # those that the ones just gone came after
    return work.done


@dataclass(frozen=True, slots=True)
class Pass:
    engine: Engine
    storage: Storage
    before: datetime
    step: int
    stopping: Callable[[], bool]
    done: Pruned

    def over_batches(self) -> None:
        last = 0
        while not self.stopping():
            with self.engine.connect() as conn:
                found = record.old_batches(conn, self.before, after=last, most=self.step)
            for batch in found:
                while not self.stopping() and self.step_of_batch(batch):
                    pass
            if not found:
                return
            last = found[-1]

    def step_of_batch(self, batch: int) -> bool:
        """Returns whether there may be more to do."""
        with self.engine.begin() as conn:
            ids = record.of_batch(conn, batch, most=self.step)
            gone = self.take_away(conn, ids) if ids else 0
            if ids == []:
                record.remove_batch(conn, batch)
        self.done.jobs += gone
        self.done.batches += ids == []
        return gone > 0

    def over_jobs_without(self) -> bool:
        """Jobs without a batch; returns whether any went."""
        last, before = 0, self.done.jobs
        while not self.stopping():
            with self.engine.begin() as conn:
                ids = record.alone(conn, self.before, after=last, most=self.step)
                gone = self.take_away(conn, ids) if ids else 0
            self.done.jobs += gone
            if not ids:
                break
            last = ids[-1]
        return self.done.jobs > before

    def take_away(self, conn: Connection, ids: list[int]) -> int:
        """Those of these jobs that may go; returns how many went."""
        going = record.take(conn, ids, self.before)
        self.storage.remove([*going.files, *going.thumbs])
        record.remove(conn, going)
        self.done.files += len(going.files)
        return len(going.ids)
