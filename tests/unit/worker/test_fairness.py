"""Who gets a free slot."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.money import Purse
from worker.fairness import EVERY, Lane, choose


def lane(priority: int, in_flight: int, job_ids: Sequence[int], batch_id: int | None = None, each: str = "0") -> Lane:
    return Lane(priority, in_flight, batch_id, job_ids, [Decimal(each)] * len(job_ids))


CASES: dict[str, tuple[list[Lane], int, list[int]]] = {
    "no lanes": ([], 3, []),
    "no slots": ([lane(0, 0, [1, 2])], 0, []),
    "one lane, the oldest first": ([lane(0, 0, [1, 2, 3])], 2, [1, 2]),
    "fewer jobs than slots": ([lane(0, 0, [1])], 5, [1]),
    "a small batch beside a big one": ([lane(0, 0, [1, 2, 3, 4]), lane(0, 0, [90, 91])], 4, [1, 90, 2, 91]),
    "a batch that has slots already waits": ([lane(0, 3, [1, 2]), lane(0, 0, [90, 91])], 2, [90, 91]),
    "priority goes before fairness": ([lane(0, 0, [1]), lane(5, 9, [90, 91])], 2, [90, 91]),
    "what priority leaves goes to the rest": ([lane(0, 0, [1, 2]), lane(5, 0, [90])], 2, [90, 1]),
}


@pytest.mark.parametrize(("lanes", "free", "chosen"), CASES.values(), ids=CASES)
def test_choose(lanes: Sequence[Lane], free: int, chosen: list[int]) -> None:
    assert choose(lanes, free) == chosen


LANES = st.lists(
    st.tuples(st.integers(-2, 2), st.integers(0, 5), st.integers(1, 9)), max_size=6
).map(lambda drawn: [
    lane(priority, in_flight, [number * 1000 + each for each in range(1, size + 1)], number)
    for number, (priority, in_flight, size) in enumerate(drawn)
])  # fmt: skip


@given(LANES, st.integers(0, 40))
def test_every_slot_is_used_once_and_in_order(lanes: list[Lane], free: int) -> None:
    chosen = choose(lanes, free)
    assert len(chosen) == min(free, sum(len(each.job_ids) for each in lanes))
    assert len(set(chosen)) == len(chosen)
    for each in lanes:
        taken = [job_id for job_id in chosen if job_id in each.job_ids]
        assert taken == list(each.job_ids[: len(taken)])


@given(LANES, st.integers(0, EVERY - 1))
def test_no_lane_gets_ahead_of_an_equal_by_more_than_one(lanes: list[Lane], free: int) -> None:
    chosen = set(choose(lanes, free))

    def has(each: Lane) -> int:
        return each.in_flight + len(chosen & set(each.job_ids))

    for one in lanes:
        for other in lanes:
            left_waiting = not set(other.job_ids) <= chosen
            if one.priority == other.priority and left_waiting and chosen & set(one.job_ids):
                assert has(one) <= has(other) + 1


def test_what_is_low_never_starves() -> None:
    low, high = lane(-5, 0, [1, 2, 3], 1), lane(9, 50, list(range(100, 200)), 2)
    assert [job_id for job_id in choose([low, high], 3 * EVERY) if job_id < 100] == [1, 2, 3]
    # Counted over all that were given out, not over one pass: passes are often of one slot.
    assert [choose([low, high], 1, handed=handed)[0] for handed in (0, EVERY - 2, EVERY - 1)] == [100, 100, 1]


def test_a_budget_stops_its_lane_and_no_other() -> None:
    purse = Purse({("batch", "1"): Decimal("0.25"), ("model", "m"): Decimal("0.45")})
    lanes = [lane(0, 0, [1, 2, 3, 4], 1, "0.1"), lane(0, 0, [90, 91, 92], 2, "0.1")]
    # Two of the first batch's, until its own budget ends; four in all, until the model's does.
    assert choose(lanes, 10, model="m", purse=purse) == [1, 90, 2, 91]
    assert purse.left == {("batch", "1"): Decimal("0.05"), ("model", "m"): Decimal("0.05")}
