"""Which workers answer: asked over the broker now and then, told at once."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kombu.exceptions import OperationalError

ASK_EVERY_S = 10.0
ANSWER_S = 1.0


@dataclass(frozen=True, slots=True)
class Worker:
    """`process`: host:pid, as the jobs that it has in hand say it; `threads`: what it may do at once."""

    name: str
    process: str
    threads: int
    up_s: float


class Workers:
    """The answers to the last question. Asking takes a second, and never holds a page up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._found: Sequence[Worker] | None = None

    def known(self) -> Sequence[Worker] | None:
        """Those that answered of late; None: not asked yet, or the broker is away."""
        with self._lock:
            if self._asked_at is None or time.monotonic() - self._asked_at > ASK_EVERY_S:
                self._asked_at = time.monotonic()
                threading.Thread(target=self._ask, name="workers", daemon=True).start()
            return self._found

    def _ask(self) -> None:
        from worker.app import app  # noqa: PLC0415 - reads the settings, which tests make per server

        try:
            answers = app.control.inspect(timeout=ANSWER_S).stats() or {}
        except (OperationalError, OSError):
            found = None
        else:
            found = sorted((worker(name, told) for name, told in answers.items()), key=lambda each: each.name)
        with self._lock:
            self._found = found


def worker(name: str, told: dict[str, object]) -> Worker:
    pool, up_s = told.get("pool"), told.get("uptime")
    threads = pool.get("max-concurrency", 0) if isinstance(pool, dict) else 0
    return Worker(
        name=name.partition("@")[0],
        process=f"{name.partition('@')[2]}:{told.get('pid')}",
        threads=int(threads or 0),
        up_s=float(up_s) if isinstance(up_s, int | float) else 0.0,
    )
