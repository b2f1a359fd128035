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
    #: (job id, fence) → when the last heartbeat was asked for that has renewed it.
    _held: dict[tuple[int, int], float] = field(default_factory=dict)
    _cuttable: "set[asyncio.Task[Any]]" = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def holding(self, job_id: int, fence: int) -> Iterator[None]:
        """Ends before the outcome is handed to the writer: a heartbeat after it would put off the job's next step."""
        self._held[job_id, fence] = -math.inf
        try:
            yield
        finally:
            self._held.pop((job_id, fence), None)

    def lapsed(self, job_id: int, fence: int, claimed_at: float) -> bool:
        """Whether a claim that was asked for then (`time.monotonic`) may be another's by now: all stood still."""
        kept_at = self._held.get((job_id, fence), -math.inf)
        return time.monotonic() - max(claimed_at, kept_at) > self.lease_s

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
                for claim in await self.writer.heartbeat(sorted(self._held)):
                    if claim in self._held:
                        self._held[claim] = asked_at
