"""Who gets a free slot."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.fairness import Lane, choose

CASES: dict[str, tuple[list[Lane], int, list[int]]] = {
    "no lanes": ([], 3, []),
    "no slots": ([Lane(0, 0, [1, 2])], 0, []),
    "one lane, the oldest first": ([Lane(0, 0, [1, 2, 3])], 2, [1, 2]),
    "fewer jobs than slots": ([Lane(0, 0, [1])], 5, [1]),
    "a small batch beside a big one": ([Lane(0, 0, [1, 2, 3, 4]), Lane(0, 0, [90, 91])], 4, [1, 90, 2, 91]),
    "a batch that has slots already waits": ([Lane(0, 3, [1, 2]), Lane(0, 0, [90, 91])], 2, [90, 91]),
    "priority goes before fairness": ([Lane(0, 0, [1]), Lane(5, 9, [90, 91])], 2, [90, 91]),
    "what priority leaves goes to the rest": ([Lane(0, 0, [1, 2]), Lane(5, 0, [90])], 2, [90, 1]),
}


@pytest.mark.parametrize(("lanes", "free", "chosen"), CASES.values(), ids=CASES)
def test_choose(lanes: Sequence[Lane], free: int, chosen: list[int]) -> None:
    assert choose(lanes, free) == chosen


def lane(number: int, priority: int, in_flight: int, size: int) -> Lane:
    return Lane(priority, in_flight, [number * 1000 + each for each in range(1, size + 1)])


LANES = st.lists(
    st.tuples(st.integers(-2, 2), st.integers(0, 5), st.integers(1, 9)), max_size=6
).map(lambda drawn: [lane(number, *values) for number, values in enumerate(drawn)])  # fmt: skip


@given(LANES, st.integers(0, 40))
def test_every_slot_is_used_once_and_in_order(lanes: list[Lane], free: int) -> None:
    chosen = choose(lanes, free)
    assert len(chosen) == min(free, sum(len(each.job_ids) for each in lanes))
    assert len(set(chosen)) == len(chosen)
    for each in lanes:
        taken = [job_id for job_id in chosen if job_id in each.job_ids]
        assert taken == list(each.job_ids[: len(taken)])


@given(LANES, st.integers(0, 40))
def test_no_lane_gets_ahead_of_an_equal_by_more_than_one(lanes: list[Lane], free: int) -> None:
    chosen = set(choose(lanes, free))

    def has(each: Lane) -> int:
        return each.in_flight + len(chosen & set(each.job_ids))

    for one in lanes:
        for other in lanes:
            left_waiting = not set(other.job_ids) <= chosen
            if one.priority == other.priority and left_waiting and chosen & set(one.job_ids):
                assert has(one) <= has(other) + 1
