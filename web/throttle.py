"""How often wrong keys may be tried. Keys cannot be guessed; who tries all the same, or a program gone wrong, waits."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass
class Throttle:
    """Counts failures by address, in this process's memory; those that failed longest ago are forgotten first."""

    most: int = 10
    within_s: float = 300.0
    addresses: int = 10_000
    clock: Callable[[], float] = monotonic
    _failed: OrderedDict[str, list[float]] = field(default_factory=OrderedDict)

    def wait_s(self, address: str) -> float:
        """Seconds until this address may try again; 0: now."""
        recent = self._recent(address)
        return self.within_s - (self.clock() - recent[-self.most]) if len(recent) >= self.most else 0.0

    def failed(self, address: str) -> None:
        self._failed[address] = [*self._recent(address), self.clock()][-self.most :]
        self._failed.move_to_end(address)
        if len(self._failed) > self.addresses:
            self._failed.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self.clock() - self.within_s
        return [at for at in self._failed.get(address, []) if at > since]
