"""What answers and errors mean for a job."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from models.leases import Expired
from models.limit import ACCOUNT
from models.state import JobState
from models.transitions import Claim, Fetch, Move, Poll
from provider.errors import Action, AnswerLost, NotSent, ProviderError, Rejected, Ruling
from provider.wire import Answer, Json
from worker import verdict
from worker.finish import Effect, Pause, Rest, Shrink
from worker.kind import OnUnknown, Outputs
from worker.kinds import KINDS
from worker.media import url_life_s
from worker.policy import policy_of
from worker.verdict import MAX_CRASHES, PATIENCE_S, PollRules

NOW = datetime(2026, 11, 25, tzinfo=UTC)
MAX_GONE = 8
RULES = PollRules(first_s=5.0, max_s=30.0)
IMAGE, VIDEO = KINDS["image"], KINDS["video"]
A, S = Action, JobState


def claim(**changes: Any) -> Claim:
    known: dict[str, Any] = {
        "job_id": 1, "fence": 3, "kind": "image", "model": "glm-image", "args": {"model": "glm-image"}, "attempt": 1,
        "number": 4, "request_id": "r", "unknowns": 0, "estimate": Decimal("0.015"), "dispatched_at": NOW,
        "batch_id": None, "parent_id": None,
    }  # fmt: skip
    return Claim(**{**known, **changes})


def poll(**changes: Any) -> Poll:
    known: dict[str, Any] = {
        "job_id": 1, "fence": 3, "batch_id": None, "kind": "video", "model": "cogvideox-3", "number": 1,
        "args": {"model": "cogvideox-3"}, "remote_id": "x", "polls": 2, "charged": Decimal("0.20"), "age_s": 30.0,
        "doubted_s": 0.0,
    }  # fmt: skip
    return Poll(**{**known, **changes})


def answer(body: Json) -> Answer:
    return Answer(http_status=200, body=body, raw=b"raw")


def rejected(action: Action, wait_s: float = 7.0, **ruling: Any) -> ProviderError:
    return Rejected("no", ruling=Ruling(action, wait_s, **ruling), http_status=429, code="1")


def paused(model: str, wait_s: float = 7.0, *, probes: bool = False) -> Pause:
    return Pause(model, "no", "1", wait_s, probes)


def test_what_nobody_can_read_is_kept_whole() -> None:
    lost = AnswerLost("no JSON", http_status=200, raw=b"amber")
    found = verdict.unknown(claim(), lost, OnUnknown.RETRY, chance=0.5)
    assert found.move.attempt_end is not None
    assert found.move.attempt_end.answer == b"amber"


UNSENT = NotSent("refused", ruling=Ruling(A.RETRY))
LOST = AnswerLost("reset")

MODEL = "glm-image"
FEWER = Shrink(MODEL, NOW)
#: (error, attempt) → (state, attempt given back, seconds at least, effects)
REFUSALS: dict[str, tuple[ProviderError, int, JobState, bool, float, tuple[Effect, ...]]] = {
    "unsent": (UNSENT, 1, S.QUEUED, False, 0.0, ()),
    "unsent again": (UNSENT, 2, S.QUEUED, True, 0.0, (Pause(ACCOUNT, "refused", "not_sent", 5.0, probes=True),)),
    "bad parameter": (rejected(A.FAIL), 1, S.FAILED, False, 0.0, ()),
    "no such model": (rejected(A.FAIL_MODEL, probes=4), 1, S.FAILED, False, 0.0, (paused(MODEL, probes=True),)),
    "content": (rejected(A.REFUSED), 1, S.FAILED, False, 0.0, ()),
    "too many at once": (rejected(A.SHRINK), 3, S.QUEUED, True, 3.5, (FEWER,)),
    "too many, told until when": (rejected(A.SHRINK, obeys=True), 3, S.QUEUED, True, 0.0, (paused(MODEL), FEWER)),
    "too fast": (rejected(A.SLOW, cap_s=60.0), 3, S.QUEUED, True, 0.0, (Rest(MODEL, "no", "1", 7.0, 60.0), FEWER)),
    "overloaded": (rejected(A.OVERLOADED, cap_s=120.0), 3, S.QUEUED, True, 0.0, (Rest(MODEL, "no", "1", 7.0, 120.0),)),
    "overloaded, told until when": (rejected(A.OVERLOADED, obeys=True), 3, S.QUEUED, True, 0.0, (paused(MODEL),)),
    "no balance": (rejected(A.PAUSE_MODEL, probes=1), 3, S.QUEUED, True, 0.0, (paused(MODEL, probes=True),)),
    "locked": (rejected(A.PAUSE_ACCOUNT, probes=4), 3, S.QUEUED, True, 0.0, (paused(ACCOUNT, probes=True),)),
    "account away": (rejected(A.RETRY_LATER), 3, S.QUEUED, True, 0.0, (paused(ACCOUNT),)),
    "known already": (rejected(A.ALREADY_ACCEPTED), 1, S.HELD, False, 0.0, ()),
    "lost": (LOST, 1, S.QUEUED, False, 0.0, ()),
}


@pytest.mark.parametrize(
    ("error", "attempt", "state", "given_back", "least_s", "effects"), REFUSALS.values(), ids=REFUSALS
)
def test_refused(  # noqa: PLR0917 - a row of the table
    error: ProviderError, attempt: int, state: JobState, given_back: bool, least_s: float, effects: tuple[Effect, ...]
) -> None:
    outcome = verdict.refused(claim(attempt=attempt), IMAGE, error, OnUnknown.RETRY, chance=0.0)
    assert (outcome.move.target, outcome.move.give_back, outcome.effects) == (state, given_back, effects)
    assert outcome.move.delay_s >= least_s
    assert outcome.move.attempt_end is not None
    assert outcome.move.attempt_end.number == 4


def test_no_action_is_forgotten() -> None:
    for action in Action:
        assert verdict.refused(claim(), IMAGE, rejected(action), OnUnknown.RETRY, chance=0.5).move.target in S


def lost(policy: OnUnknown, **changes: Any) -> Move:
    return verdict.refused(claim(**changes), IMAGE, LOST, policy, chance=0.5).move


def test_a_lost_answer_is_sent_once_more_with_the_same_id_then_held() -> None:
    first = lost(OnUnknown.RETRY)
    assert (first.target, first.next_request_id, first.possibly_charged) == (S.QUEUED, "r", True)
    second = lost(OnUnknown.RETRY, unknowns=1)
    assert (second.target, second.next_request_id, second.possibly_charged) == (S.HELD, None, True)


def test_what_was_not_sent_goes_out_under_the_same_id() -> None:
    assert verdict.refused(claim(), IMAGE, UNSENT, OnUnknown.RETRY, chance=0.5).move.next_request_id == "r"
    assert verdict.given_back(claim(), "why").move.next_request_id == "r"
    assert verdict.refused(claim(), IMAGE, rejected(A.SHRINK), OnUnknown.RETRY, chance=0.5).move.next_request_id is None


def test_policy_may_be_to_ask_at_once() -> None:
    assert lost(OnUnknown.HOLD).target is S.HELD
    policy = policy_of({"video": "retry", "cogvideox-3": "hold", "glm-image": "hold"})
    chosen = [policy(*each) for each in (("video", "vidu2-image"), ("video", "cogvideox-3"), ("image", "glm-image"))]
    assert chosen == [OnUnknown.RETRY, OnUnknown.HOLD, OnUnknown.HOLD]
    assert {name: policy_of({})(name, "x") for name in ("image", "video", "transcription")} == {
        "image": OnUnknown.RETRY, "video": OnUnknown.HOLD, "transcription": OnUnknown.RETRY,
    }  # fmt: skip


def test_what_a_stopping_worker_did_not_send_costs_no_attempt() -> None:
    move = verdict.given_back(claim(), "why").move
    assert (move.target, move.give_back, move.possibly_charged) == (S.QUEUED, True, False)


def test_an_answer_goes_on_to_the_store_with_its_cost() -> None:
    move = verdict.answered(
        claim(), IMAGE, answer({"created": 1, "data": [{"url": "u"}]}), RULES, now=NOW, chance=0.5
    ).move
    assert (move.target, move.cost, move.delay_s) == (S.STORING, Decimal("0.015"), 0.0)
    assert move.attempt_end is not None
    assert (move.attempt_end.answer, move.attempt_end.outcome) == (b"raw", "answered")


def test_a_task_waits_for_its_first_poll() -> None:
    video = claim(kind="video", model="cogvideox-3", args={"model": "cogvideox-3"})
    move = verdict.answered(
        video, VIDEO, answer({"id": 123, "task_status": "PROCESSING"}), RULES, now=NOW, chance=0.5
    ).move
    assert (move.target, move.remote_id, move.delay_s) == (S.WAITING, "123", 5.0)


def test_an_unreadable_answer_is_kept_and_paid() -> None:
    move = verdict.answered(claim(), IMAGE, answer({"created": 1, "data": []}), RULES, now=NOW, chance=0.5).move
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
    assert verdict.polled(poll(), VIDEO, answer(body), RULES, now=NOW, chance=0.5).move.target is state


@pytest.mark.parametrize(
    ("age_s", "target", "frees_slot"),
    [(3599.0, S.WAITING, False), (3600.0, S.WAITING, True), (86399.0, S.WAITING, True), (86400.0, S.HELD, False)],
)
def test_a_task_that_hangs_gives_its_slot_up_and_in_the_end_is_held(
    age_s: float, target: JobState, frees_slot: bool
) -> None:
    move = verdict.polled(
        poll(age_s=age_s), VIDEO, answer({"task_status": "PROCESSING"}), RULES, now=NOW, chance=0.5
    ).move
    assert (move.target, move.frees_slot, move.possibly_charged) == (target, frees_slot, False)


def test_a_failed_task_is_no_cost_but_possibly_charged() -> None:
    body = {"task_status": "FAIL", "error": {"code": "1301", "message": "no"}}
    move = verdict.polled(poll(), VIDEO, answer(body), RULES, now=NOW, chance=0.5).move
    assert (move.error_code, move.cost, move.possibly_charged) == ("1301", Decimal("-0.20"), True)


def test_success_without_a_url_ends_when_patience_does() -> None:
    body = {"task_status": "SUCCESS"}
    move = verdict.polled(poll(doubted_s=PATIENCE_S), VIDEO, answer(body), RULES, now=NOW, chance=0.5).move
    assert (move.target, move.error_code) == (S.FAILED, "unreadable_answer")


@pytest.mark.parametrize("action", list(Action))
def test_an_error_on_a_poll_never_fails_the_paid_task(action: Action) -> None:
    error = rejected(action)
    assert verdict.poll_refused(poll(), error, RULES, chance=0.5).move.target is S.WAITING


def test_a_task_that_stays_unknown_is_held() -> None:
    error = rejected(A.PATIENCE)
    late = poll(doubted_s=PATIENCE_S + 1)
    assert verdict.poll_refused(late, error, RULES, chance=0.5).move.target is S.HELD


def test_a_poll_obeys_retry_after() -> None:
    error = rejected(A.SLOW, 500.0, obeys=True)
    assert verdict.poll_refused(poll(), error, RULES, chance=0.5).move.delay_s == 500.0
    assert verdict.poll_refused(poll(), rejected(A.SLOW, 500.0), RULES, chance=0.5).move.delay_s == RULES.max_s


def expired(**changes: Any) -> Expired:
    known: dict[str, Any] = {
        "job_id": 1, "fence": 3, "kind": "image", "model": "m", "attempt": 1, "number": 1, "request_id": "r",
        "crashes": 0, "unknowns": 0, "parent_id": None,
    }  # fmt: skip
    return Expired(**{**known, **changes})


def test_a_crash_is_an_unknown_outcome_and_the_last_one_sets_the_job_aside() -> None:
    first = verdict.crashed(expired(), OnUnknown.RETRY).move
    assert (first.target, first.next_request_id, first.crashed) == (S.QUEUED, "r", True)
    assert verdict.crashed(expired(), OnUnknown.HOLD).move.target is S.HELD
    last = verdict.crashed(expired(crashes=MAX_CRASHES - 1, unknowns=1), OnUnknown.RETRY).move
    assert (last.target, last.error_code) == (S.FAILED, "worker_lost")
    assert "phase: running" in str(last.error_message)


def fetch(fetches: int = 1, **changes: Any) -> Fetch:
    known: dict[str, Any] = {
        "job_id": 1, "fence": 3, "kind": "image", "model": "m", "args": {}, "number": 1, "crashes": 0,
        "gone": 0, "remote_id": None, "answer": b"", "asked_again": False, "expires_in_s": 3600.0,
        "batch_id": None, "parent_id": None,
    }  # fmt: skip
    return Fetch(fetches=fetches, **{**known, **changes})


#: (what is fetched, the file itself is amiss) → state, error's code
DOWNLOADS: dict[str, tuple[Fetch, bool, JobState, str]] = {
    "not there yet": (fetch(1), True, S.STORING, "download_failed"),
    "the way is amiss, for long": (fetch(500), False, S.STORING, "download_failed"),
    "not there, after an outage": (fetch(500), True, S.STORING, "download_failed"),
    "dead, of a call": (fetch(gone=MAX_GONE - 1), True, S.FAILED, "output_lost"),
    "dead, of a task": (fetch(gone=MAX_GONE - 1, remote_id="t"), True, S.WAITING, "download_failed"),
    "dead, asked again": (fetch(gone=MAX_GONE - 1, remote_id="t", asked_again=True), True, S.FAILED, "output_lost"),
    "expired": (fetch(3, expires_in_s=-1.0), False, S.FAILED, "output_lost"),
    "expired, of a task": (fetch(3, remote_id="t", expires_in_s=-1.0), False, S.WAITING, "download_failed"),
}


@pytest.mark.parametrize(("fetched", "gone", "state", "code"), DOWNLOADS.values(), ids=DOWNLOADS)
def test_a_download_is_tried_again_and_the_result_asked_for_once(
    fetched: Fetch, gone: bool, state: JobState, code: str
) -> None:
    move = verdict.not_stored(fetched, "download_failed", "404", gone=gone, max_gone=MAX_GONE, chance=0.0).move
    assert (move.target, move.error_code) == (state, code)
    assert move.delay_s > 0 or state is not S.STORING
    assert move.gone == (gone and state is S.STORING)


def test_a_store_that_takes_nothing_stops_new_calls() -> None:
    outcome = verdict.not_kept(fetch(), "no bucket", max_gone=8, chance=0.5)
    assert (outcome.move.target, outcome.move.error_code) == (S.STORING, "storage_failed")
    assert outcome.effects == (Pause(ACCOUNT, "no bucket", "storage_failed", 15.0),)


@pytest.mark.parametrize(
    ("attempt", "state", "delay_s"), [(1, S.QUEUED, 7.5), (9, S.QUEUED, 65.0), (10, S.FAILED, 0.0)]
)
def test_a_bucket_that_is_away_is_tried_for_some_minutes(attempt: int, state: JobState, delay_s: float) -> None:
    outcome = verdict.source_away(claim(attempt=attempt), "cannot read it now", chance=0.5)
    assert (outcome.move.target, outcome.move.error_code, outcome.move.delay_s) == (state, "source_away", delay_s)
    assert outcome.move.attempt_end is not None
    assert (outcome.move.attempt_end.outcome, outcome.effects) == ("unsent", ())


def test_an_answer_that_reading_stumbles_over_is_kept_and_paid() -> None:
    def stumble(_body: Json, _args: Json) -> Outputs:
        raise RecursionError("maximum depth")

    odd = replace(KINDS["image"], read=stumble)
    move = verdict.answered(claim(), odd, answer({}), RULES, now=NOW, chance=0.5).move
    assert (move.target, move.error_code, move.cost) == (S.FAILED, "unreadable_answer", Decimal("0.015"))
    assert move.attempt_end is not None
    assert (move.attempt_end.outcome, move.attempt_end.answer) == ("answered", b"raw")


LIVES = {
    "unsigned": ("https://h/a.png", 86400.0),
    "signed": (f"https://h/a.png?Signature=x&Expires={int(NOW.timestamp()) + 100}", 100.0),
    "over": (f"https://h/a.png?Expires={int(NOW.timestamp()) - 100}", 1.0),
    "a span, not a time": ("https://h/a.png?Expires=3600", 86400.0),
    "no number": ("https://h/a.png?Expires=soon", 86400.0),
}


@pytest.mark.parametrize(("url", "seconds"), LIVES.values(), ids=LIVES)
def test_how_long_a_url_lives(url: str, seconds: float) -> None:
    assert url_life_s(url, NOW, default_s=86400.0) == seconds


def test_a_kind_that_this_worker_does_not_know_is_left_to_others() -> None:
    """As after a rollback, or while workers of two versions run: nothing is sent, and nothing is bought twice."""
    found = verdict.kind_unknown(claim(kind="sketch"))
    end = found.move.attempt_end
    assert (found.move.target, found.move.give_back, found.effects) == (S.QUEUED, True, ())
    assert found.move.delay_s > 0
    assert found.move.next_request_id == "r"
    assert end is not None
    assert end.outcome == "unsent"
    assert "no kind 'sketch'" in str(found.move.error_message)
    assert policy_of({})("sketch", "sketch-1") is OnUnknown.HOLD
    assert policy_of({"sketch": "retry"})("sketch", "sketch-1") is OnUnknown.RETRY
