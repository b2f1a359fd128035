"""Where a job's time went: what it spent in its states, not what it lay ended before somebody retried it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from web.queries.job import timeline

BEGAN = datetime(2026, 11, 26, tzinfo=UTC)
ONCE = ["queued", 0, "dispatched", 2, "running", 3, "storing", 8, "succeeded", 9]
RETRIED = ["queued", 0, "running", 1, "failed", 4, "queued", 604, "running", 605, "succeeded", 610]


def history(steps: list[Any]) -> list[dict[str, Any]]:
    return [
        {"state": state, "at": BEGAN + timedelta(seconds=at)} for state, at in zip(steps[::2], steps[1::2], strict=True)
    ]


@pytest.mark.parametrize(
    ("steps", "now_s", "whole_s", "took_s"),
    [
        (ONCE, 1000, 9, 9),
        (ONCE[:6], 10, 10, 10),
        (RETRIED, 1000, 610, 10),
        (RETRIED[:6], 1000, 4, 4),
        (RETRIED[:8], 700, 700, 100),
        (["queued", 0, "running", 1, "running", 3, "succeeded", 5], 9, 5, 5),
    ],
    ids=["once", "under way", "retried", "failed", "queued once more", "a lease renewed"],
)
def test_what_it_took(steps: list[Any], now_s: int, whole_s: int, took_s: int) -> None:
    found = timeline(history(steps), BEGAN + timedelta(seconds=now_s))
    assert (found.whole_s, found.took_s) == (whole_s, took_s)
    assert all(each.start_s <= (found.whole_s if each.end_s is None else each.end_s) for each in found.phases)
