"""The search for what the provider bears, and the spacing of calls."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.pace import WINDOW_S, Pace, allowance, borne, refused

STEPS: dict[str, tuple[Pace, Callable[[Pace], Pace], Pace]] = {
    "all is well: double": (Pace(100, 4), lambda p: borne(p, WINDOW_S), Pace(100, 8, good=4)),
    "not for a whole window": (Pace(100, 4), lambda p: borne(p, WINDOW_S / 2), Pace(100, 4)),
    "never above the ceiling": (Pace(10, 8), lambda p: borne(p, WINDOW_S), Pace(10, 10, good=8)),
    "at the ceiling": (Pace(10, 10), lambda p: borne(p, WINDOW_S), Pace(10, 10, good=10)),
    "a step too far is taken back": (Pace(100, 64, good=32), refused, Pace(100, 32, good=32, refused=64, patience=1)),
    "then up by a quarter": (
        Pace(100, 32, good=32, refused=64), lambda p: borne(p, WINDOW_S), Pace(100, 40, good=32, refused=64),
    ),
    "or to the middle": (
        Pace(100, 40, good=40, refused=44), lambda p: borne(p, WINDOW_S), Pace(100, 42, good=40, refused=44),
    ),
    "by one at least": (Pace(100, 2, good=2, refused=9), lambda p: borne(p, WINDOW_S), Pace(100, 3, good=2, refused=9)),
    "next to the limit: wait": (
        Pace(100, 40, good=40, refused=41, patience=2), lambda p: borne(p, WINDOW_S),
        Pace(100, 40, good=40, refused=41, patience=2),
    ),
    "and look again": (
        Pace(100, 40, good=40, refused=41, patience=2), lambda p: borne(p, WINDOW_S * 4),
        Pace(100, 41, good=40, refused=41, patience=2),
    ),
    "in vain: later the next time": (
        Pace(100, 41, good=40, refused=41, patience=2), refused, Pace(100, 40, good=40, refused=41, patience=3),
    ),
    "the limit fell: half": (Pace(100, 40, good=40, refused=41), refused, Pace(100, 20, refused=40)),
    "never below one": (Pace(100, 1, good=1), refused, Pace(100, 1, refused=2)),
    "the limit grew: on": (
        Pace(100, 41, good=40, refused=41, patience=3), lambda p: borne(p, WINDOW_S), Pace(100, 82, good=41),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "step", "after"), STEPS.values(), ids=STEPS)
def test_steps(before: Pace, step: Callable[[Pace], Pace], after: Pace) -> None:
    assert step(before) == after


def search(hidden: Callable[[float], int], seconds: float, pace: Pace) -> list[tuple[float, Pace, bool]]:
    """(time, pace, refused) twice a second, against a provider that bears `hidden` at that time."""
    found, changed_at = [], 0.0
    for step in range(int(seconds * 2)):
        at = step / 2
        over = pace.level > hidden(at)
        now = refused(pace) if over else borne(pace, at - changed_at)
        if over or now.level != pace.level:
            changed_at = at
        pace = now
        found.append((at, pace, over))
    return found


@given(st.integers(1, 100), st.integers(1, 100))
def test_whatever_the_limit_the_search_ends_just_below_it(hidden: int, start: int) -> None:
    found = search(lambda _at: hidden, 240, Pace(100, start))
    settled = [(pace, over) for at, pace, over in found if at > 120]
    assert {pace.good for pace, _ in settled if pace.good} <= {hidden}
    assert sum(over for _, over in settled) <= 4


def test_from_4_to_40_in_a_minute_and_down_with_it() -> None:
    found = search(lambda at: 40 if at < 120 else 20, 180, Pace(100, 4))
    assert next(at for at, pace, _ in found if (pace.good or 0) >= 38) < 60
    fell = next(at for at, pace, over in found if at >= 120 and over)
    assert all(pace.level <= 31 for at, pace, _ in found if at >= fell + 2 * WINDOW_S)


@given(st.integers(1, 6000), st.lists(st.floats(0.05, 30.0), min_size=1, max_size=80))
def test_no_minute_has_more_calls_than_are_allowed(per_minute: int, waits: Sequence[float]) -> None:
    now, rate_at = 1000.0, 0.0
    sent: list[tuple[float, int]] = []
    for wait_s in waits:
        now += wait_s
        calls, moves_s = allowance(per_minute, now - rate_at, 10_000)
        if calls:
            rate_at = now + moves_s
            sent.append((now, calls))
    for at, _ in sent:
        assert sum(calls for when, calls in sent if at <= when < at + 60) <= per_minute + 1


def test_without_a_rate_all_may_go() -> None:
    assert allowance(None, 0.0, 7)[0] == 7
