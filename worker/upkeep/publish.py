"""Puts outputs of schedules' jobs where they are wanted, after the jobs have ended; nobody waits for it.

What it is about to put is written down first, with its checksum: after a kill it knows what is its own.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from sqlalchemy import Engine

from models import publishing
from models.publishing import EndedJob, Publisher, Put, Wanted
from worker.failpoints import failpoint
from worker.storage import FileError, Place, PlaceError, Storage, hashed, open_place
from worker.upkeep.keeper import Keeper, StoppingError

log = logging.getLogger(__name__)

BESIDE = "beside"
#: Jobs whose outputs are put between two writes.
LOT = 200
WRITERS = 8
#: A file may come, go or change between the look and the put: then it is looked at again.
LOOKS = 3


def publish(engine: Engine, storage: Storage, *, lease_s: float, stopping: Callable[[], bool]) -> None:
    """One pass over all schedules that no other process is at."""
    with engine.begin() as conn:
        schedules = publishing.schedules_with_outputs(conn)
    for schedule_id in schedules:
        with engine.begin() as conn:
            claim = publishing.claim_publishing(conn, schedule_id, lease_s=lease_s)
        if claim is None:
            continue

        def renew(schedule_id: int = schedule_id) -> None:
            with engine.begin() as conn:
                publishing.renew_publishing(conn, schedule_id, lease_s=lease_s)

        try:
            with Keeper(renew, lease_s=lease_s, stopping=stopping) as keeper:
                Publication(engine, storage, claim, keeper).work()
        except StoppingError:
            return
        except Exception:
            log.exception("schedule %s: cannot put outputs in place; the next pass tries again", claim.name)
        finally:
            with engine.begin() as conn:
                publishing.release_publishing(conn, schedule_id)


@dataclass
class Publication:
    """The outputs of one schedule."""

    engine: Engine
    storage: Storage
    schedule: Publisher
    keeper: Keeper
    #: Why nothing can be put there now: once known it is not tried with each file.
    down: str | None = field(default=None, init=False)

    def work(self) -> None:
        """Raises StoppingError."""
        place = self.place()
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="publish") as writers:
            while True:
                with self.engine.connect() as conn:
                    jobs = publishing.ended_jobs(conn, self.schedule.id, most=LOT)
                if not jobs:
                    return
                wanted = [each for job in jobs for each in wants(job, place)] if self.schedule.out else []
                with self.engine.begin() as conn:
                    ours = publishing.intend(conn, self.schedule.name, wanted)
                failpoint("publish.intended")
                left = [(each, ours[each.path, each.target]) for each in wanted if (each.path, each.target) in ours]
                done = list(writers.map(lambda each: self.put(place, *each), left))
                failpoint("publish.put")
                with self.engine.begin() as conn:
                    publishing.record_put(conn, self.schedule.name, done, jobs)
                failpoint("publish.recorded")

    def place(self) -> Place:
        """Where the outputs go. A folder that is not there is not made anew: it may be a disk that is not mounted."""
        out = self.schedule.out or BESIDE
        place = open_place(self.schedule.source if out == BESIDE else out)
        try:
            place.look()
        except PlaceError as error:
            self.down = str(error)
        return place

    def put(self, place: Place, wanted: Wanted, ours: set[str]) -> Put:
        """Put one output, and replace what is there only if it is one of ours."""
        self.keeper.go_on()
        if self.down is not None:
            return Put(wanted.path, wanted.target, "failed", self.down)
        try:
            exists = self.put_or_see(place, wanted, ours)
        except FileError as error:
            try:
                place.look()
            except PlaceError as whole:
                self.down = str(whole)
            return Put(wanted.path, wanted.target, "failed", self.down or str(error))
        except StoppingError:
            raise
        except Exception as error:  # noqa: BLE001 - the store of the outputs: whatever it is, the other files go on
            said = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
            return Put(wanted.path, wanted.target, "failed", f"cannot read the stored output: {said}")
        if exists:
            return Put(wanted.path, wanted.target, "out_exists", "a file is there that is not this recording's")
        return Put(wanted.path, wanted.target, "done")

    def put_or_see(self, place: Place, wanted: Wanted, ours: set[str]) -> bool:
        """True where somebody else's file is in the way. Raises FileError, or what reading the output raises."""
        path = wanted.target.removeprefix(place.url)
        for _ in range(LOOKS):
            try:
                there, sha256 = hashed(place, path, on_chunk=self.keeper.go_on)
            except FileNotFoundError:
                if place.create(path, self.output(wanted)):
                    return False
                continue
            if sha256 == wanted.sha256:
                return False
            if sha256 not in ours:
                return True
            if place.replace(there, self.output(wanted)):
                return False
        raise FileError("is being changed by somebody")

    def output(self, wanted: Wanted) -> bytes:
        return b"".join(self.storage.get(wanted.location))


def wants(job: EndedJob, place: Place) -> list[Wanted]:
    """A file for each output and each path of the source: its name, with the output's suffix."""
    wanted = [
        Wanted(path, f"{place.url}{target(path, each['location'])}", job.job_id, each["location"], each["sha256"])
        for path in job.paths
        for each in job.outputs
    ]
    return list({(each.path, each.target): each for each in wanted}.values())


def target(path: str, location: str) -> str:
    """`talks/a.m4a` and an output `000/1-0.txt` → `talks/a.txt`."""
    return str(PurePosixPath(path).with_suffix(PurePosixPath(location).suffix))
