"""One thread and one connection that write for a whole process, in groups.

Coroutines hand over what they want written and wait. Whatever has gathered since the last
commit goes into the next transaction: alone when idle, many at once under load.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from models import transitions
from models.state import JobState
from models.transitions import Claim, Fetch
from worker.failpoints import failpoint
from worker.finish import Outcome, finish
from worker.hand_out import Taker
from worker.hints import Hints, Publisher

log = logging.getLogger(__name__)

MOST_AT_ONCE = 512
#: A busy writer gathers for so long: what comes meanwhile shares its commit, and its messages. Calls take seconds.
LINGER_S = 0.003
#: Downloads hold no slot of the provider's, so that nobody waits for theirs.
FETCH_LINGER_S = 0.015
RECONNECT_CAP_S = 5.0


@dataclass(frozen=True, slots=True)
class Take:
    """Claim these jobs for running."""

    job_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class TakeFetches:
    """Claim so many jobs for storing, whichever are due."""

    most: int


@dataclass(frozen=True, slots=True)
class Beat:
    """Renew the leases of these (id, fence) pairs."""

    held: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Say:
    """Show what a job's stream brought so far."""

    job_id: int
    fence: int
    text: str


@dataclass(frozen=True, slots=True)
class GoOn:
    """Write this outcome, and claim a job that got its slot from this group, if there is one."""

    outcome: Outcome


Write = Take | TakeFetches | Beat | Say | Outcome | GoOn
SETTLES = (Outcome, GoOn)


