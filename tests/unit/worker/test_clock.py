"""The clock goes by the monotonic clock, and by nothing else."""

import time
from typing import Any

import pytest

from worker.app import make_app, ticks
from worker.clock import Clock


class Heard(Clock):
    """Notes what would be sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.sent: list[str] = []
        super().__init__(*args, **kwargs)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        assert producer is not None
        self.sent.append(entry.name)


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
        assert clock.tick() == 1.0
        assert clock.sent == []
        while now["monotonic"] < 1059.5:
            now["monotonic"] += clock.tick()
        counts = {name: clock.sent.count(name) for name in every_s}
    assert counts == {name: int(59 // seconds) for name, seconds in every_s.items()}
