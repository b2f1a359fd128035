"""What answers and errors mean for a job."""

from decimal import Decimal
from typing import Any

import pytest

from models.leases import Expired
from models.limit import ACCOUNT
from models.state import JobState
from models.transitions import Claim, Fetch, Poll
from provider.errors import Action, AnswerLost, NotSent, ProviderError, Rejected, Ruling
from provider.wire import Answer, Json
from worker import verdict
from worker.finish import Effect, Pause, Shrink
from worker.kinds import KINDS
from worker.verdict import MAX_CRASHES, MAX_FETCHES, PATIENCE_S, PollRules

RULES = PollRules(first_s=5.0, max_s=30.0)
IMAGE, VIDEO = KINDS["image"], KINDS["video"]
A, S = Action, JobState


def claim(**changes: Any) -> Claim:
    known: dict[str, Any] = {
        "job_id": 1, "fence": 3, "kind": "image", "model": "glm-image", "args": {"model": "glm-image"}, "attempt": 1,
        "number": 4, "request_id": "r", "resent": False,
    }  # fmt: skip
    return Claim(**{**known, **changes})


def poll(**changes: Any) -> Poll:
    known: dict[str, Any] = {
        "job_id": 1, "fence": 3, "kind": "video", "model": "cogvideox-3", "args": {"model": "cogvideox-3"}, "number": 1,
        "remote_id": "x", "polls": 2, "age_s": 30.0,
    }  # fmt: skip
    return Poll(**{**known, **changes})


def answer(body: Json) -> Answer:
    return Answer(http_status=200, body=body, raw=b"raw")


def rejected(action: Action, wait_s: float | None = 7.0) -> ProviderError:
    return Rejected("no", ruling=Ruling(action, wait_s), http_status=429, code="1")


UNSENT = NotSent("refused", ruling=Ruling(A.RETRY))
LOST = AnswerLost("reset")

#: (error, attempt) → (state, attempt given back, seconds at least, effect)
REFUSALS: dict[str, tuple[ProviderError, int, JobState, bool, float, Effect | None]] = {
    "unsent": (UNSENT, 1, S.QUEUED, False, 0.0, None),
    "unsent, tries used up": (UNSENT, 3, S.FAILED, False, 0.0, None),
    "bad parameter": (rejected(A.FAIL), 1, S.FAILED, False, 0.0, None),
    "content": (rejected(A.REFUSED), 1, S.FAILED, False, 0.0, None),
    "too many at once": (rejected(A.SHRINK), 3, S.QUEUED, True, 3.5, Shrink("glm-image")),
    "too fast": (rejected(A.SLOW), 3, S.QUEUED, True, 0.0, Pause("glm-image", "no", 7.0)),
    "no balance": (rejected(A.PAUSE_MODEL), 3, S.QUEUED, True, 0.0, Pause("glm-image", "no", 7.0)),
    "locked": (rejected(A.PAUSE_ACCOUNT, None), 3, S.QUEUED, True, 0.0, Pause(ACCOUNT, "no", None)),
    "account away": (rejected(A.RETRY_LATER), 3, S.QUEUED, True, 0.0, Pause(ACCOUNT, "no", 7.0)),
    "known already": (rejected(A.ALREADY_ACCEPTED), 1, S.HELD, False, 0.0, None),
    "lost": (LOST, 1, S.QUEUED, False, 0.0, None),
}


@pytest.mark.parametrize(
    ("error", "attempt", "state", "given_back", "least_s", "effect"), REFUSALS.values(), ids=REFUSALS
)
def test_refused(  # noqa: PLR0917 - a row of the table
    error: ProviderError, attempt: int, state: JobState, given_back: bool, least_s: float, effect: Effect | None
) -> None:
    outcome = verdict.refused(claim(attempt=attempt), IMAGE, error, error.ruling, chance=0.0)
    assert (outcome.move.target, outcome.move.give_back, outcome.effect) == (state, given_back, effect)
    assert outcome.move.delay_s >= least_s
    assert outcome.move.attempt_end is not None
    assert outcome.move.attempt_end.number == 4


def test_no_action_is_forgotten() -> None:
    for action in Action:
        error = rejected(action)
        assert verdict.refused(claim(), IMAGE, error, error.ruling, chance=0.5).move.target in S


def test_a_lost_answer_is_sent_once_more_with_the_same_id_then_held() -> None:
    first = verdict.refused(claim(), IMAGE, LOST, LOST.ruling, chance=0.5).move
    assert (first.target, first.next_request_id, first.possibly_charged) == (S.QUEUED, "r", True)
    second = verdict.refused(claim(resent=True), IMAGE, LOST, LOST.ruling, chance=0.5).move
    assert (second.target, second.next_request_id, second.possibly_charged) == (S.HELD, None, True)


