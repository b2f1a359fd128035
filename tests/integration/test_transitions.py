"""Claims, fences, slots: what must hold however many workers, dispatchers and messages there are."""

import threading
from collections.abc import Sequence
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import interventions, leases, pipelines, slots, transitions
from models.interventions import Selection
from models.limit import ACCOUNT
from models.state import JobState
from models.transitions import AttemptEnd, Claim, Move, StoredOutput
from worker.finish import Outcome, Pause, Shrink, finish
from worker.hand_out import hand_out
from worker.producer import Row, insert_rows

MODEL = "cogview-4-250304"
VIDEO = "cogvideox-3"


def enqueue(engine: Engine, count: int, *, batch: str = "b", model: str = MODEL, priority: int = 0) -> None:
    rows = (
        Row(row=number, args={"model": model, "prompt": f"{batch} {number}"}, priority=priority)
        for number in range(1, count + 1)
    )
    with Session(engine) as session:
        insert_rows(session, batch, "video" if model == VIDEO else "image", rows)
        session.commit()


def dispatch(engine: Engine, model: str = MODEL) -> list[int]:
    with engine.begin() as conn:
        return [job_id for _, job_id in hand_out(conn, model, slots.lock_free(conn, model), lease_s=5)]


def claim(engine: Engine, job_ids: Sequence[int], *, lease_s: float = 30) -> list[Claim]:
    with engine.begin() as conn:
        ids = [f"request-{job_id}-{threading.get_ident()}" for job_id in job_ids]
        return transitions.claim(conn, job_ids, ids, worker="w", lease_s=lease_s)


def settle(engine: Engine, *moves: Move) -> set[int]:
    with engine.begin() as conn:
        return {job_id for job_id, _ in finish(conn, [Outcome(move) for move in moves], lease_s=5).moved}


def ended(engine: Engine, claimed: Claim, target: JobState, **changes: object) -> Move:
    return Move(
        job_id=claimed.job_id,
        fence=claimed.fence,
        source=JobState.RUNNING,
        target=target,
        **changes,  # type: ignore[arg-type]
    )


def value(engine: Engine, sql: str, **values: object) -> object:
    with engine.connect() as conn:
        return conn.execute(text(sql), values).scalar_one()


def test_a_claim_writes_its_intent(engine: Engine) -> None:
    enqueue(engine, 1)
    [claimed] = claim(engine, dispatch(engine))
    found = value(engine, "select request_id from attempts where job_id = :id", id=claimed.job_id)
    assert found == claimed.request_id
    assert (claimed.attempt, claimed.number, claimed.fence) == (1, 1, 1)


def test_duplicate_messages_claim_nothing(engine: Engine) -> None:
    enqueue(engine, 5)
    ids = dispatch(engine)
    results: list[Claim] = []

    def take() -> None:
        results.extend(claim(engine, ids))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.job_id for each in results) == sorted(ids)
    assert value(engine, "select count(*) from attempts") == 5


def test_an_older_fence_changes_nothing_but_its_paid_answer_is_kept(engine: Engine) -> None:
    enqueue(engine, 1)
    [old] = claim(engine, dispatch(engine), lease_s=-1)
    with engine.begin() as conn:
        [expired] = leases.lock_expired(conn)
        assert expired.request_id == old.request_id
        finish(
            conn,
            [Outcome(ended(engine, old, JobState.QUEUED, next_request_id=old.request_id))],
            lease_s=5,
        )
    [job_id] = [old.job_id]
    [new] = claim(engine, [job_id])
    assert (new.fence, new.request_id) == (old.fence + 1, old.request_id)
    late = AttemptEnd(number=old.number, outcome="answered", http_status=200, answer=b"paid", cost=Decimal("0.01"))
    assert settle(engine, ended(engine, old, JobState.STORING, attempt_end=late)) == set()
    assert value(engine, "select state from jobs") == "running"
    assert value(engine, "select answer from attempts where number = 1") == b"paid"


