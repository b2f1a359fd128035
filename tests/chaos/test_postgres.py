"""Postgres is stopped in the middle of everything, again and again."""

import os
import signal

from sandbox.postgres import EmbeddedPostgres
from tests.support.fleet import Fleet


def test_postgres_stopped_at_once_and_started_again_and_again(fleet: Fleet, postgres: EmbeddedPostgres) -> None:
    jobs = fleet.enqueue_mixed(images=40, videos=4, sounds=4)
    fleet.launch("worker", "beat")
    for count in (3, 12, 22, 32):
        fleet.wait_for("succeeded", count)
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGQUIT)  # immediate: no session ends in order
        fleet.until(lambda: not postgres.alive(), "the end of Postgres")
        postgres.start()
    fleet.wait_until_ended(held=True)
    assert fleet.audit() == []
    assert fleet.charged() == jobs
    assert fleet.ended == []
