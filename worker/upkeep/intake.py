"""One run of a schedule: lists its source, reads what is new there, and makes a batch of it.

What is found goes into `run_files`, a page at a time; what it comes to is written in one transaction at the end. A run
that dies is listed anew, and reads only what it had not read.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, count, islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from models import publishing, runs, sources
from models.runs import Ended, LostRunError, RunClaim
from models.sources import Listed, Read
from worker.cron import batch_name
from worker.failpoints import failpoint
from worker.kinds import KINDS
from worker.patterns import Patterns
from worker.producer import Row, insert_rows, split
from worker.storage import FileError, Found, Place, PlaceError, Trouble, hashed, open_place
from worker.upkeep.keeper import Keeper, StoppingError
from worker.wording import explain

log = logging.getLogger(__name__)

KIND = "transcription"
#: Files of a listing that are compared at once, and files that are read between two writes.
PAGE = 5000
LOT = 256
READERS = 8


def take_in(
    engine: Engine, schedule_id: int, tick: datetime, *, worker: str, lease_s: float, stopping: Callable[[], bool]
) -> None:
    """Do one run, if it is due and nobody else has it."""
    with engine.begin() as conn:
        claim = runs.claim_run(conn, schedule_id, tick, worker=worker, lease_s=lease_s)
    if claim is None:
        return
    failpoint("intake.claimed")

    def renew() -> None:
        with engine.begin() as conn:
            runs.renew(conn, claim, lease_s=lease_s)

    try:
        with Keeper(renew, lease_s=lease_s, stopping=stopping) as keeper:
            intake = Intake(engine, claim, open_place(claim.source), keeper)
            intake.list_all()
            failpoint("intake.listed")
            intake.read_all()
        failpoint("intake.read")
        intake.finish()
        failpoint("intake.committed")
    except StoppingError:
        with engine.begin() as conn:
            runs.give_back(conn, claim)
    except LostRunError:
        log.warning("schedule %s, run of %s: another worker has it by now", claim.name, tick)
    except PlaceError as error:
        log.warning("schedule %s, run of %s: %s", claim.name, tick, error)
        with engine.begin() as conn:
            runs.fail_run(conn, claim, str(error))


@dataclass
class Intake:
    """A claimed run. Each step raises LostRunError and StoppingError, and PlaceError where the source is at fault."""

    engine: Engine
    claim: RunClaim
    place: Place
    keeper: Keeper
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False)
    found: int = field(default=0, init=False)
    unsettled: int = field(default=0, init=False)

    def list_all(self) -> None:
        """Note what is new, a page at a time."""
        with self.writing() as conn:
            sources.forget_problems(conn, self.claim)
        entries = self.place.files(Patterns.of(self.claim.patterns))
        while page := list(islice(entries, PAGE)):
            self.keeper.go_on()
            troubles = {each.path: each for each in page if isinstance(each, Trouble)}
            listed = [Listed(e.path, e.size, e.mtime, e.etag) for e in page if isinstance(e, Found)]
            with self.writing() as conn:
                self.unsettled += sources.note_new(conn, self.claim, listed, url=self.place.url)
                sources.note_problems(conn, self.claim, list(troubles.values()))
            self.found += len(listed)

    def read_all(self) -> None:
        """Check and hash what is new, a few files at a time."""
        after = ""
        with ThreadPoolExecutor(READERS, thread_name_prefix="intake") as readers:
            while True:
                with self.engine.connect() as conn:
                    lot = sources.unread(conn, self.claim, after=after, most=LOT)
                if not lot:
                    return
                after = lot[-1].path
                looks = [readers.submit(self.look, each) for each in lot]
                try:
                    read = [each.result() for each in looks]
                finally:
                    for each in looks:
                        each.cancel()
                self.unsettled += sum(each.unsettled for each in read)
                with self.writing() as conn:
                    sources.record_read(conn, self.claim, read)
                failpoint("intake.noted")

    def look(self, listed: Listed) -> Read:
        """Read one file: what it is, or what is wrong with it."""
        self.keeper.go_on()
        if listed.size == 0:
            return Read(path=listed.path, problem="is empty")
        try:
            read, digest = hashed(self.place, listed.path, on_chunk=self.keeper.go_on)
            # One after the other: counting a file's packets lets other threads in at each, who hinder one another.
            with self._counting:
                row = self.row(listed.path)
        except FileNotFoundError:
            self.place.look()  # the file alone, or all of them?
            return Read(path=listed.path)
        except FileError as error:
            self.place.look()
            return Read(path=listed.path, problem=str(error))
        except ValidationError as error:
            return Read(path=listed.path, problem=in_words(error))
        except (StoppingError, LostRunError, PlaceError):
            raise
        except Exception as error:
            # One odd file: the others go on.
            log.exception("schedule %s: %s", self.claim.name, listed.path)
            return Read(path=listed.path, problem=f"cannot be read: {type(error).__name__}: {str(error)[:300]}")
        if (read.size, read.mtime, read.etag) != (listed.size, listed.mtime, listed.etag):
            return Read(path=listed.path, unsettled=True)
        args = json.dumps({**row.args, "sha256": digest}, ensure_ascii=False)
        return Read(path=listed.path, sha256=digest, args=args, estimate=row.estimate, slots_of=row.limit)

    def row(self, path: str) -> Row:
        """The job of a file. Raises pydantic.ValidationError where its kind refuses it."""
        checked = KINDS[KIND].check({**self.claim.args, "file": f"{self.place.url}{path}"}, Path("/"))
        [row] = split(checked, KINDS[KIND], number=None, order=0, own={"key": path})
        return row

    def finish(self) -> None:
        """Make the batch and keep its files as known, in one transaction."""
        with Session(self.engine) as session:
            conn = session.connection()
            runs.hold(conn, self.claim)
            known = sources.settle_known(conn, self.claim)
            batch_id, added = self.add_batch(session)
            if batch_id is not None:
                known += sources.take_fresh(conn, self.claim, batch_id) - added
            publishing.look_again(conn, self.claim.name)
            problems = sources.count_problems(conn, self.claim)
            ended = Ended(batch_id=batch_id, found=self.found, added=added, known=known, unsettled=self.unsettled,
                          problems=problems)  # fmt: skip
            runs.end_run(conn, self.claim, ended)
            failpoint("intake.committing")
            session.commit()
        log.info("schedule %s, run of %s: %d new of %d", self.claim.name, self.claim.tick, added, self.found)

    def add_batch(self, session: Session) -> tuple[int | None, int]:
        """A batch of what is new; (None, 0) where nothing is."""
        rows = numbered(sources.fresh(session.connection(), self.claim))
        first = next(rows, None)
        if first is None:
            return None, 0
        name = self.free_name(session)
        publish = self.claim.out is not None
        added = insert_rows(session, name, KIND, chain([first], rows), webhook=self.claim.webhook, publish=publish)
        return added.batch_id, added.added

    def free_name(self, session: Session) -> str:
        """Make the batch, named after the tick. A batch of that name may be there: of a schedule that was removed."""
        wanted = batch_name(self.claim.name, self.claim.tick, ZoneInfo(self.claim.timezone))
        made = text("insert into batches (name, webhook) values (:name, :webhook) on conflict do nothing returning id")
        names = (wanted if number == 1 else f"{wanted} ({number})" for number in count(1))
        return next(
            name for name in names if session.execute(made, {"name": name, "webhook": self.claim.webhook}).all()
        )

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction in which the run is surely ours. Raises LostRunError."""
        with self.engine.begin() as conn:
            runs.hold(conn, self.claim)
            yield conn


def numbered(files: Iterable[Any]) -> Iterator[Row]:
    for number, each in enumerate(files, 1):
        yield Row(args=each.args, estimate=each.estimate, limit=each.slots_of, row=number, key=each.path)


def in_words(error: ValidationError) -> str:
    """What is wrong with the file, without its name, which stands beside it; or else with a field."""
    return "; ".join(
        each["msg"].removeprefix("Value error, ") if each["loc"] == ("file",) else ": ".join(map(str, explain(each)))
        for each in error.errors(include_url=False)
    )
