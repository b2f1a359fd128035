"""What the waiting for a batch says where there is no terminal."""

from decimal import Decimal

import pytest

from cli import watch
from worker.report import Status

NONE = {"total": 0, "done": 0, "failed": 0}


def status(waiting_for: dict[str, int], **counts: int) -> Status:
    return Status("m", sum(counts.values()), counts, Decimal(0), 0, waiting_for, NONE)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (status({"m is paused": 2}, queued=2), "2 queued, waiting for: m is paused"),
        (status({"m is paused": 2}, queued=2, succeeded=1), "2 queued, waiting for: m is paused"),
        (status({"limit": 2}, queued=2, running=1), ""),
        (status({}, succeeded=1), ""),
    ],
    ids=["paused", "paused in the middle", "one is under way", "over"],
)
def test_why_nothing_moves(found: Status, said: str) -> None:
    assert watch.standstill(found) == said


def test_a_pipe_is_told_why_nothing_moves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0)
    looks = iter([status({"m is paused": 1}, queued=1), status({}, succeeded=1)])
    watch.follow_lines(lambda: next(looks), quiet=False)
    assert capsys.readouterr().out.splitlines() == [
        "0/1 ended (1 queued), $0",
        "1 queued, waiting for: m is paused",
        "1/1 ended (1 succeeded), $0",
    ]