def test_an_answer_goes_on_to_the_store_with_its_cost() -> None:
    move = verdict.answered(claim(), IMAGE, answer({"created": 1, "data": [{"url": "u"}]}), RULES, chance=0.5).move
    assert (move.target, move.cost, move.delay_s) == (S.STORING, Decimal("0.015"), 0.0)
    assert move.attempt_end is not None
    assert (move.attempt_end.answer, move.attempt_end.outcome) == (b"raw", "answered")


def test_a_task_waits_for_its_first_poll() -> None:
    video = claim(kind="video", model="cogvideox-3", args={"model": "cogvideox-3"})
    move = verdict.answered(video, VIDEO, answer({"id": 123, "task_status": "PROCESSING"}), RULES, chance=0.5).move
    assert (move.target, move.remote_id, move.delay_s) == (S.WAITING, "123", 5.0)


def test_an_unreadable_answer_is_kept_and_paid() -> None:
    move = verdict.answered(claim(), IMAGE, answer({"created": 1, "data": []}), RULES, chance=0.5).move
    assert (move.target, move.error_code, move.cost) == (S.FAILED, "unreadable_answer", Decimal("0.015"))
    assert move.attempt_end is not None
    assert move.attempt_end.answer == b"raw"


POLLS: dict[str, tuple[Json, JobState]] = {
    "processing": ({"task_status": "PROCESSING"}, S.WAITING),
    "queued": ({"task_status": "QUEUED"}, S.WAITING),
    "null": ({"task_status": None}, S.WAITING),
    "lower case": ({"task_status": "processing"}, S.WAITING),
    "empty": ({}, S.WAITING),
    "done": ({"task_status": "SUCCESS", "video_result": [{"url": "u"}]}, S.STORING),
    "done, no URL yet": ({"task_status": "SUCCESS", "video_result": []}, S.WAITING),
    "failed": ({"task_status": "FAIL"}, S.FAILED),
    "failed, another word": ({"task_status": "failed", "message": "m"}, S.FAILED),
}


@pytest.mark.parametrize(("body", "state"), POLLS.values(), ids=POLLS)
def test_polled(body: Json, state: JobState) -> None:
    assert verdict.polled(poll(), VIDEO, answer(body), RULES, chance=0.5).move.target is state


def test_a_failed_task_is_no_cost_but_possibly_charged() -> None:
    body = {"task_status": "FAIL", "error": {"code": "1301", "message": "no"}}
    move = verdict.polled(poll(), VIDEO, answer(body), RULES, chance=0.5).move
    assert (move.error_code, move.cost, move.possibly_charged) == ("1301", Decimal("-0.20"), True)


def test_success_without_a_url_ends_when_patience_does() -> None:
    body = {"task_status": "SUCCESS"}
    move = verdict.polled(poll(age_s=PATIENCE_S), VIDEO, answer(body), RULES, chance=0.5).move
    assert (move.target, move.error_code) == (S.FAILED, "unreadable_answer")


@pytest.mark.parametrize("action", list(Action))
def test_an_error_on_a_poll_never_fails_the_paid_task(action: Action) -> None:
    error = rejected(action)
    assert verdict.poll_refused(poll(), error, error.ruling, RULES, chance=0.5).move.target is S.WAITING


def test_a_task_that_stays_unknown_is_held() -> None:
    error = rejected(A.PATIENCE)
    late = poll(age_s=PATIENCE_S + 1)
    assert verdict.poll_refused(late, error, error.ruling, RULES, chance=0.5).move.target is S.HELD


def expired(**changes: Any) -> Expired:
    known: dict[str, Any] = {
        "job_id": 1, "fence": 3, "kind": "image", "attempt": 1, "number": 1, "request_id": "r", "crashes": 0,
        "resent": False,
    }  # fmt: skip
    return Expired(**{**known, **changes})


def test_a_crash_is_an_unknown_outcome_and_the_third_one_ends_the_job() -> None:
    first = verdict.crashed(expired(), IMAGE).move
    assert (first.target, first.next_request_id, first.crashed) == (S.QUEUED, "r", True)
    last = verdict.crashed(expired(crashes=MAX_CRASHES - 1), IMAGE).move
    assert (last.target, last.error_code) == (S.FAILED, "worker_lost")


def fetch(fetches: int) -> Fetch:
    return Fetch(
        job_id=1, fence=3, kind="image", model="m", args={}, number=1, fetches=fetches, remote_id=None, answer=b""
    )


def test_a_download_is_tried_again_and_never_at_once() -> None:
    again = verdict.not_stored(fetch(1), "download_failed", "404", chance=0.0).move
    assert again.target is S.STORING
    assert again.delay_s > 0
    last = verdict.not_stored(fetch(MAX_FETCHES), "download_failed", "404", chance=0.0).move
    assert (last.target, last.error_code) == (S.FAILED, "download_failed")
