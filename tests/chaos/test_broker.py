"""The broker dies, comes back empty, goes silent, or says things twice: its messages are hints only."""

import os
import random
import signal
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from celery import Celery

from sandbox.valkey import EmbeddedValkey
from tests.support.fleet import IMAGE, VIDEO, Fleet
from tests.support.proxy import Proxy
from worker.app import RUN, STORE, make_app
from worker.clock import MOST_WAITING
from worker.watchdog import EXIT_CODE


def test_a_broker_that_is_killed_and_comes_back_empty_costs_nothing(fleet: Fleet, valkey: EmbeddedValkey) -> None:
    # Celery does not always notice that its broker has gone; then the watchdog does.
    fleet.environment = {"MEDIAJOBS_SILENCE_S": "5"}
    jobs = fleet.enqueue_mixed(images=15, videos=3, sounds=3)
    fleet.launch("worker", "beat")
    for count in (3, 12):
        fleet.wait_for("succeeded", count)
        assert valkey.pid is not None
        os.kill(valkey.pid, signal.SIGKILL)
        fleet.until(lambda: not valkey.alive(), "the broker's end")
        valkey.start()
    fleet.wait_until_ended()
    assert fleet.audit() == []
    assert fleet.charged() == jobs


@pytest.fixture
def proxy(valkey: EmbeddedValkey) -> Iterator[Proxy]:
    made = Proxy(urlsplit(valkey.url).port or 0)
    yield made
    made.close()


def test_a_worker_and_a_clock_whose_connection_to_the_broker_is_half_open_end_and_their_successors_go_on(
    fleet: Fleet, proxy: Proxy
) -> None:
    parts = urlsplit(fleet.broker_url)
    through_proxy = fleet.broker_url.replace(f":{parts.port}/", f":{proxy.port}/")
    fleet.stand_in.change("config", times={IMAGE: 0.5})
    jobs = fleet.enqueue_mixed(images=15, videos=3)
    fleet.launch("worker", "beat", MEDIAJOBS_BROKER_URL=through_proxy, MEDIAJOBS_SILENCE_S="5")
    fleet.wait_for("succeeded", 5)
    proxy.freeze()
    for name in ("worker", "beat"):
        assert fleet.running.pop(name).wait(timeout=30) == EXIT_CODE
    proxy.thaw()
    fleet.launch("worker", "beat", MEDIAJOBS_BROKER_URL=through_proxy)
    fleet.wait_until_ended()
    assert fleet.audit() == []
    assert fleet.charged() == jobs
    assert fleet.ended == []


@pytest.fixture
def app(valkey_url: str) -> Iterator[Celery]:
    with make_app(valkey_url) as made:
        yield made


def send_all(app: Celery, ids: list[int], *, times: int, seed: int) -> None:
    """Messages of all stages for these jobs, `times` for each job and stage, in no order."""
    chance = random.Random(seed)
    for _ in range(times):
        chance.shuffle(ids)
        for start in range(0, len(ids), 6):
            some = {"job_ids": ids[start : start + 6], "kind": "image", "model": IMAGE}
            for task in chance.sample([RUN, STORE], 2):
                app.send_task(task, kwargs=some, retry=False)


def waiting(app: Celery, *queues: str) -> list[int]:
    with app.connection_for_read() as connection:
        return [connection.default_channel.client.llen(queue) for queue in queues]


def all_heard(app: Celery) -> bool:
    return not any(waiting(app, "run", "store")) and not any(
        (app.control.inspect(timeout=1).active() or {"": [1]}).values()
    )


def test_messages_said_a_hundred_times_in_any_order_claim_once(fleet: Fleet, app: Celery) -> None:
    fleet.stand_in.change("config", times={IMAGE: 1.0})
    images = fleet.enqueue("image", *({"prompt": f"picture {n}"} for n in range(8)))
    videos = fleet.enqueue("video", *({"prompt": f"clip {n}", "model": VIDEO} for n in range(4)))
    send_all(app, images + videos, times=30, seed=1)  # before they may run
    fleet.launch("worker", "second", "beat")
    fleet.wait_for("running", 1)
    send_all(app, images + videos, times=30, seed=2)
    fleet.wait_until_ended()
    send_all(app, images + videos, times=40, seed=3)  # of jobs that have ended
    before = fleet.rows("select id, state, fence, requests, finished_at from jobs order by id")
    fleet.until(lambda: all_heard(app), "the end of all messages")
    assert fleet.rows("select id, state, fence, requests, finished_at from jobs order by id") == before
    assert {row.requests for row in before} == {1}
    assert fleet.charged() == len(images + videos) == len(fleet.stand_in.ledger())
    assert fleet.audit() == []


def test_ticks_that_nobody_takes_do_not_pile_up(fleet: Fleet, app: Celery) -> None:
    fleet.launch("beat", MEDIAJOBS_TICK_S="0.02")
    fleet.until(lambda: waiting(app, "poll")[0] >= MOST_WAITING, "as many ticks for polls as may wait")
    # Seven others came with each of those.
    assert waiting(app, "poll", "upkeep") == [MOST_WAITING, MOST_WAITING]
