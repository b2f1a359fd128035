"""What is told to webhooks besides the ends of batches: ends of jobs, spent budgets, pauses of the account."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from models import money, slots
from models.limit import ACCOUNT
from models.money import DAY, Scope
from worker.hand_out import hand_out
from worker.producer import Row, insert_rows
from worker.upkeep import ends
from worker.webhooks import EVENTS, manage

MODEL = "cogview-4-250304"


@pytest.fixture(autouse=True)
def hook(engine: Engine) -> None:
    with engine.begin() as conn:
        manage.add(conn, "https://hooks.example/x", EVENTS)


def enqueue(engine: Engine, count: int, *, batch: str = "b") -> None:
    rows = (
        Row(row=n, key=f"k{n}", args={"model": MODEL, "prompt": str(n)}, estimate=Decimal("0.01"))
        for n in range(1, count + 1)
    )
    with Session(engine) as session:
        insert_rows(session, batch, "image", rows)
        session.commit()


def told(engine: Engine, event: str) -> list[dict[str, Any]]:
    with engine.connect() as conn:
        sql = text("select data from deliveries where event = :event order by id")
        return list(conn.execute(sql, {"event": event}).scalars())


def execute(engine: Engine, sql: str) -> None:
    with engine.begin() as conn:
        conn.execute(text(sql))


def test_jobs_that_end_are_told_once_with_their_outputs_or_their_error(engine: Engine) -> None:
    enqueue(engine, 3)
    execute(engine, "insert into outputs values (1, 0, 'image', '1-0.png', 'image/png', 9, 'aa')")
    execute(engine, "update jobs set state = 'succeeded', finished_at = now(), cost = 0.01 where id = 1")
    execute(engine, "update jobs set state = 'cancelled', finished_at = now() where id = 2")
    execute(
        engine,
        "update jobs set state = 'failed', finished_at = now(), error_code = '1301', error_message = 'no' where id = 3",
    )
    for _ in range(2):
        ends.tell(engine)
    [good] = told(engine, "job.succeeded")
    output = {"index": 0, "role": "image", "location": "1-0.png", "mime": "image/png", "bytes": 9, "sha256": "aa"}
    assert good == {
        "job": 1, "batch": "b", "batch_id": 1, "row": 1, "key": "k1", "kind": "image", "model": MODEL,
        "state": "succeeded", "attempts": 0, "cost": 0.01, "possibly_charged": False, "error": None,
        "outputs": [output],
    }  # fmt: skip
    [bad] = told(engine, "job.failed")
    assert (bad["key"], bad["error"], bad["outputs"]) == ("k3", {"code": "1301", "message": "no"}, [])
    with engine.connect() as conn:
        assert conn.execute(text("select count(*) from outbox")).scalar_one() == 0


def test_pieces_of_recordings_are_not_told_of(engine: Engine) -> None:
    enqueue(engine, 2)
    execute(engine, "update jobs set parent_id = 1 where id = 2")
    execute(engine, "update jobs set state = 'succeeded', finished_at = now()")
    ends.tell(engine)
    assert [data["job"] for data in told(engine, "job.succeeded")] == [1]


def test_who_wants_nothing_of_jobs_gets_nothing_of_them(engine: Engine) -> None:
    with engine.begin() as conn:
        manage.add(conn, "https://hooks.example/x", ["account.paused"])
    enqueue(engine, 1)
    execute(engine, "update jobs set state = 'succeeded', finished_at = now()")
    ends.tell(engine)
    assert told(engine, "job.succeeded") == []


def hand(engine: Engine) -> int:
    with engine.begin() as conn:
        return len(hand_out(conn, MODEL, slots.lock_free(conn, MODEL), lease_s=5))


def set_budget(engine: Engine, scope: Scope, amount: str) -> None:
    with engine.begin() as conn:
        money.set_budget(conn, scope, Decimal(amount))


def test_a_budget_for_which_a_job_waits_is_told_of_once(engine: Engine) -> None:
    enqueue(engine, 5)
    set_budget(engine, ("batch", "1"), "0.03")
    assert hand(engine) == 3
    assert hand(engine) == 0
    [data] = told(engine, "budget.reached")
    assert (data["scope"], data["batch"], data["amount"]) == ("batch", "b", 0.03)
    set_budget(engine, ("batch", "1"), "0.04")
    assert (hand(engine), hand(engine)) == (1, 0)
    assert len(told(engine, "budget.reached")) == 2


def test_a_budget_that_is_just_enough_is_not_told_of(engine: Engine) -> None:
    enqueue(engine, 3)
    set_budget(engine, DAY, "0.03")
    assert hand(engine) == 3
    assert told(engine, "budget.reached") == []


def test_the_days_budget_is_told_of_once_a_day(engine: Engine) -> None:
    enqueue(engine, 2)
    set_budget(engine, DAY, "0.001")
    hand(engine)
    hand(engine)
    assert len(told(engine, "budget.reached")) == 1
    execute(engine, "update budgets set reached_at = reached_at - interval '1 day'")
    hand(engine)
    assert len(told(engine, "budget.reached")) == 2


def pause(engine: Engine, reason: str, for_s: float | None, *, code: str | None = None, probes: bool = False) -> None:
    with engine.begin() as conn:
        slots.pause(conn, ACCOUNT, reason=reason, for_s=for_s, code=code, probes=probes)


def reasons(engine: Engine) -> list[str]:
    return [data["reason"] for data in told(engine, "account.paused")]


def test_a_pause_of_the_account_is_told_of_once_while_it_lasts(engine: Engine) -> None:
    for _ in range(3):
        pause(engine, "the disk is nearly full", 15, code="disk")
    assert reasons(engine) == ["the disk is nearly full"]
    pause(engine, "no balance", 900, code="1113", probes=True)
    execute(engine, "update limits set paused_until = now() - interval '1 second'")
    pause(engine, "no balance", 900, code="1113", probes=True)  # its probe failed: the same pause
    assert reasons(engine) == ["the disk is nearly full", "no balance"]


def test_a_pause_after_it_ended_is_another(engine: Engine) -> None:
    pause(engine, "by hand", None)
    with engine.begin() as conn:
        slots.resume(conn, ACCOUNT)
    pause(engine, "by hand", 10)
    execute(engine, "update limits set paused_until = now() - interval '1 second'")
    pause(engine, "by hand", 10)
    assert reasons(engine) == ["by hand"] * 3


def test_a_model_that_rests_is_not_told_of(engine: Engine) -> None:
    enqueue(engine, 1)
    with engine.begin() as conn:
        slots.pause(conn, MODEL, reason="too fast", for_s=5)
        slots.rest(conn, MODEL, reason="too fast", code="1302", base_s=1, cap_s=10)
    assert told(engine, "account.paused") == []