def test_a_later_step_does_not_tell_the_error_before_it(engine: Engine) -> None:
    enqueue(engine, 1)
    [claimed] = claim(engine, dispatch(engine))
    settle(engine, ended(engine, claimed, JobState.QUEUED, error_code="1302", error_message="too many at once"))
    [claimed] = claim(engine, [claimed.job_id])
    settle(engine, ended(engine, claimed, JobState.QUEUED, error_code="1302", error_message="too many at once"))
    with engine.begin() as conn:
        interventions.cancel(conn, Selection(ids=[claimed.job_id]))
        found = conn.execute(text("select target, code, reason from events order by id")).all()
    assert [tuple(each) for each in found] == [
        ("dispatched", None, None), ("running", None, "claimed by w"), ("queued", "1302", "too many at once"),
        ("dispatched", None, None), ("running", None, "claimed by w"), ("queued", "1302", "too many at once"),
        ("dispatched", None, None), ("cancelled", None, "cancelled by an operator"),
    ]  # fmt: skip


def test_two_outcomes_of_one_job_in_one_group(engine: Engine) -> None:
    """A process that stood still has its job again, and writes what came of both claims at once."""
    enqueue(engine, 1)
    [old] = claim(engine, dispatch(engine), lease_s=-1)
    settle(engine, ended(engine, old, JobState.QUEUED, next_request_id=old.request_id))
    [new] = claim(engine, [old.job_id])
    paid = [
        ended(engine, each, JobState.STORING, cost=Decimal("0.01"), attempt_end=AttemptEnd(
            number=each.number, outcome="answered", http_status=200, answer=b"paid", cost=Decimal("0.01")
        ))
        for each in (old, new)
    ]  # fmt: skip
    with engine.begin() as conn:
        assert finish(conn, [Outcome(move) for move in paid], lease_s=5).moved == {(new.job_id, new.fence)}
    assert value(engine, "select cost from jobs") == Decimal("0.02")
    assert value(engine, "select array_agg(late order by number) from attempts") == [True, False]


def test_a_heartbeat_says_which_claims_are_still_its_own(engine: Engine) -> None:
    enqueue(engine, 2)
    one, other = claim(engine, dispatch(engine))
    settle(engine, ended(engine, other, JobState.QUEUED))
    with engine.begin() as conn:
        held = [(one.job_id, one.fence), (other.job_id, other.fence)]
        assert transitions.heartbeat(conn, held, lease_s=30) == held[:1]


