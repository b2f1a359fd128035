"""Jobs that come after others, in the record: they wait unseen, and whoever ends the earlier one goes on with them."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.orm import Session

from cli.watch import over
from models import leases, money, transitions
from models.money import DAY
from models.state import JobState
from models.transitions import AttemptEnd, Claim, StoredOutput
from tests.integration.test_transitions import claim, dispatch, ended, settle, value
from worker import KeyTakenError, enqueue
from worker.actions import Counts, Selection, cancel, resolve, retry
from worker.audit import audit
from worker.finish import Outcome, finish
from worker.pipeline import AfterError
from worker.producer import Inserted, checked, insert_rows
from worker.reasons import earlier, waiting_for
from worker.report import status
from worker.storage import SourceAwayError
from worker.taking import outputs_before
from worker.upkeep.mend import mend
from worker.waiting import FOLLOWS

IMAGE, VIDEO = "cogview-4-250304", "cogvideox-3"
OUTPUT = StoredOutput(index=0, role="image", location="a.png", mime="image/png", bytes=1, sha256="x")
SUCCEED, FAIL = JobState.SUCCEEDED, JobState.FAILED


def image(key: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "prompt": key, **more, **({"after": list(after)} if after else {})}


def submit(engine: Engine, *rows: dict[str, Any], batch: str | None = "b", **options: Any) -> Inserted:
    with Session(engine) as session:
        made = insert_rows(session, batch, "image", checked("image", rows), **options)
        session.commit()
        return made


def states(engine: Engine) -> dict[str, str]:
    with engine.connect() as conn:
        assert list(audit(conn)) == []
        return {row.key: row.state for row in conn.execute(text("select key, state from jobs order by id"))}


def blocked(engine: Engine) -> dict[str, int]:
    """Key → how many jobs it waits for, of those that wait for any."""
    with engine.connect() as conn:
        rows = conn.execute(text("select key, blocked_by from jobs where state = 'queued' and blocked_by > 0"))
        return {row.key: row.blocked_by for row in rows}


def id_of(engine: Engine, key: str) -> int:
    return int(str(value(engine, "select id from jobs where key = :key", key=key)))


def begin(engine: Engine, key: str) -> Claim:
    """Its call is under way."""
    dispatch(engine, str(value(engine, "select model from jobs where key = :key", key=key)))
    [claimed] = claim(engine, [id_of(engine, key)])
    return claimed


def end(engine: Engine, claimed: Claim, target: JobState = SUCCEED) -> None:
    closing = AttemptEnd(number=claimed.number, outcome="answered", answer=b"{}", cost=Decimal("0.01"))
    if target is not SUCCEED:
        told = {"error_code": "1301", "error_message": "no such picture"} if target is FAIL else {}
        closing = AttemptEnd(number=claimed.number, outcome="unknown" if target is JobState.HELD else "rejected",
                             possibly_charged=target is JobState.HELD)  # fmt: skip
        move = ended(engine, claimed, target, attempt_end=closing, possibly_charged=target is JobState.HELD, **told)
        assert settle(engine, move) == {claimed.job_id}
        return
    settle(engine, ended(engine, claimed, JobState.STORING, attempt_end=closing, cost=closing.cost))
    with engine.begin() as conn:
        conn.execute(text("update jobs set next_fetch_at = now() where state = 'storing'"))
        fetches = transitions.claim_fetches(conn, most=1, worker="w", lease_s=30)
    if not fetches:  # it was cancelled meanwhile
        return
    [fetch] = fetches
    move = transitions.Move(job_id=claimed.job_id, fence=fetch.fence, source=JobState.STORING, target=SUCCEED,
                            outputs=(OUTPUT,))  # fmt: skip
    assert settle(engine, move) == {claimed.job_id}


def act(engine: Engine, do: Callable[..., Counts], *args: Any) -> dict[str, int]:
    with Session(engine) as session:
        counts = do(session, *args)
        session.commit()
    return counts.by_state


def ids(engine: Engine, *keys: str) -> Selection:
    return Selection(ids=[id_of(engine, key) for key in keys])


# -- going on ----------------------------------------------------------------------------------------


def test_a_job_waits_unseen_and_gets_a_slot_from_whoever_ends_the_last_before_it(engine: Engine) -> None:
    submit(
        engine, image("a"), image("b"), {**image("film", "a", "b"), "kind": "video", "image_url": "{{ image of a }}"}
    )
    first, second = begin(engine, "a"), claim(engine, [id_of(engine, "b")])[0]
    assert dispatch(engine, VIDEO) == []
    end(engine, first)
    assert blocked(engine) == {"film": 1}
    end(engine, second)
    assert states(engine) == {"a": "succeeded", "b": "succeeded", "film": "dispatched"}


@pytest.mark.parametrize("round_", range(10))
def test_two_that_end_at_once_let_the_third_run_once(engine: Engine, round_: int) -> None:
    submit(engine, image("a"), image("b"), image("c", "a", "b"))
    claims = [begin(engine, "a"), begin(engine, "b")]
    barrier = threading.Barrier(2)
    fetches = []
    for each in claims:
        closing = AttemptEnd(number=1, outcome="answered", answer=b"{}")
        settle(engine, ended(engine, each, JobState.STORING, attempt_end=closing))
    with engine.begin() as conn:
        fetches = transitions.claim_fetches(conn, most=2, worker="w", lease_s=30)

    def store(fetch: transitions.Fetch) -> None:
        barrier.wait()
        settle(engine, transitions.Move(job_id=fetch.job_id, fence=fetch.fence, source=JobState.STORING,
                                        target=SUCCEED, outputs=(OUTPUT,)))  # fmt: skip

    together(*(lambda each=each: store(each) for each in fetches))
    assert states(engine) == {"a": "succeeded", "b": "succeeded", "c": "dispatched"}


def together(*does: Callable[[], None]) -> None:
    threads = [threading.Thread(target=each) for each in does]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


@pytest.mark.parametrize("target", [SUCCEED, FAIL])
def test_a_job_that_ends_while_what_comes_after_it_is_written(engine: Engine, target: JobState) -> None:
    """The writer has the earlier job's lock; who ends it saw nothing of the later one when it began."""
    submit(engine, image("a"))
    claimed = begin(engine, "a")
    if target is SUCCEED:
        closing = AttemptEnd(number=1, outcome="answered", answer=b"{}")
        settle(engine, ended(engine, claimed, JobState.STORING, attempt_end=closing))
        with engine.begin() as conn:
            [fetch] = transitions.claim_fetches(conn, most=1, worker="w", lease_s=30)
        move = transitions.Move(job_id=fetch.job_id, fence=fetch.fence, source=JobState.STORING, target=SUCCEED,
                                outputs=(OUTPUT,))  # fmt: skip
    else:
        move = ended(engine, claimed, FAIL, attempt_end=AttemptEnd(number=1, outcome="rejected"))
    with Session(engine) as session:
        insert_rows(session, "b", "image", checked("image", [image("b", "a"), image("c", "b")]))
        ending = threading.Thread(target=lambda: settle(engine, move))
        ending.start()
        wait_for_a_lock(session.connection())
        session.commit()
    ending.join()
    assert states(engine) == (
        {"a": "succeeded", "b": "dispatched", "c": "queued"}
        if target is SUCCEED
        else {"a": "failed", "b": "failed", "c": "failed"}
    )


