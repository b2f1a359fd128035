"""Says every few seconds that this process lives, and what it does: in Postgres, whatever the broker says."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version

from sqlalchemy import Engine, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

EVERY_S = 5.0
#: One that was not heard of for so long is gone; its row is kept for a day, for people.
GONE_S = 30.0

BEAT = text("""
    insert into workers (name, node, queues, threads, version, in_hand, ticked_at)
    values (:name, :node, cast(:queues as text[]), :threads, :version, :in_hand,
        now() - cast(:tick_age_s as float8) * interval '1 second')
    on conflict (name) do update set
        node = excluded.node, queues = excluded.queues, threads = excluded.threads, version = excluded.version,
        in_hand = excluded.in_hand, ticked_at = excluded.ticked_at, seen_at = now()
""")
LEAVE = text("delete from workers where name = :name")
FORGET = text("delete from workers where seen_at < now() - interval '1 day'")


class Pulse:
    """One for each worker process. `name`: host:pid; `in_hand`: how many claims it has."""

    def __init__(self, engine: Engine, name: str, in_hand: Callable[[], int]) -> None:
        self._engine = engine
        self._name = name
        self._in_hand = in_hand
        self._ticked_at: float | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def ticked(self) -> None:
        """The clock's tick came here."""
        self._ticked_at = time.monotonic()

    def start(self, node: str, queues: Collection[str], threads: int) -> None:
        """Beat from now on. `node`: as Celery calls it."""
        who = {"node": node, "queues": sorted(queues), "threads": threads, "version": version("mediajobs")}
        self._thread = threading.Thread(target=self._run, args=(who,), name="pulse", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say no more, and be forgotten: this is an end in order."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()

    def _run(self, who: dict[str, object]) -> None:
        while True:
            tick_age_s = None if self._ticked_at is None else time.monotonic() - self._ticked_at
            values = {"name": self._name, "in_hand": self._in_hand(), "tick_age_s": tick_age_s, **who}
            self._write(BEAT, values)
            if self._ended.wait(EVERY_S):
                self._write(LEAVE, {"name": self._name})
                return

    def _write(self, statement: TextClause, values: Mapping[str, object]) -> None:
        try:
            with self._engine.begin() as conn:
                conn.execute(statement, values)
        except SQLAlchemyError as error:
            log.warning("cannot tell Postgres that this process lives: %s", type(error).__name__)


def forget(engine: Engine) -> None:
    """Delete those that were not heard of for a day."""
    with engine.begin() as conn:
        conn.execute(FORGET)