def test_several_dispatchers_never_overshoot(engine: Engine) -> None:
    enqueue(engine, 200)
    handed: list[int] = []
    threads = [threading.Thread(target=lambda: handed.extend(dispatch(engine))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handed) == len(set(handed)) == 5
    assert value(engine, "select in_use from limits where model = :m", m=MODEL) == 5


def test_ending_a_job_hands_its_slot_on(engine: Engine) -> None:
    enqueue(engine, 8)
    first, *_ = claim(engine, dispatch(engine))
    assert settle(engine, ended(engine, first, JobState.FAILED, error_code="x")) == {first.job_id}
    assert value(engine, "select count(*) from jobs where state = 'dispatched'") == 1
    assert value(engine, "select in_use from limits where model = :m", m=MODEL) == 5


def test_a_waiting_video_keeps_its_slot_until_the_task_ends(engine: Engine) -> None:
    enqueue(engine, 2, model=VIDEO)
    [claimed] = claim(engine, dispatch(engine, VIDEO))
    settle(engine, ended(engine, claimed, JobState.WAITING, remote_id="20260115"))
    assert dispatch(engine, VIDEO) == []
    with engine.begin() as conn:
        [poll] = transitions.claim_polls(conn, most=10, lease_s=30)
        assert (poll.remote_id, poll.fence) == ("20260115", claimed.fence + 1)
        move = Move(job_id=poll.job_id, fence=poll.fence, source=JobState.WAITING, target=JobState.STORING)
        finished = finish(conn, [Outcome(move)], lease_s=5)
    assert {lot.stage for lot in finished.hints} == {"run", "store"}


def test_a_small_batch_is_not_kept_waiting_by_a_big_one(engine: Engine) -> None:
    enqueue(engine, 500, batch="big")
    dispatch(engine)
    enqueue(engine, 3, batch="small")
    order: list[object] = []
    for _ in range(4):
        with engine.connect() as conn:
            ids = (
                conn.execute(text("select id from jobs where state = 'dispatched' order by id limit 1")).scalars().all()
            )
        [claimed] = claim(engine, ids)
        settle(engine, ended(engine, claimed, JobState.FAILED, error_code="x"))
        order.append(value(engine, "select count(*) from jobs j join batches b on b.id = j.batch_id "
                                   "where b.name = 'small' and j.state <> 'queued'"))  # fmt: skip
    # Two of five slots: with three it would have more than the big one, that is older.
    assert order == [1, 2, 2, 2]


def test_a_pause_stops_claims_too(engine: Engine) -> None:
    enqueue(engine, 5)
    ids = dispatch(engine)
    [first] = claim(engine, ids[:1])
    with engine.begin() as conn:
        move = ended(engine, first, JobState.QUEUED, give_back=True, delay_s=60)
        finish(conn, [Outcome(move, (Pause(MODEL, "no balance", "1113", 3600.0),))], lease_s=5)
    assert claim(engine, ids[1:]) == []
    assert dispatch(engine) == []
    assert value(engine, "select attempt from jobs where id = :id", id=first.job_id) == 0
    with engine.begin() as conn:
        assert [job_id for job_id, _ in leases.lock_halted(conn)] == sorted(ids[1:])
        slots.resume(conn, MODEL)
    assert len(claim(engine, ids[1:])) == 4


def test_unheard_hints_are_sent_again_and_keep_their_slot(engine: Engine) -> None:
    enqueue(engine, 5)
    ids = dispatch(engine)
    with engine.begin() as conn:
        assert leases.renew_unheard(conn, lease_s=5) == []
        conn.execute(text("update jobs set lease_until = now() - interval '1 second' where state = 'dispatched'"))
        assert sorted(job_id for job_id, *_ in leases.renew_unheard(conn, lease_s=5)) == sorted(ids)
        assert leases.renew_unheard(conn, lease_s=5) == []
    assert value(engine, "select in_use from limits where model = :m", m=MODEL) == 5


def test_drift_of_the_slot_counter_is_found(engine: Engine) -> None:
    enqueue(engine, 1)
    dispatch(engine)
    with engine.begin() as conn:
        assert slots.recount(conn, MODEL) is None
        slots.take_back(conn, MODEL, -3)
        assert slots.recount(conn, MODEL) == (4, 1)
        assert slots.recount(conn, MODEL) is None


def test_cancelling_a_running_job_waits_for_its_answer_and_records_it(engine: Engine) -> None:
    enqueue(engine, 2)
    ids = dispatch(engine)
    [running] = claim(engine, ids[:1])
    with engine.begin() as conn:
        changed = interventions.cancel(conn, Selection(ids=ids))
        assert {each.job_id: each.state for each in changed} == {ids[0]: "running", ids[1]: "cancelled"}
    end = AttemptEnd(number=1, outcome="answered", answer=b"{}", cost=Decimal("0.01"))
    settle(engine, ended(engine, running, JobState.STORING, cost=Decimal("0.01"), attempt_end=end))
    assert value(engine, "select state from jobs where id = :id", id=ids[0]) == "cancelled"
    assert value(engine, "select cost from jobs where id = :id", id=ids[0]) == Decimal("0.01")


def test_retry_does_not_buy_again_what_is_paid(engine: Engine) -> None:
    enqueue(engine, 2)
    ids = dispatch(engine)
    answered, refused = claim(engine, ids)
    end = AttemptEnd(number=1, outcome="answered", answer=b"{}")
    settle(engine, ended(engine, answered, JobState.STORING, attempt_end=end))
    settle(engine, ended(engine, refused, JobState.FAILED, error_code="1301",
                         attempt_end=AttemptEnd(number=1, outcome="rejected")))  # fmt: skip
    with engine.begin() as conn:
        [fetch] = transitions.claim_fetches(conn, most=5, worker="w", lease_s=30)
        move = Move(job_id=fetch.job_id, fence=fetch.fence, source=JobState.STORING, target=JobState.FAILED,
                    error_code="download_failed")  # fmt: skip
        finish(conn, [Outcome(move)], lease_s=5)
        changed = pipelines.retry(conn, Selection(batch=1))
    assert {each.job_id: each.state for each in changed} == {answered.job_id: "storing", refused.job_id: "queued"}


def test_success_needs_its_outputs_in_the_same_commit(engine: Engine) -> None:
    enqueue(engine, 1)
    [claimed] = claim(engine, dispatch(engine))
    end = AttemptEnd(number=1, outcome="answered", answer=b"{}")
    settle(engine, ended(engine, claimed, JobState.STORING, attempt_end=end))
    output = StoredOutput(index=0, role="image", location="a.png", mime="image/png", bytes=3, sha256="x")
    with engine.begin() as conn:
        [fetch] = transitions.claim_fetches(conn, most=5, worker="w", lease_s=30)
        done = Move(job_id=fetch.job_id, fence=fetch.fence, source=JobState.STORING, target=JobState.SUCCEEDED,
                    outputs=(output,))  # fmt: skip
        stale = Move(job_id=fetch.job_id, fence=fetch.fence - 1, source=JobState.STORING, target=JobState.FAILED)
        assert finish(conn, [Outcome(stale)], lease_s=5).moved == frozenset()
        assert finish(conn, [Outcome(done)], lease_s=5).moved == {(claimed.job_id, fetch.fence)}
    assert value(engine, "select location from outputs") == "a.png"
    assert value(engine, "select finished_at is not null from jobs") is True


def test_the_tables_refuse_what_cannot_be(engine: Engine) -> None:
    enqueue(engine, 1)
    for wrong in ("state = 'waiting'", "state = 'succeeded'", "state = 'lost'", "finished_at = now()"):
        with engine.connect() as conn, pytest.raises(IntegrityError):
            conn.execute(text(f"update jobs set {wrong}"))


def test_a_level_that_fell_is_not_borne_before_its_calls_go_out(engine: Engine) -> None:
    enqueue(engine, 9)
    claimed = claim(engine, dispatch(engine))
    assert len(claimed) == 5
    with engine.begin() as conn:
        conn.execute(text("update limits set learned = 3, learned_at = now() - interval '1 hour'"))
        slots.put_off(conn)
        assert slots.used_up(conn, window_s=2) == []
    settle(engine, ended(engine, claimed[0], JobState.STORING), ended(engine, claimed[1], JobState.STORING))
    assert value(engine, "select in_use from limits where model = :m", m=MODEL) == 3
    with engine.begin() as conn:
        slots.put_off(conn)
        assert slots.used_up(conn, window_s=2) == []
        assert slots.used_up(conn, window_s=0) == [MODEL]


def test_a_call_that_got_its_slot_before_the_level_fell_says_nothing_of_the_new_level(engine: Engine) -> None:
    """Though it went out after: its message was slow."""

    def refuse(claimed: Claim) -> None:
        move = ended(engine, claimed, JobState.QUEUED, give_back=True, delay_s=60.0)
        with engine.begin() as conn:
            finish(conn, [Outcome(move, (Shrink(MODEL, claimed.dispatched_at),))], lease_s=5)

    enqueue(engine, 9)
    job_ids = dispatch(engine)
    refuse(claim(engine, job_ids[:1])[0])
    assert value(engine, "select learned from limits where model = :m", m=MODEL) == 2
    refuse(claim(engine, job_ids[1:2])[0])
    assert value(engine, "select learned from limits where model = :m", m=MODEL) == 2


#: (pause in force, its seconds) → (another, its seconds, by hand) → which one holds
PAUSES = {
    "an operator's is not undone by a call under way": (None, 5.0, False, "first"),
    "a reset time is not shortened": (3600.0, 5.0, False, "first"),
    "a longer one holds": (5.0, 3600.0, False, "second"),
    "until resumed is the longest": (3600.0, None, False, "second"),
    "an operator may shorten": (3600.0, 5.0, True, "second"),
    "what is over is replaced": (-1.0, 5.0, False, "second"),
}


@pytest.mark.parametrize("case", PAUSES)
def test_the_longer_pause_holds(engine: Engine, case: str) -> None:
    first_s, second_s, by_hand, holds = PAUSES[case]
    with engine.begin() as conn:
        slots.pause(conn, MODEL, reason="first", for_s=first_s, by_hand=True)
        slots.pause(conn, MODEL, reason="second", for_s=second_s, by_hand=by_hand)
        assert conn.execute(text("select pause_reason from limits")).scalar_one() == holds


def test_resuming_the_account_resumes_what_waits_for_a_probe_but_nothing_paused_by_hand(engine: Engine) -> None:
    with engine.begin() as conn:
        slots.pause(conn, ACCOUNT, reason="no balance", for_s=900, code="1113", probes=True)
        slots.pause(conn, MODEL, reason="no balance", for_s=900, code="1113", probes=True)
        slots.pause(conn, VIDEO, reason="by hand", for_s=None, by_hand=True)
        slots.resume(conn, ACCOUNT)
        paused = conn.execute(text("select model from limits where pause_reason is not null")).scalars()
        assert list(paused) == [VIDEO]
