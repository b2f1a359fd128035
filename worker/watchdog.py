"""Ends a worker that is alive and does nothing: its supervisor starts it again.

The broker's connection may be dead without anybody noticing (Celery's oldest Redis complaint). What is
sure is what Postgres says: there is work for this worker's queues, and for a while none came.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

EXIT_CODE = 70
SINCE = "now() - :for_s * interval '1 second'"
UNTAKEN = f"state = 'dispatched' and dispatched_at < {SINCE}"
#: Queue → is there work for it that nobody took for so long?
OVERDUE = {
    "run": text(f"select exists (select from jobs where {UNTAKEN} and model <> 'cut')"),
    "cut": text(f"select exists (select from jobs where {UNTAKEN} and model = 'cut')"),
    "store": text(f"select exists (select from jobs where state = 'storing' and next_fetch_at < {SINCE})"),
    "poll": text(f"select exists (select from jobs where state = 'waiting' and next_poll_at < {SINCE})"),
    # Told since then, and told still: it may start.
    "schedule": text(f"""
        select exists (
            select from schedule_runs where state = 'due' and told_at < {SINCE} and lease_until > now()
        )
    """),
    # Hints that nobody sends again are a sign that no tick comes.
    "upkeep": text(f"select exists (select from jobs where state = 'dispatched' and lease_until < {SINCE})"),
}


def is_dead(*, silent_s: float, busy: bool, limit_s: float, overdue: Callable[[], bool]) -> bool:
    """Whether a worker that heard nothing for `silent_s` must end. Pure but for the question it asks last."""
    return not busy and silent_s > limit_s and overdue()


class Watchdog:
    """One for each worker process."""

    def __init__(self, engine: Engine, *, limit_s: float) -> None:
        self._engine = engine
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._heard_at = time.monotonic()
        self._busy = 0

    def begins(self) -> None:
        """A message came."""
        with self._lock:
            self._busy += 1

    def ends(self) -> None:
        """Its work is done."""
        with self._lock:
            self._busy -= 1
            self._heard_at = time.monotonic()

    def start(self, queues: Collection[str]) -> None:
        """Watch, for as long as the process lives, that messages come from these queues."""
        known = sorted({*queues} & {*OVERDUE})
        threading.Thread(target=self._run, args=(known,), name="watchdog", daemon=True).start()

    def _run(self, queues: Sequence[str]) -> None:
        self._heard_at = time.monotonic()
        while True:
            time.sleep(min(5.0, self._limit_s / 4))
            silent_s = time.monotonic() - self._heard_at
            if is_dead(
                silent_s=silent_s, busy=self._busy > 0, limit_s=self._limit_s, overdue=partial(self._overdue, queues)
            ):
                log.critical(
                    "no message for %.0f s, although there is work for %s: the broker's connection must be dead; "
                    "ending, to be started again", silent_s, ", ".join(queues),
                )  # fmt: skip
                os._exit(EXIT_CODE)

    def _overdue(self, queues: Sequence[str]) -> bool:
        try:
            with self._engine.connect() as conn:
                return any(conn.execute(OVERDUE[each], {"for_s": self._limit_s}).scalar_one() for each in queues)
        except SQLAlchemyError as error:
            log.warning("the watchdog cannot ask Postgres: %s", type(error).__name__)
            return False
