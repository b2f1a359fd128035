"""Cancel races with the work at each of its phases: the job ends once, and what was charged is on the record."""

import random
import time

import pytest
from sqlalchemy.orm import Session

from tests.support.core import Core
from tests.support.stack import wait_until
from worker.actions import Selection, cancel
from worker.dispatch import dispatch

IMAGE, SLOW_IMAGE, VIDEO = "cogview-4-250304", "glm-image", "viduq1-text"


def cancel_jobs(core: Core, *ids: int, keep: bool) -> None:
    with Session(core.engine) as session:
        cancel(session, Selection(ids=ids), keep_result=keep)
        session.commit()


def state_of(core: Core, job_id: int) -> str:
    return str(core.rows("select state from jobs where id = :id", id=job_id)[0].state)


@pytest.mark.parametrize("keep", [False, True], ids=["drop", "keep"])
def test_cancel_at_each_phase(core: Core, keep: bool) -> None:
    core.stand_in.change("config", times={SLOW_IMAGE: 1.5, VIDEO: 2.0})
    [dispatched] = core.enqueue("image", {"prompt": "p", "key": "dispatched"}, batch="1")
    dispatch(core.engine, lambda _hints: None, lease_s=60)
    [queued] = core.enqueue("image", {"prompt": "p", "key": "queued"}, batch="2")
    assert [state_of(core, each) for each in (queued, dispatched)] == ["queued", "dispatched"]
    cancel_jobs(core, queued, dispatched, keep=keep)
    [running] = core.enqueue("image", {"prompt": "p", "key": "running", "model": SLOW_IMAGE}, batch="3")
    [waiting] = core.enqueue("video", {"prompt": "p", "key": "waiting", "model": VIDEO}, batch="4")
    # An image of a few thousand bytes, so that it is on its way for a while.
    [storing] = core.enqueue("image", {"prompt": "[[fault:slow_file:8000]]", "key": "storing"}, batch="5")
    process = core.start()
    try:
        for job_id, phase in ((storing, "storing"), (running, "running"), (waiting, "waiting")):
            wait_until(lambda: state_of(core, job_id) == phase, what=f"{phase}: {core.log()}")  # noqa: B023
            cancel_jobs(core, job_id, keep=keep)
        assert process.wait(timeout=60) == 0, core.log()
    finally:
        process.kill()
        process.wait()
    paid = "succeeded" if keep else "cancelled"
    assert core.states() == {
        "queued": "cancelled", "dispatched": "cancelled", "running": paid, "waiting": paid, "storing": paid,
    }  # fmt: skip
    costs = {row.key: bool(row.cost) for row in core.rows("select key, cost from jobs")}
    assert costs == {"queued": False, "dispatched": False, "running": True, "waiting": True, "storing": True}
    assert sum(bool(entry["charged"]) for entry in core.stand_in.ledger()) == 3
    assert core.audit() == []


def test_cancels_at_any_moment(core: Core) -> None:
    chance = random.Random(7)
    core.stand_in.change("config", times={IMAGE: [0.2, 0.5], VIDEO: [0.6, 0.5]})
    ids = core.enqueue("image", *({"prompt": f"p{n} [[fault:not_there_yet:1]]"} for n in range(30)))
    ids += core.enqueue("video", *({"prompt": f"c{n}", "model": VIDEO} for n in range(10)), batch="v")
    chance.shuffle(ids)
    process = core.start()
    try:
        wait_until(lambda: "running" in core.states().values(), what=core.log())
        for job_id in ids[:30]:
            cancel_jobs(core, job_id, keep=chance.random() < 0.5)
            time.sleep(chance.uniform(0, 0.15))  # the moment is what is tried here
        assert process.wait(timeout=60) == 0, core.log()
    finally:
        process.kill()
        process.wait()
    assert set(core.states().values()) == {"succeeded", "cancelled"}
    ends = core.rows("select count(*) as n from events where target in ('succeeded', 'cancelled') group by job_id")
    assert {row.n for row in ends} == {1}
    charged = {entry["key"] for entry in core.stand_in.ledger() if entry["charged"]}
    assert charged == {row.key for row in core.rows("select key from jobs where cost > 0")}
    assert core.audit() == []
