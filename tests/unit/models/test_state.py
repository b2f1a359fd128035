"""The table of legal moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.state import FINAL, LEGAL, IllegalMoveError, JobState, check_move

ALL = list(JobState)


def test_every_state_has_its_line() -> None:
    assert set(LEGAL) == set(JobState)


def test_a_job_with_a_remote_id_is_never_submitted_again_by_the_flow() -> None:
    assert JobState.QUEUED not in LEGAL[JobState.WAITING] | LEGAL[JobState.STORING]


def test_success_is_for_good() -> None:
    assert LEGAL[JobState.SUCCEEDED] == frozenset()


def test_every_unfinished_state_can_be_cancelled() -> None:
    assert all(JobState.CANCELLED in LEGAL[state] for state in JobState if state not in FINAL)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=30))
def test_random_walks_keep_to_the_table(targets: list[JobState]) -> None:
    state = JobState.QUEUED
    for target in targets:
        if target in LEGAL[state]:
            check_move(state, target)
            state = target
        else:
            with pytest.raises(IllegalMoveError, match=f"a {state} job cannot become {target}"):
                check_move(state, target)
    # Nothing succeeds without having been stored.
    assert JobState.SUCCEEDED not in LEGAL[JobState.RUNNING] | LEGAL[JobState.WAITING] | LEGAL[JobState.QUEUED]
