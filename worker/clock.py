"""The clock: beat's scheduler, which sends each tick when it is due, whatever the machine's time of day."""

import logging
import os
import signal
import threading
import time
from typing import Any

from celery.beat import Scheduler, SchedulingError
from celery.signals import beat_init

from worker.app import QUEUES
from worker.settings import settings
from worker.watchdog import EXIT_CODE
from worker.wiring import backlog

log = logging.getLogger(__name__)

#: So often at least it shows that it does not hang.
SLEEP_S = 1.0
#: Rare ticks come so soon for the first time: a beat that is often started anew must not forget them.
FIRST_S = 60.0
#: A tick that could not be sent is sent again so soon.
AGAIN_S = 5.0
#: A queue that nobody empties gets no more. Ticks have no time of expiry: it would be held against another clock.
MOST_WAITING = 64


class Clock(Scheduler):  # type: ignore[misc]
    """Celery's own goes by the time of day: set back by an hour, it sends nothing for an hour. Keeps no state."""

    def setup_schedule(self) -> None:
        super().setup_schedule()
        now = time.monotonic()
        self._every_s: dict[str, float] = {
            name: entry.schedule.run_every.total_seconds() for name, entry in self.schedule.items()
        }
        self._due_at = {name: now + min(every_s, FIRST_S) for name, every_s in self._every_s.items()}
        #: Grows as long as it does not hang.
        self.rounds = 0

    def tick(self) -> float:
        """Send what is due. Returns the seconds to sleep."""
        for name, due_at in self._due_at.items():
            now = time.monotonic()
            if now >= due_at:
                every_s = self._every_s[name]
                self._due_at[name] = now + (every_s if self.send(self.schedule[name]) else min(every_s, AGAIN_S))
            self.rounds += 1
        return max(0.0, min(SLEEP_S, min(self._due_at.values()) - time.monotonic()))

    def send(self, entry: Any) -> bool:
        """Send one tick; False if that cannot be, or is of no use now."""
        if backlog(QUEUES[entry.task]) >= MOST_WAITING:
            return False
        try:
            self.apply_async(entry, producer=self.producer, advance=False)
        except SchedulingError as error:
            log.warning("%s", error)
            return False
        return True

    def _ensure_connected(self) -> object:
        """A send connects: with the broker away the next tick tries again, and does not wait half a minute."""
        return self.connection


def watch(clock: Clock, *, limit_s: float) -> None:
    """End the process where the clock hangs within a send, so that it is started again: nobody else would see it."""
    # Counted, not measured: one that was stopped for a while does not hang.
    silent_s = 0
    while silent_s < limit_s:
        before = clock.rounds
        time.sleep(1)
        silent_s = 0 if clock.rounds != before else silent_s + 1
    log.critical("the clock sends nothing for %d s: the broker's connection must be dead; ending, to be started again",
                 silent_s)  # fmt: skip
    os._exit(EXIT_CODE)


def on_start(sender: Any, **_: Any) -> None:
    # Celery would raise SystemExit in the midst of a send, which may then wait for ever for a lock of its own.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sender.stop())
    limits = {"limit_s": settings().silence_s}
    threading.Thread(target=watch, args=(sender.scheduler,), kwargs=limits, name="watchdog", daemon=True).start()


beat_init.connect(on_start)
