"""What the account may do at once, in a minute and in a day: per model, and over all of them under "*"."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sandbox.refusals import CHINA, REFUSALS, Refusal

#: Published concurrency, per model and account; others are given 5.
PUBLISHED = {"cogvideox-3": 1}
ASSUMED = 5
ALL = "*"
SETTINGS = ("concurrency", "per_minute", "window_s", "per_day")


@dataclass(slots=True)
class Limit:
    """`per_minute` holds in every span of `window_s` seconds; in real time, whatever the speed."""

    concurrency: int | None = ASSUMED
    per_minute: float | None = None
    window_s: float = 60.0
    per_day: int | None = None
    calls: int = 0
    #: When the tasks end that hold a slot.
    held: list[float] = field(default_factory=list)
    #: When calls were let in, within the last window.
    recent: deque[float] = field(default_factory=deque)
    today: str = ""
    used_today: int = 0

    def busy(self, now: float) -> int:
        """Slots in use: calls under way, and tasks that are not done."""
        if self.held:
            self.held = [done_at for done_at in self.held if done_at > now]
        return self.calls + len(self.held)

    def refusal(self, now: float) -> str | None:
        """The name of the refusal that a call meets now."""
        if self.per_minute is not None:
            while self.recent and self.recent[0] <= now - self.window_s:
                self.recent.popleft()
            if len(self.recent) >= self.per_minute * self.window_s / 60:
                return "too_frequent"
        if self.per_day is not None and self.today == day(now) and self.used_today >= self.per_day:
            return "daily_limit"
        if self.concurrency is not None and self.busy(now) >= self.concurrency:
            return "rate_limit"
        return None

    def count(self, at: float) -> None:
        """A call was let in."""
        if self.per_minute is not None:
            self.recent.append(at)
        if self.per_day is not None:
            self.today, self.used_today = day(at), (self.used_today if self.today == day(at) else 0) + 1


def day(at: float) -> str:
    return datetime.fromtimestamp(at, CHINA).strftime("%Y-%m-%d")


class Limits:
    """Safe from several threads."""

    def __init__(self, given: dict[str, int], clock: Callable[[], float]) -> None:
        self._given = given
        self._clock = clock
        self._lock = threading.Lock()
        self.max_in_flight: dict[str, int] = {}
        self._by_model: dict[str, Limit] = {}
        self.clear()

    def clear(self) -> None:
        """As at the start; calls under way keep their slots."""
        self._by_model = {
            name: Limit(None if name == ALL else ASSUMED, calls=limit.calls)
            for name, limit in self._by_model.items()
            if limit.calls
        }
        self.max_in_flight.clear()
        self.change({ALL: None, **PUBLISHED, **self._given})

    def __contains__(self, name: str) -> bool:
        return name in self._by_model

    def of(self, name: str) -> Limit:
        found = self._by_model.get(name)
        if found is None:
            found = self._by_model[name] = Limit()
        return found

    def change(self, given: dict[str, Any]) -> None:
        """Model → concurrency, or → {"concurrency", "per_minute", "window_s", "per_day"}. Raises ValueError."""
        for name, wanted in given.items():
            settings = wanted if isinstance(wanted, dict) else {"concurrency": wanted}
            if unknown := set(settings) - set(SETTINGS):
                raise ValueError(f"a limit has no {', '.join(sorted(unknown))}")
            for setting, value in settings.items():
                setattr(self.of(name), setting, value)

    def known(self) -> dict[str, dict[str, Any]]:
        return {
            name: {setting: getattr(limit, setting) for setting in SETTINGS} for name, limit in self._by_model.items()
        }

    def enter(self, name: str, retry_after: str | None = None) -> Refusal | None:
        """Take a slot for a call, or say why not."""
        with self._lock:
            now = self._clock()
            both = self.of(name), self._by_model[ALL]
            for limit in both:
                if refusal := limit.refusal(now):
                    return replace(REFUSALS[refusal], retry_after=retry_after)
            for limit in both:
                limit.calls += 1
                limit.count(now)
            self.max_in_flight[name] = max(self.max_in_flight.get(name, 0), both[0].busy(now))
            return None

    def leave(self, name: str) -> None:
        with self._lock:
            self.of(name).calls -= 1
            self._by_model[ALL].calls -= 1

    def hold(self, name: str, until: float) -> None:
        """A task keeps a slot when its call has returned."""
        for each in (name, ALL):
            self.of(each).held.append(until)

    def recall(self, name: str, at: float) -> None:
        """A call of before a restart counts in its minute and its day."""
        for each in (name, ALL):
            self.of(each).count(at)
