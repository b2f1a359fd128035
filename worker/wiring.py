"""What builds what: one set of parts for each worker process, made at its first task."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import cache
from typing import Any

from models.session import make_engine
from provider.client import Client
from worker import poll, run, store
from worker.app import RUN, STORE, app
from worker.desk import Desk
from worker.dispatch import dispatch
from worker.format_memory import PostgresFormats
from worker.hints import Lot, Publisher
from worker.in_hand import InHand
from worker.settings import Settings, settings
from worker.storage import Storage, read_source
from worker.upkeep import fetches, rescue
from worker.verdict import PollRules
from worker.writer import Writer

log = logging.getLogger(__name__)

MESSAGES = {"run": RUN, "store": STORE}


def send(lot: Lot, job_ids: list[int]) -> None:
    """Send one hint as a Celery message."""
    app.send_task(
        MESSAGES[lot.stage],
        kwargs={"job_ids": job_ids, "kind": lot.kind, "model": lot.model},
        retry=False,
        ignore_result=True,
    )


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts of one process. Each method is a stage, called from a Celery thread."""

    settings: Settings
    desk: Desk
    loop: asyncio.AbstractEventLoop

    def run(self, job_ids: list[int]) -> None:
        self._in_loop(run.run(job_ids, self.desk))

    def store(self, job_ids: list[int]) -> None:
        self._in_loop(store.store(job_ids, self.desk))

    def poll(self) -> None:
        self._in_loop(poll.poll(self.desk))

    def dispatch(self) -> None:
        writer = self.desk.writer
        dispatch(writer.engine, writer.publisher.publish, lease_s=writer.hint_lease_s)

    def fetch(self) -> None:
        writer = self.desk.writer
        writer.publisher.publish(fetches.due(writer.engine))

    def rescue(self) -> None:
        writer = self.desk.writer
        writer.publisher.publish(rescue.rescue(writer.engine, hint_lease_s=writer.hint_lease_s))

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result()


@cache
def wiring() -> Wiring:
    """The process's parts, built at the first task and used until the process ends."""
    with _building:  # `cache` alone may build twice where two threads come first
        return _built()


_building = threading.Lock()


@cache
def _built() -> Wiring:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
    return asyncio.run_coroutine_threadsafe(build(settings(), loop), loop).result()


async def build(config: Settings, loop: asyncio.AbstractEventLoop) -> Wiring:
    """Make the parts inside the event loop that they will live in."""
    engine = make_engine(config.require_database_url())
    publisher = Publisher(send, config.message_size)
    writer = Writer(
        engine=engine,
        publisher=publisher,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        lease_s=config.lease_s,
        hint_lease_s=config.hint_lease_s,
    )
    publisher.start()
    writer.start()
    in_hand = InHand(writer, config.lease_s)
    desk = Desk(
        writer=writer,
        in_hand=in_hand,
        client=Client(
            base_url=config.api_base_url,
            token=config.api_token.get_secret_value(),
            style=config.api_style,
            formats=PostgresFormats(engine, config.api_base_url),
        ),
        storage=Storage.open(config.outputs),
        poll_rules=PollRules(first_s=config.poll_first_s, max_s=config.poll_max_s),
        lease_s=config.lease_s,
        max_download_bytes=config.max_download_bytes,
        downloads=asyncio.Semaphore(config.downloads),
        read_source=read_source,
    )
    heartbeat = loop.create_task(in_hand.keep())
    heartbeat.add_done_callback(report)
    return Wiring(config, desk, loop)


def report(task: "asyncio.Task[None]") -> None:
    """A heartbeat that ends is a process that can keep no claim: it must not go on."""
    log.critical("the heartbeat ended: %r", task.exception())
    os._exit(1)
