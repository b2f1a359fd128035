"""Hints to the workers: messages that say which jobs may go on. Losing one loses no job."""

import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from models.limit import CUT

log = logging.getLogger(__name__)

#: Seconds between two rounds of messages about downloads, which hold no slot: under load they share messages, each of
#: which costs more than a claim. What is alone goes at once.
STORE_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Lot:
    """What jobs have in common that may share a message; what Flower shows of it."""

    stage: str
    kind: str
    model: str


def lot_of(kind: str, model: str) -> Lot:
    """For dispatched jobs: the call, or, for recordings, the cut."""
    return Lot("cut" if model == CUT else "run", kind, model)


Hints = dict[Lot, list[int]]
#: Sends one message: (lot, ids). Raises whatever the broker's client raises.
Send = Callable[[Lot, list[int]], None]


def gather(pairs: Iterable[tuple[Lot, int]]) -> Hints:
    """Group job ids by what they have in common."""
    hints: Hints = defaultdict(list)
    for lot, job_id in pairs:
        hints[lot].append(job_id)
    return hints


@dataclass
class Publisher:
    """Sends hints from a thread of its own, so that a broker that is away delays no write.

    Hints that gather while one is sent share messages of at most `message_size` ids.
    """

    send: Send
    message_size: int
    _queue: "queue.SimpleQueue[Hints | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None

    def publish(self, hints: Hints) -> None:
        """Hand hints over; call only after the commit that makes them true."""
        if hints:
            self._queue.put(hints)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send what is left, then end."""
        if self._thread:
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        sent_at = float("-inf")
        while (first := self._queue.get()) is not None:
            waiting, last = self._gathered(first, until=sent_at + STORE_EVERY_S)
            sent_at = time.monotonic()
            self._send_all(gather((lot, job_id) for each in waiting for lot, ids in each.items() for job_id in ids))
            if last:
                return

    def _gathered(self, first: Hints, *, until: float) -> tuple[list[Hints], bool]:
        """What else is there, or comes before `until` while nothing that is there is urgent; whether it is the last."""
        waiting = [first]
        while True:
            if any(lot.stage != "store" for lot in waiting[-1]):
                until = 0.0
            try:
                more = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return waiting, False
            if more is None:
                return waiting, True
            waiting.append(more)

    def _send_all(self, hints: Hints) -> None:
        send_all(hints, self.send, message_size=self.message_size)


def send_all(hints: Hints, send: Send, *, message_size: int) -> None:
    """Send hints in messages of at most `message_size` ids; a broker that is away costs a tick, no job."""
    try:
        for lot, ids in hints.items():
            for start in range(0, len(ids), message_size):
                send(lot, ids[start : start + message_size])
    except Exception as error:  # noqa: BLE001 - brokers' clients have no common base class
        log.warning("broker away, the next tick sends these hints again: %s", type(error).__name__)
