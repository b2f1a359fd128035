"""What this process has in hand, and the heartbeat that keeps its leases."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from worker.writer import Writer

log = logging.getLogger(__name__)


@dataclass
class InHand:
    """The claims of a process; all of them live in its event loop."""

    writer: Writer
    lease_s: float
    _held: set[tuple[int, int]] = field(default_factory=set)

    @contextmanager
    def holding(self, job_id: int, fence: int) -> Iterator[None]:
        self._held.add((job_id, fence))
        try:
            yield
        finally:
            self._held.discard((job_id, fence))

    async def keep(self) -> None:
        """Renew all leases in one statement, three times a lease, for as long as the process lives."""
        while True:
            await asyncio.sleep(self.lease_s / 3)
            if self._held:
                await self.writer.heartbeat(sorted(self._held))
