"""How long a busy writer gathers."""

from collections.abc import Sequence

import pytest

from models.state import JobState
from models.transitions import Move
from worker.finish import Outcome
from worker.writer import FETCH_LINGER_S, LINGER_S, Take, TakeFetches, Write, linger_s

STORED = Outcome(Move(job_id=1, fence=2, source=JobState.STORING, target=JobState.SUCCEEDED))
ANSWERED = Outcome(Move(job_id=2, fence=1, source=JobState.RUNNING, target=JobState.STORING))

CASES: dict[str, tuple[Sequence[Write], float]] = {
    "downloads only: nobody waits": ([TakeFetches(4), STORED], FETCH_LINGER_S),
    "a claim: a slot waits": ([TakeFetches(4), Take([5])], LINGER_S),
    "an answer: its slot waits": ([STORED, ANSWERED], LINGER_S),
}


@pytest.mark.parametrize(("last", "wanted"), CASES.values(), ids=CASES)
def test_linger(last: Sequence[Write], wanted: float) -> None:
    assert linger_s(last) == wanted
