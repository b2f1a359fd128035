"""A process says that it lives, and is forgotten when it ends in order, not when it is killed."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from models import slots
from tests.support.stack import wait_until
from worker import doctor, pulse
from worker.pulse import Pulse


def rows(engine: Engine) -> list[Any]:
    with engine.connect() as conn:
        return list(conn.execute(text("select * from workers order by name")))


def test_it_comes_and_goes(engine: Engine) -> None:
    beating = Pulse(engine, "h:1", in_hand=lambda: 7)
    beating.ticked()
    beating.start("upkeep@h", ["upkeep", "poll"], 64)
    [row] = wait_until(lambda: rows(engine), what="a pulse")
    assert (row.node, row.queues, row.threads, row.in_hand) == ("upkeep@h", ["poll", "upkeep"], 64, 7)
    assert row.ticked_at <= row.seen_at
    beating.stop()
    assert rows(engine) == []


def test_one_that_was_killed_is_kept_for_a_day_for_people_to_see(engine: Engine) -> None:
    with engine.begin() as conn:
        for name, age in (("h:1", "2 hours"), ("h:2", "25 hours")):
            values = "(:name, 'run1@h', '{run}', 64, '1', 0, now(), now() - cast(:age as interval))"
            conn.execute(text(f"insert into workers values {values}"), {"name": name, "age": age})
    pulse.forget(engine)
    assert [row.name for row in rows(engine)] == ["h:1"]


@pytest.mark.parametrize(("age", "good"), [("2 seconds", True), ("2 minutes", False)])
def test_a_clock_that_stands_still_is_told(engine: Engine, age: str, good: bool) -> None:
    values = "('h:1', 'upkeep@h', '{upkeep}', 64, '1', 0, now() - cast(:age as interval))"
    columns = "(name, node, queues, threads, version, in_hand, ticked_at)"
    with engine.begin() as conn:
        conn.execute(text(f"insert into workers {columns} values {values}"), {"age": age})
    [clock] = (each for each in doctor.memory(engine, "http://127.0.0.1") if each.what == "clock")
    assert clock.ok == good


def test_pauses_are_told_and_are_a_problem_where_nobody_asked_for_them(engine: Engine) -> None:
    with engine.begin() as conn:
        slots.pause(conn, "*", reason="Invalid api_token", for_s=None, code="401", probes=True)
        slots.pause(conn, "glm-image", reason="looking at it", for_s=None, by_hand=True)
        slots.pause(conn, "cogvideox-3", reason="over", for_s=-1)
        slots.pause(conn, "viduq1-text", reason="too many at once", for_s=3600, code="1302")
        conn.execute(text("update limits set paused_until = '2099-01-01 00:00Z' where model = 'viduq1-text'"))
    told = [(each.ok, each.found) for each in doctor.memory(engine, "http://127.0.0.1") if each.what == "pause"]
    assert told == [
        (False, "the account is paused until resumed: Invalid api_token"),
        (True, "glm-image is paused until resumed: looking at it"),
        (True, "viduq1-text is paused until 2099-01-01 00:00:00 UTC: too many at once"),
    ]


def test_fewer_threads_than_slots_are_told(engine: Engine) -> None:
    beating = Pulse(engine, "h:1", in_hand=lambda: 0)
    beating.start("run1@h", ["run"], 8)
    wait_until(lambda: rows(engine), what="a pulse")
    said = []
    for concurrency in (8, 9):
        with engine.begin() as conn:
            conn.execute(text("delete from limits"))
            slots.add_limit(conn, "cogview-4-250304", concurrency=concurrency, slot_scope="answer")
            slots.add_limit(conn, "cut", concurrency=2, slot_scope="answer")  # another queue's
        said += [each.found for each in doctor.memory(engine, "http://127.0.0.1") if each.what == "slots"]
    beating.stop()
    enough = "8 over all models, 8 threads to run them"
    assert said[0] == enough
    assert said[1].startswith(enough.replace("8 over", "9 over") + ": where all are busy, some stand idle")
