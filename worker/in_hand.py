"""What this process has in hand: the heartbeat that keeps its leases, and the way to let go."""

import asyncio
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from worker.writer import Writer

log = logging.getLogger(__name__)


@dataclass
class InHand:
    """The claims of a process; all of them live in its event loop."""

    writer: Writer
    lease_s: float
    #: The process is about to end: nothing more is claimed.
    stopping: bool = False
    #: When the last heartbeat was asked for that is written by now.
    _kept_at: float = -math.inf
    _held: set[tuple[int, int]] = field(default_factory=set)
    _cuttable: "set[asyncio.Task[Any]]" = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def holding(self, job_id: int, fence: int) -> Iterator[None]:
        """Ends before the outcome is handed to the writer: a heartbeat after it would put off the job's next step."""
        self._held.add((job_id, fence))
        try:
            yield
        finally:
            self._held.discard((job_id, fence))

    def lapsed(self, claimed_at: float) -> bool:
        """Whether a claim that was asked for then (`time.monotonic`) may be another's by now: all stood still."""
        return time.monotonic() - max(claimed_at, self._kept_at) > self.lease_s

    @contextmanager
    def cuttable(self) -> Iterator[None]:
        """Within this, `cut_off` raises CancelledError. What is being written is never cut off."""
        task = asyncio.current_task()
        assert task is not None
        self._cuttable.add(task)
        try:
            yield
        finally:
            self._cuttable.discard(task)

    def stop(self, grace_s: float) -> None:
        """Claim nothing more; after the grace let go of what is still under way."""
        self.stopping = True
        asyncio.get_running_loop().call_later(grace_s, self.cut_off)

    def cut_off(self) -> None:
        if self._cuttable:
            log.warning("stopping: %d calls and downloads do not end in time, and are given back", len(self._cuttable))
        for task in list(self._cuttable):
            task.cancel()

    async def keep(self) -> None:
        """Renew all leases in one statement, three times a lease, for as long as the process lives."""
        while True:
            await asyncio.sleep(self.lease_s / 3)
            if self._held:
                asked_at = time.monotonic()
                await self.writer.heartbeat(sorted(self._held))
                self._kept_at = asked_at