@dataclass
class Writer:
    """Writes claims, outcomes and heartbeats; publishes the hints that follow from them after the commit."""

    engine: Engine
    publisher: Publisher
    worker: str
    #: Seconds that a claim is good for without a heartbeat.
    lease_s: float
    #: Seconds after which a dispatched job's hint is sent again.
    hint_lease_s: float
    _queue: "queue.SimpleQueue[tuple[Write, Future[Any]] | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None

    async def claim(self, job_ids: Sequence[int]) -> list[Claim]:
        claims: list[Claim] = await self._hand_over(Take(job_ids))
        return claims

    async def claim_fetches(self, most: int) -> list[Fetch]:
        fetches: list[Fetch] = await self._hand_over(TakeFetches(most))
        return fetches

    async def settle(self, outcome: Outcome) -> bool:
        """Write one outcome; False if the job belongs to a later claim by now."""
        moved: bool = await self._hand_over(outcome)
        return moved

    async def go_on(self, outcome: Outcome) -> tuple[bool, Claim | None]:
        """As `settle`, and with it, in the same commit, the claim of a job that a freed slot went to."""
        moved: bool
        claimed: Claim | None
        moved, claimed = await self._hand_over(GoOn(outcome))
        return moved, claimed

    def say(self, job_id: int, fence: int, text: str) -> None:
        """Show what a job's stream brought so far; nobody waits for it."""
        self._queue.put((Say(job_id, fence, text), Future()))

    async def heartbeat(self, held: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Renew these leases; returns those that are still this process's."""
        kept: list[tuple[int, int]] = await self._hand_over(Beat(held))
        return kept

    async def _hand_over(self, write: Write) -> Any:
        future: Future[Any] = Future()
        self._queue.put((write, future))
        return await asyncio.wrap_future(future)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, then end."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        last = False
        group: list[tuple[Write, Future[Any]]] = []
        while not last and (first := self._queue.get()) is not None:
            if len(group) > 1:
                time.sleep(linger_s([write for write, _ in group]))
            group = [first]
            while len(group) < MOST_AT_ONCE and not self._queue.empty():
                more = self._queue.get()
                if more is None:
                    last = True
                    break
                group.append(more)
            self._write(group)

    def _write(self, group: "list[tuple[Write, Future[Any]]]") -> None:
        """Write a group in one transaction; one by one where one of it would spoil the rest."""
        try:
            results = self._until_reachable([write for write, _ in group])
        except Exception as error:
            if len(group) > 1:
                for each in group:
                    self._write([each])
                return
            log.exception("a write was refused: %s", type(group[0][0]).__name__)
            if group[0][1].set_running_or_notify_cancel():
                group[0][1].set_exception(error)
            return
        for (_, future), result in zip(group, results, strict=True):
            if future.set_running_or_notify_cancel():
                future.set_result(result)

    def _until_reachable(self, writes: Sequence[Write]) -> list[Any]:
        """Run a transaction, again and again while Postgres cannot be reached: paid results wait here."""
        tries = 0
        doubtful: Doubtful | None = None
        while True:
            try:
                with self.engine.connect() as conn:
                    if doubtful is None or not committed(conn, doubtful.xid):
                        doubtful = None
                        doubtful = self._once(conn, writes)
                results, hints = doubtful.results, doubtful.hints
            except Uncertain as error:
                doubtful = error.doubtful
                tries = self._wait(tries, error)
            except (OperationalError, InterfaceError, InternalError, PoolTimeoutError) as error:
                if not unreachable(error):
                    raise
                tries = self._wait(tries, error)
            else:
                passes(writes, "committed")
                self.publisher.publish(hints)
                return results

    @staticmethod
    def _wait(tries: int, error: Exception) -> int:
        log.warning("cannot write to Postgres, trying again: %s", type(getattr(error, "orig", error)).__name__)
        time.sleep(min(RECONNECT_CAP_S, 0.1 * 2 ** min(tries, 8)))
        return tries + 1

    def _once(self, conn: Connection, writes: Sequence[Write]) -> "Doubtful":
        """One try. Raises Uncertain where nobody can know yet whether it was committed."""
        with conn.begin() as transaction:
            xid = conn.execute(XID).scalar_one()
            results, hints = self._transact(conn, writes)
            passes(writes, "committing")
            done = Doubtful(xid, results, hints)
            try:
                transaction.commit()
            except (OperationalError, InterfaceError, InternalError) as error:
                raise Uncertain(done) from error
        return done

    def _transact(self, conn: Connection, writes: Sequence[Write]) -> tuple[list[Any], Hints]:
        hints: Hints = {}
        moved: frozenset[tuple[int, int]] = frozenset()
        # First: what was held when they were asked for may have its outcome in this very group.
        kept = [
            transitions.heartbeat(conn, write.held, lease_s=self.lease_s) for write in writes if isinstance(write, Beat)
        ]
        if says := {write.job_id: (write.fence, write.text) for write in writes if isinstance(write, Say)}:
            transitions.say(conn, [(job_id, *said) for job_id, said in says.items()])
        following: list[Claim] = []
        if settles := [write for write in writes if isinstance(write, SETTLES)]:
            outcomes = [write.outcome if isinstance(write, GoOn) else write for write in settles]
            taker = Taker(self.worker, self.lease_s, most=sum(isinstance(write, GoOn) for write in settles))
            finished = finish(conn, outcomes, lease_s=self.hint_lease_s, taker=taker)
            moved, hints, following = finished.moved, finished.hints, taker.claims
        taken = {claim.job_id: claim for claim in self._claim_all(conn, writes)}
        fetches = self._claim_all_fetches(conn, writes)
        results: list[Any] = []
        for write in writes:
            match write:
                case Outcome(move):
                    results.append((move.job_id, move.fence) in moved)
                case GoOn(outcome):
                    made = (outcome.move.job_id, outcome.move.fence) in moved
                    results.append((made, following.pop() if following else None))
                case Take(job_ids):
                    # `pop`: where two messages name one job, one of them has it.
                    results.append([taken.pop(job_id) for job_id in job_ids if job_id in taken])
                case TakeFetches(most):
                    results.append(fetches[:most])
                    del fetches[:most]
                case Beat():
                    results.append(kept.pop(0))
                case Say():
                    results.append(None)
        return results, hints

    def _claim_all(self, conn: Connection, writes: Sequence[Write]) -> list[Claim]:
        job_ids = {job_id for write in writes if isinstance(write, Take) for job_id in write.job_ids}
        if not job_ids:
            return []
        request_ids = [uuid4().hex for _ in job_ids]
        return transitions.claim(conn, sorted(job_ids), request_ids, worker=self.worker, lease_s=self.lease_s)

    def _claim_all_fetches(self, conn: Connection, writes: Sequence[Write]) -> list[Fetch]:
        most = sum(write.most for write in writes if isinstance(write, TakeFetches))
        if not most:
            return []
        return transitions.claim_fetches(conn, most=most, worker=self.worker, lease_s=self.lease_s)


def linger_s(last: Sequence[Write]) -> float:
    """How long to gather, by what the last group held."""
    of_slots = any(
        isinstance(write, Take | GoOn) or (isinstance(write, Outcome) and write.move.source is not JobState.STORING)
        for write in last
    )
    return LINGER_S if of_slots else FETCH_LINGER_S


def passes(writes: Sequence[Write], point: str) -> None:
    """The failpoints of a transaction, by what it writes."""
    for kind, name in ((Take, "claim"), (SETTLES, "settle"), (TakeFetches, "fetch")):
        if any(isinstance(write, kind) for write in writes):
            failpoint(f"{name}.{point}")


XID = text("select cast(pg_current_xact_id() as text)")
STATUS = text("select pg_xact_status(cast(:xid as xid8))")


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What a transaction came to, if it was committed."""

    xid: str
    results: list[Any]
    hints: Hints


class Uncertain(Exception):  # noqa: N818 - it is no error yet
    """The connection broke at the commit."""

    def __init__(self, doubtful: Doubtful) -> None:
        super().__init__("the connection broke at the commit")
        self.doubtful = doubtful


def committed(conn: Connection, xid: str) -> bool:
    """What became of a transaction whose commit was not answered; waits while its session still lives."""
    while (status := conn.execute(STATUS, {"xid": xid}).scalar_one()) == "in progress":
        time.sleep(0.05)
    conn.rollback()
    return bool(status == "committed")


def unreachable(error: Exception) -> bool:
    """Whether the connection was lost or could not be made, so that the same write may succeed later.

    A deadlock, a lock timeout or a statement that took too long is gone at the next try too.
    """
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    # Class 08: connection; 57: shutting down, starting up, cancelled; 53: out of something; 40, 55: locks.
    # 25P03: this process stood still within a transaction, and was cut off.
    return state is None or state == "25P03" or state[:2] in {"08", "53", "40", "55", "57"}