def test_what_is_written_after_a_job_that_is_being_given_up_is_given_up_too(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"))
    claimed = begin(engine, "a")
    move = ended(engine, claimed, FAIL, attempt_end=AttemptEnd(number=1, outcome="rejected"))
    with Session(engine) as session:
        insert_rows(session, "b", "image", checked("image", [image("c", "b"), image("d", "c")]))
        ending = threading.Thread(target=lambda: settle(engine, move))
        ending.start()
        wait_for_a_lock(session.connection())
        session.commit()
    ending.join()
    assert set(states(engine).values()) == {"failed"}


def wait_for_a_lock(conn: Connection) -> None:
    """Until another session waits for a lock of this one's."""
    waits = text("select count(*) from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))")
    while not conn.execute(waits).scalar_one():
        pass


def test_what_may_run_has_to_wait_for_money_like_any_other(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"))
    claimed = begin(engine, "a")
    with engine.begin() as conn:
        money.set_budget(conn, DAY, Decimal("0.01"))
    end(engine, claimed)
    assert states(engine) == {"a": "succeeded", "b": "queued"}
    assert blocked(engine) == {}
    with engine.connect() as conn:
        [reason] = waiting_for(conn, None)
    assert reason.startswith("budget")
    with engine.begin() as conn:
        money.set_budget(conn, DAY, Decimal(1))
    assert dispatch(engine) == [id_of(engine, "b")]


# -- ending ------------------------------------------------------------------------------------------


def test_what_comes_after_a_failure_fails_with_it_and_says_why(engine: Engine) -> None:
    with engine.begin() as conn:
        money.set_budget(conn, DAY, Decimal(1))
    submit(engine, image("a"), image("x"), image("b", "a"), image("c", "b"), image("d", "a", "x"), image("e", "x"))
    end(engine, begin(engine, "a"), FAIL)
    assert states(engine) == {
        "a": "failed", "x": "dispatched", "b": "failed", "c": "failed", "d": "failed", "e": "queued",
    }  # fmt: skip
    with engine.connect() as conn:
        rows = conn.execute(text("select error_code, error_message, requests from jobs where key in ('b', 'c', 'd')"))
        said = {tuple(row) for row in rows}
    assert said == {("earlier_failed", "comes after 'a', which failed: 1301: no such picture", 0)}
    assert value(engine, "select reserved from budgets") == Decimal("0.01")  # of x


def test_cancelling_takes_along_what_comes_after_and_one_under_way_does_so_when_it_ends(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"), image("c", "b"), image("x"), image("y", "x"))
    claimed = begin(engine, "a")
    assert act(engine, cancel, ids(engine, "a", "x")) == {"running": 1, "cancelled": 2}
    assert states(engine)["b"] == "queued"
    end(engine, claimed)
    assert set(states(engine).values()) == {"cancelled"}
    with engine.connect() as conn:
        rows = conn.execute(text("select key, error_code, error_message from jobs where error_code is not null"))
        said = {row.key: (row.error_code, row.error_message) for row in rows}
    assert said == {
        "b": ("earlier_cancelled", "comes after 'a', which was cancelled"),
        "c": ("earlier_cancelled", "comes after 'a', which was cancelled"),
        "y": ("earlier_cancelled", "comes after 'x', which was cancelled"),
    }


def test_a_batch_of_them_is_cancelled_whole(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"), image("c", "a", "b"))
    assert act(engine, cancel, Selection(batch=1)) == {"cancelled": 3}
    assert act(engine, retry, Selection(batch=1)) == {"queued": 3}
    assert blocked(engine) == {"b": 1, "c": 2}


def test_what_waits_for_a_held_job_waits_until_a_person_decides(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"), image("c", "b"), image("x"), image("y", "x"))
    end(engine, begin(engine, "a"), JobState.HELD)
    assert states(engine) == {"a": "held", "b": "queued", "c": "queued", "x": "dispatched", "y": "queued"}
    with engine.connect() as conn:
        assert waiting_for(conn, None) == {"after: held jobs, which need a decision": 2, FOLLOWS: 1}
        assert list(audit(conn, ended=True)) == ["job 4 has not ended: it is dispatched"]
        assert earlier(conn, id_of(engine, "b"), 1) == "after: a (held)"
    assert act(engine, resolve, [id_of(engine, "a")], "fail") == {"failed": 3}
    assert states(engine)["b"] == states(engine)["c"] == "failed"


def test_nobody_watches_for_ever_what_waits_for_a_held_job(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"), image("c", "a", "b"))
    with engine.connect() as conn:
        assert not over(status(conn, "b"))
    end(engine, begin(engine, "a"), JobState.HELD)
    with engine.connect() as conn:
        found = status(conn, "b")
    assert (found.stuck, found.behind) == (1, 2)
    assert over(found)


#: what became of the earlier jobs and of the count, behind the back of who would go on → the later one's state
ASTRAY = {
    "all have succeeded": ("update jobs set state = 'succeeded', finished_at = now() where key <> 'c'", "dispatched"),
    "one has failed": ("update jobs set state = 'failed', finished_at = now() where key = 'a'", "failed"),
    "one was cancelled": ("update jobs set state = 'cancelled', finished_at = now() where key = 'b'", "cancelled"),
    "the count is too high": ("update jobs set blocked_by = 3 where key = 'c'", "queued"),
    "the links are gone": ("delete from links", "dispatched"),
}


@pytest.mark.parametrize(("sql", "state"), ASTRAY.values(), ids=ASTRAY)
def test_what_waits_for_what_has_ended_is_found_and_mended(engine: Engine, sql: str, state: str) -> None:
    submit(engine, image("a"), image("b"), image("c", "a", "b"))
    assert mend(engine, hint_lease_s=5) == {}
    with engine.begin() as conn:
        conn.execute(text(sql))
    hints = mend(engine, hint_lease_s=5)
    assert any(3 in ids for ids in hints.values()) == (state == "dispatched")
    assert value(engine, "select state from jobs where key = 'c'") == state
    assert blocked(engine) == ({"c": 2} if state == "queued" else {})
    assert mend(engine, hint_lease_s=5) == {}


# -- once more ---------------------------------------------------------------------------------------


def test_retry_takes_along_what_ended_for_its_sake(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"), image("c", "b"), image("x"), image("d", "a", "x"), image("own", "a"))
    act(engine, cancel, ids(engine, "own"))
    end(engine, begin(engine, "a"), FAIL)
    end(engine, begin(engine, "x"), FAIL)
    assert act(engine, retry, ids(engine, "a")) == {"queued": 3}
    assert blocked(engine) == {"b": 1, "c": 1}
    assert states(engine) == {
        "a": "queued", "b": "queued", "c": "queued", "x": "failed", "d": "failed", "own": "cancelled",
    }  # fmt: skip
    assert act(engine, retry, ids(engine, "x", "own")) == {"queued": 3}
    assert blocked(engine) == {"b": 1, "c": 1, "d": 2, "own": 1}
    for key in ("a", "b", "x"):
        end(engine, begin(engine, key))
    assert blocked(engine) == {}


def test_what_comes_after_a_failure_cannot_be_retried_alone(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"), image("c", "b"))
    end(engine, begin(engine, "a"), FAIL)
    assert act(engine, retry, ids(engine, "b", "c")) == {}
    assert set(states(engine).values()) == {"failed"}
    assert act(engine, retry, Selection(state="failed")) == {"queued": 3}
    assert blocked(engine) == {"b": 1, "c": 1}


def test_what_failed_itself_is_retried_without_what_it_came_after(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"), image("c", "b"))
    end(engine, begin(engine, "a"))
    end(engine, claim(engine, [id_of(engine, "b")])[0], FAIL)
    assert act(engine, retry, ids(engine, "b")) == {"queued": 2}
    assert blocked(engine) == {"c": 1}


def test_a_paid_answer_that_comes_late_takes_along_what_was_given_up(engine: Engine) -> None:
    submit(engine, image("a"), image("b", "a"))
    dispatch(engine)
    [old] = claim(engine, [id_of(engine, "a")], lease_s=-1)
    with engine.begin() as conn:
        assert leases.lock_expired(conn)
        lost = AttemptEnd(number=old.number, outcome="unknown", possibly_charged=True)
        poison = ended(engine, old, FAIL, attempt_end=lost, error_code="poison", crashed=True, possibly_charged=True)
        finish(conn, [Outcome(poison)], lease_s=5)
    assert states(engine) == {"a": "failed", "b": "failed"}
    late = AttemptEnd(number=old.number, outcome="answered", http_status=200, answer=b"paid", cost=Decimal("0.01"))
    settle(engine, ended(engine, old, JobState.STORING, attempt_end=late))
    assert states(engine) == {"a": "storing", "b": "queued"}
    assert blocked(engine) == {"b": 1}


# -- being written -----------------------------------------------------------------------------------


def test_what_comes_after_jobs_that_have_ended(engine: Engine) -> None:
    submit(engine, image("a"), image("f"))
    end(engine, begin(engine, "a"))
    end(engine, claim(engine, [id_of(engine, "f")])[0], FAIL)
    submit(engine, image("b", "a"), image("c", "a", "b"), image("d", "f"), image("e", "d"))
    assert blocked(engine) == {"c": 1}
    assert states(engine) == {
        "a": "succeeded", "f": "failed", "b": "queued", "c": "queued", "d": "failed", "e": "failed",
    }  # fmt: skip


def test_the_same_rows_again_are_the_same_jobs_and_other_ones_are_refused(engine: Engine) -> None:
    rows = [image("a"), image("b", "a"), {"prompt": "no key", "after": "a"}]
    assert submit(engine, *rows).added == 3
    end(engine, begin(engine, "a"))
    again = submit(engine, *rows, image("c", "b"))
    assert (again.added, again.already) == (1, 3)
    assert value(engine, "select count(*) from links") == 3
    with pytest.raises(KeyTakenError, match="'b'"):
        submit(engine, image("a"), image("b"))
    with pytest.raises(KeyTakenError, match="'b'"):
        submit(engine, image("b", "a", "c"))
    assert submit(engine, {"prompt": "no key", "after": "b"}).added == 1  # as other input is another job


#: rows → what is said of them
REFUSED = {
    "unknown": (
        [image("a"), image("b", "z")],
        "key 'b': after: 'z' is the key of no good row of this file, nor of its",
    ),
    "of another batch": ([image("b", "elsewhere")], "'elsewhere' is the key of no good row"),
    "several": ([image("a", n=2), image("b", "a")], "'a' is several jobs; name one of them, such as a#1"),
    "a circle": ([image("a", "b"), image("b", "a")], "goes in a circle: "),
    "no such output": (
        [image("a"), {**image("b", "a"), "kind": "video", "image_url": "{{ video }}"}],
        "key 'b': image_url: takes 'video' of 'a', a job of kind image, which makes image",
    ),
}


@pytest.mark.parametrize(("rows", "said"), REFUSED.values(), ids=REFUSED)
def test_rows_that_cannot_be(engine: Engine, rows: list[dict[str, Any]], said: str) -> None:
    submit(engine, image("elsewhere"), batch="other")
    with pytest.raises(AfterError) as caught:
        submit(engine, *rows)
    assert said in str(caught.value)
    assert states(engine) == {"elsewhere": "queued"}


def test_rows_that_cannot_be_are_left_out_on_demand_with_all_that_comes_after_them(engine: Engine) -> None:
    made = submit(
        engine, image("a"), image("b", "z"), image("c", "b"), image("d", "a"), image("e", "f"), image("f", "e"),
        image("g", "g"), skip_misplaced=True,
    )  # fmt: skip
    assert states(engine) == {"a": "queued", "d": "queued"}
    assert made.added == 2
    assert {each.key for each in made.left_out.wrong} == {"b", "e", "g"}
    assert [str(each) for each in made.left_out.along] == [
        f"key {key!r}: after: comes after a row that is left out" for key in ("c", "f")
    ]


def test_one_of_several_images_and_jobs_without_a_batch(engine: Engine) -> None:
    with Session(engine) as session:
        several = enqueue(session, "image", {"prompt": "p", "n": 2}, key="p")
        film = enqueue(session, "video", {"prompt": "runs", "image_url": "{{ output }}"}, key="v", after="p#2")
        plain = enqueue(session, "image", {"prompt": "in {{ braces }}"})
        session.commit()
    assert isinstance(film, list)
    assert (several, plain) == ([1, 2], [4])
    assert value(engine, "select earlier_id from links where later_id = :id", id=film[0]) == 2
    with Session(engine) as session, pytest.raises(ValueError, match="after: '' is no key"):
        enqueue(session, "image", {"prompt": "p"}, after=[""])
    with Session(engine) as session, pytest.raises(ValueError, match="which names no output"):
        enqueue(session, "image", {"prompt": "in {{ Braces! }}"}, after="p#1")


def test_with_postgres_away_what_was_made_is_looked_up_later() -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    with pytest.raises(SourceAwayError, match="cannot look up what earlier jobs made now: OperationalError"):
        outputs_before(away, 1)


def test_a_chat_and_code_may_be_asked_the_same(engine: Engine) -> None:
    same = {"prompt": "Sort.", "model": "glm-4.7"}
    assert submit(engine, {**same, "kind": "chat"}, {**same, "kind": "code"}).added == 2
