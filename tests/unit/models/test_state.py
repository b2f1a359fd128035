"""The table of legal moves."""

from contextlib import nullcontext

import pytest

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


def test_nothing_succeeds_that_was_not_stored() -> None:
    assert {state for state in JobState if JobState.SUCCEEDED in LEGAL[state]} == {JobState.STORING}


@pytest.mark.parametrize("state", ALL)
@pytest.mark.parametrize("target", ALL)
def test_an_illegal_move_is_an_exception(state: JobState, target: JobState) -> None:
    with nullcontext() if target in LEGAL[state] else pytest.raises(IllegalMoveError, match=f"a {state} job cannot"):
        check_move(state, target)
