"""The duties of schedules in one process without Celery, to be killed as a test likes.

`python -m tests.support.scheduler` works until no run is open and no output waits to be put in place.
"""

import logging
import os
import sys
import time

from sqlalchemy import Engine, text

from models.session import make_engine
from worker.settings import settings
from worker.storage import Storage
from worker.upkeep import intake, publish, schedules

TICK_S = 0.1
LEFT = text("""
    select exists (select from schedule_runs where state in ('due', 'listing'))
        or exists (select from schedules where next_at <= now() and paused_at is null)
        or exists (select from jobs where finished_at is not null and published_fence < fence)
""")


def work(engine: Engine, storage: Storage, *, lease_s: float) -> None:
    while left(engine):
        for ready in schedules.tick(engine, settle_s=0.0):
            intake.take_in(
                engine, ready.schedule_id, ready.tick, worker=f"test:{os.getpid()}", lease_s=lease_s, stopping=go_on
            )
        publish.publish(engine, storage, lease_s=lease_s, stopping=go_on)
        time.sleep(TICK_S)


def go_on() -> bool:
    return False


def left(engine: Engine) -> bool:
    with engine.connect() as conn:
        return bool(conn.execute(LEFT).scalar_one())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    config = settings()
    work(make_engine(config.require_database_url(), brief=True), Storage.open(config.outputs), lease_s=config.lease_s)
