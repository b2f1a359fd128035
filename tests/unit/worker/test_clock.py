"""The clock goes by the monotonic clock, and by nothing else."""

import time
from typing import Any

import pytest

from worker.app import SWEEP, make_app, ticks
from worker.clock import Clock


class Heard(Clock):
    """Notes what would be sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[str] = []
        self.goes = True
        super().__init__(*args, **kwargs)

    def send(self, entry: Any) -> bool:
        self.sent.append(entry.name)
        return self.goes


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """`monotonic` is what the test says; the time of day does not go on."""
    given = {"monotonic": 1000.0}
    monkeypatch.setattr(time, "monotonic", lambda: given["monotonic"])
    monkeypatch.setattr(time, "time", lambda: 0.0)
    return given


def test_each_tick_is_sent_when_it_is_due(now: dict[str, float]) -> None:
    with make_app(None) as app:
        clock = Heard(app)
        every_s = ticks(1.0, prunes=False)
        # A time of expiry would be held against a worker's clock.
        assert [name for name, entry in clock.schedule.items() if "expires" in entry.options] == []
        assert clock.tick() == 1.0
        assert clock.sent == []
        while now["monotonic"] < 1059.5:
            now["monotonic"] += clock.tick()
        counts = {name: clock.sent.count(name) for name in every_s}
        assert counts == {name: int(59 // seconds) for name, seconds in every_s.items()}
        # The rare ones come a minute after the start, too.
        while now["monotonic"] < 1061.5:
            now["monotonic"] += clock.tick()
        assert {name for name in every_s if name not in clock.sent} == set()


def test_a_tick_that_could_not_be_sent_is_sent_again_soon(now: dict[str, float]) -> None:
    with make_app(None) as app:
        clock = Heard(app)
        clock.goes = False
        while now["monotonic"] < 1075.5:
            now["monotonic"] += clock.tick()
    assert clock.sent.count(SWEEP) == 4
