"""The Celery application: broker, queues by duty, and the clock's ticks.

A message is only a hint; Postgres is the record. Hence: early ack, no results, no ETA, no
retries of Celery's own, and ticks that are not sent where they would pile up.
"""

import logging
from typing import Any

from celery import Celery
from celery.schedules import schedule
from celery.signals import after_setup_logger

from worker import logs
from worker.settings import settings

RUN = "mediajobs.run"
STORE = "mediajobs.store"
CUT = "mediajobs.cut"
DISPATCH = "mediajobs.dispatch"
POLL = "mediajobs.poll"
FETCH = "mediajobs.fetch"
RESCUE = "mediajobs.rescue"
SWEEP = "mediajobs.sweep"
MEND = "mediajobs.mend"
SCHEDULES = "mediajobs.schedules"
INTAKE = "mediajobs.intake"
PUBLISH = "mediajobs.publish"
TALLY = "mediajobs.tally"
TELL = "mediajobs.tell"
DELIVER = "mediajobs.deliver"
PRUNE = "mediajobs.prune"

UPKEEP = (DISPATCH, FETCH, RESCUE, SWEEP, MEND, SCHEDULES, PUBLISH, TALLY, TELL, DELIVER, PRUNE)
QUEUES = {RUN: "run", STORE: "store", CUT: "cut", POLL: "poll", INTAKE: "schedule", **dict.fromkeys(UPKEEP, "upkeep")}
SWEEP_S = 600.0
#: It looks at all that comes after others and is not ended: what it is for should never be.
MEND_S = 60.0
PUBLISH_S = 2.0
TALLY_S = 5.0
PRUNE_S = 3600.0
#: Before the broker's client notices by itself that its peer is gone.
SOCKET_S = 10


def ticks(tick_s: float, *, prunes: bool) -> dict[str, float]:
    """Task → seconds from one tick to the next."""
    return {
        **({PRUNE: PRUNE_S} if prunes else {}),
        **dict.fromkeys((DISPATCH, POLL, FETCH, RESCUE, SCHEDULES, TELL, DELIVER), tick_s),
        PUBLISH: max(PUBLISH_S, tick_s),
        TALLY: TALLY_S,
        MEND: MEND_S,
        SWEEP: SWEEP_S,
    }


def make_app(broker_url: str | None) -> Celery:
    tick_s = settings().tick_s
    app = Celery("mediajobs", broker=broker_url, include=["worker.tasks"])
    app.conf.update(
        accept_content=["json"],
        beat_scheduler="worker.clock:Clock",
        beat_max_loop_interval=tick_s,
        beat_schedule={
            name: {
                "task": name,
                "schedule": schedule(run_every=every_s),
            }
            for name, every_s in ticks(tick_s, prunes=settings().prune_after is not None).items()
        },
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "socket_connect_timeout": 2,
            "socket_timeout": SOCKET_S,
            "socket_keepalive": True,
            "retry_on_timeout": True,
            "health_check_interval": SOCKET_S,
            "max_retries": 0,  # the next tick sends what was not sent
        },
        enable_utc=True,
        event_queue_expires=60.0,
        task_acks_late=False,
        task_default_queue="run",
        task_ignore_result=True,
        task_routes={task: {"queue": queue} for task, queue in QUEUES.items()},
        task_store_errors_even_if_ignored=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=True,
        worker_pool="threads",
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=10.0,
    )
    return app


def on_logger(logger: logging.Logger, **_: Any) -> None:
    """Celery tells of each message twice; with a tick a second that fills a disk, and Flower shows it."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logs.set_up(logger, settings())


after_setup_logger.connect(on_logger)


app = make_app(settings().broker_url)
