"""Celery's doors: its tasks, which hand their ids to the stage behind and wait, and its life's signals."""

import logging
import os
from datetime import datetime
from typing import Any

from celery.signals import (
    task_postrun,
    task_prerun,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from worker.app import (
    CUT,
    DELIVER,
    DISPATCH,
    FETCH,
    INTAKE,
    MEND,
    POLL,
    PRUNE,
    PUBLISH,
    RESCUE,
    RUN,
    SCHEDULES,
    STORE,
    SWEEP,
    TALLY,
    TELL,
    app,
)
from worker.wiring import built, wiring

log = logging.getLogger(__name__)


@app.task(name=RUN)
def run(job_ids: list[int], kind: str, model: str) -> None:  # noqa: ARG001 - kind and model are for Flower's eyes
    """Make the requests of dispatched jobs."""
    wiring().run(job_ids)


@app.task(name=STORE)
def store(job_ids: list[int], kind: str, model: str) -> None:  # noqa: ARG001 - as above
    """Store the outputs of answered jobs."""
    wiring().store(job_ids)


@app.task(name=CUT)
def cut(job_ids: list[int], kind: str, model: str) -> None:  # noqa: ARG001 - as above
    """Cut recordings into pieces."""
    wiring().cut(job_ids)


@app.task(name=POLL)
def poll() -> None:
    """Ask the provider about waiting jobs whose time has come."""
    wiring().poll()


@app.task(name=DISPATCH)
def dispatch() -> None:
    """Give free slots to queued jobs."""
    wiring().dispatch()


@app.task(name=FETCH)
def fetch() -> None:
    """Send the hints of jobs whose outputs are due to be stored."""
    wiring().fetch()


@app.task(name=RESCUE)
def rescue() -> None:
    """Take back what died with its worker, send lost hints again, count slots anew."""
    wiring().rescue()


@app.task(name=TELL)
def tell() -> None:
    """Take in what ended: batches that are finished, messages to be delivered."""
    wiring().tell_of_ends()


@app.task(name=DELIVER)
def deliver() -> None:
    """Send the messages to webhooks that are due."""
    wiring().deliver()


@app.task(name=SWEEP)
def sweep() -> None:
    """Delete what downloads left half-way, and old messages; keep what is old more coarsely."""
    wiring().sweep()


@app.task(name=PRUNE)
def prune() -> None:
    """Take away what ended longer ago than the setting says."""
    wiring().prune()


@app.task(name=MEND)
def mend() -> None:
    """Let go of jobs that wait for what has ended."""
    wiring().mend()


@app.task(name=SCHEDULES)
def schedules() -> None:
    """Make due what schedules' ticks ask for, and tell workers of it."""
    wiring().schedules()


@app.task(name=INTAKE)
def intake(schedule_id: int, tick: str, schedule: str) -> None:  # noqa: ARG001 - the name is for Flower's eyes
    """Look what is new in a schedule's source, and make a batch of it."""
    wiring().intake(schedule_id, datetime.fromisoformat(tick))


@app.task(name=PUBLISH)
def publish() -> None:
    """Put outputs where schedules want them."""
    wiring().publish()


@app.task(name=TALLY)
def tally() -> None:
    """Add up what was counted."""
    wiring().tally()


@worker_ready.connect
def on_ready(sender: Any, **_: Any) -> None:
    queues = [queue.name for queue in sender.task_consumer.queues]
    try:
        wiring()
    except Exception as error:  # noqa: BLE001 - Celery would log it, and take messages that come to nothing
        log.critical("cannot start: %s: %s", type(error).__name__, error)
        os._exit(1)
    wiring().watchdog.start(queues)
    wiring().pulse.start(sender.hostname, queues, sender.pool.limit)


@task_prerun.connect
def on_message(**_: Any) -> None:
    wiring().watchdog.begins()


@task_postrun.connect
def on_done(**_: Any) -> None:
    wiring().watchdog.ends()


@worker_shutting_down.connect
def on_stop(**_: Any) -> None:
    if (parts := built()) is not None:
        parts.stop_soon()


@worker_shutdown.connect
def on_end(**_: Any) -> None:
    if (parts := built()) is not None:
        parts.close()
