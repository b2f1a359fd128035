"""What builds what: one set of parts for each worker process, made at its first task."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from models.runs import Ready
from models.session import make_engine
from provider.client import Client
from worker import poll, run, store
from worker.addresses import networks
from worker.app import CUT, INTAKE, RUN, STORE, app
from worker.desk import Desk
from worker.dispatch import dispatch
from worker.format_memory import PostgresFormats
from worker.hints import Lot, Publisher, Send
from worker.in_hand import InHand
from worker.policy import policy_of
from worker.prices import price_of
from worker.pulse import Pulse
from worker.pulse import forget as forget_workers
from worker.settings import Settings, settings
from worker.storage import Storage, read_source
from worker.upkeep import deliver, disk, ends, fetches, intake, mend, prune, publish, rescue, schedules, tallies
from worker.verdict import PollRules
from worker.watchdog import Watchdog
from worker.webhooks.post import Post
from worker.webhooks.verdict import Rules
from worker.writer import Writer

if TYPE_CHECKING:
    from worker.traces import Tracer

log = logging.getLogger(__name__)

MESSAGES = {"run": RUN, "store": STORE, "cut": CUT}
#: While so many messages wait for the workers that store, none is sent again: they find what is due by themselves.
ENOUGH = 64
#: Sources that one process lists at once.
INTAKES = threading.BoundedSemaphore(4)


def send(lot: Lot, job_ids: list[int]) -> None:
    """Send one hint as a Celery message."""
    app.send_task(
        MESSAGES[lot.stage],
        kwargs={"job_ids": job_ids, "kind": lot.kind, "model": lot.model},
        retry=False,
        ignore_result=True,
    )


def tell(ready: Ready) -> None:
    """Tell a worker of a schedule's run. With the broker away it is told again, at a later tick."""
    kwargs = {"schedule_id": ready.schedule_id, "tick": ready.tick.isoformat(), "schedule": ready.name}
    try:
        app.send_task(INTAKE, kwargs=kwargs, retry=False, ignore_result=True)
    except Exception as error:  # noqa: BLE001 - brokers' clients have no common base class
        log.warning("broker away, a schedule's run starts at a later tick: %s", type(error).__name__)


def backlog(queue: str) -> int:
    """Messages that wait in a queue of the broker; 0 where it has none, or is away."""
    try:
        with app.connection_or_acquire() as connection:
            try:
                return int(connection.default_channel.queue_declare(queue, passive=True).message_count)
            except connection.channel_errors:
                return 0  # none is there. Caught in here: what leaves with an error has its connection closed
    except Exception:  # noqa: BLE001 - brokers' clients have no common base class
        return 0


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts of one process. Each method is a stage, called from a Celery thread."""

    settings: Settings
    desk: Desk
    #: For upkeep; what is on the way of a call has the writer's.
    engine: Engine
    loop: asyncio.AbstractEventLoop
    watchdog: Watchdog
    pulse: Pulse
    deliverer: deliver.Deliverer
    tracer: "Tracer | None"
    backlog: Callable[[str], int]
    tell: Callable[[Ready], None]

    def run(self, job_ids: list[int]) -> None:
        self._in_loop(run.run(job_ids, self.desk))

    def store(self, job_ids: list[int]) -> None:
        self._in_loop(store.store(job_ids, self.desk))

    def cut(self, job_ids: list[int]) -> None:
        from worker.cut import cut  # noqa: PLC0415 - FFmpeg and numpy, for this queue's process alone

        self._in_loop(cut(job_ids, self.desk))

    def poll(self) -> None:
        self._in_loop(poll.poll(self.desk))

    def dispatch(self) -> None:
        writer = self.desk.writer
        dispatch(writer.engine, writer.publisher.publish, lease_s=writer.hint_lease_s)

    def fetch(self) -> None:
        if self.backlog("store") < ENOUGH:
            self.desk.writer.publisher.publish(fetches.due(self.engine))

    def rescue(self) -> None:
        writer = self.desk.writer
        disk.guard(self.engine, self.desk.storage, min_free_bytes=self.settings.min_free_bytes)
        hints = rescue.rescue(self.engine, hint_lease_s=writer.hint_lease_s, policy=self.desk.policy)
        writer.publisher.publish(hints)

    def tell_of_ends(self) -> None:
        self.pulse.ticked()
        ends.tell(self.engine, self.tracer.ended if self.tracer else None)

    def deliver(self) -> None:
        self._in_loop(self.deliverer.deliver())

    def sweep(self) -> None:
        disk.sweep(self.desk.storage)
        self._in_loop(disk.sweep_pieces(self.engine, self.desk.storage))
        deliver.forget(self.engine)
        forget_workers(self.engine)
        tallies.coarsen(self.engine)

    def tally(self) -> None:
        tallies.tally(self.engine)

    def prune(self) -> None:
        if (age := self.settings.prune_after) is None:
            return
        # Its transactions wait for the store, which those of the process's own engine may not.
        engine = make_engine(self.settings.require_database_url(), name="mediajobs-prune", pool_size=1)
        try:
            done = prune.prune(engine, self.desk.storage, age, stopping=self._stopping)
        finally:
            engine.dispose()
        log.info("pruned %d jobs, %d files, %d batches", done.jobs, done.files, done.batches)

    def mend(self) -> None:
        writer = self.desk.writer
        writer.publisher.publish(mend.mend(self.engine, hint_lease_s=writer.hint_lease_s))

    def schedules(self) -> None:
        for ready in schedules.tick(self.engine):
            self.tell(ready)

    def intake(self, schedule_id: int, tick: datetime) -> None:
        if not INTAKES.acquire(blocking=False):
            return  # it is told again; threads are for recordings to be cut, too
        writer = self.desk.writer
        try:
            intake.take_in(
                self.engine,
                schedule_id,
                tick,
                worker=writer.worker,
                lease_s=writer.lease_s,
                stopping=self._stopping,
            )
        finally:
            INTAKES.release()

    def publish(self) -> None:
        writer = self.desk.writer
        publish.publish(self.engine, self.desk.storage, lease_s=writer.lease_s, stopping=self._stopping)

    def _stopping(self) -> bool:
        return self.desk.in_hand.stopping

    def stop_soon(self) -> None:
        """The process is told to stop: claim nothing more, finish what is in hand, let go after the grace."""
        self.loop.call_soon_threadsafe(self.desk.in_hand.stop, self.settings.grace_s)

    def close(self) -> None:
        """Write and send what is left."""
        self.pulse.stop()
        self._in_loop(self.deliverer.close())
        self.desk.writer.stop()
        self.desk.writer.publisher.stop()
        if self.tracer:
            self.tracer.close()

    def _in_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result()


_building = threading.Lock()
_made: list[Wiring] = []


def wiring() -> Wiring:
    """The process's parts, built at the first call and used until the process ends."""
    with _building:
        if not _made:
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
            _made.append(asyncio.run_coroutine_threadsafe(build(settings(), loop), loop).result())
        return _made[0]


def built() -> Wiring | None:
    """The parts if they are there. For a signal's handler: it may have interrupted the very thread that builds them."""
    return _made[0] if _made else None


async def build(
    config: Settings,
    loop: asyncio.AbstractEventLoop,
    send: Send = send,
    backlog: Callable[[str], int] = backlog,
    tell: Callable[[Ready], None] = tell,
) -> Wiring:
    """Make the parts inside the event loop that they will live in.

    `send` takes the hints to the workers, `tell` the runs of schedules; `backlog` says how many messages wait in a
    queue.
    """
    url = config.require_database_url()
    storage = Storage.open(config.outputs)  # first, for it may refuse: nothing runs yet
    engine = make_engine(url, brief=True)
    publisher = Publisher(send, config.message_size)
    writer = Writer(
        engine=make_engine(url, brief=True, by_key=True),
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
            probe_s=config.probe_s,
        ),
        storage=storage,
        policy=policy_of(config.on_unknown),
        price=price_of,
        poll_rules=PollRules(first_s=config.poll_first_s, max_s=config.poll_max_s, stalled_s=config.stalled_s),
        lease_s=config.lease_s,
        max_download_bytes=config.max_download_bytes,
        max_gone=config.max_gone,
        downloads=asyncio.Semaphore(config.downloads),
        read_source=read_source,
    )
    heartbeat = loop.create_task(in_hand.keep())
    heartbeat.add_done_callback(report)
    pulse = Pulse(engine, writer.worker, in_hand=in_hand.__len__)
    deliverer = deliver.Deliverer(
        engine=engine,
        make_post=lambda: Post(allowed=networks(config.webhook_allow), timeout_s=config.webhook_timeout_s),
        rules=Rules(first_s=config.webhook_retry_s),
        timeout_s=config.webhook_timeout_s,
    )
    watchdog = Watchdog(engine, limit_s=config.silence_s)
    return Wiring(config, desk, engine, loop, watchdog, pulse, deliverer, tracer(config, engine), backlog, tell)


def tracer(config: Settings, engine: Engine) -> "Tracer | None":
    if not config.traces_url:
        return None
    from worker.traces import Tracer  # noqa: PLC0415 - half a second, for those alone who trace

    return Tracer(engine, config.traces_url)


def report(task: "asyncio.Task[None]") -> None:
    """A heartbeat that ends is a process that can keep no claim: it must not go on."""
    if task.cancelled():
        return  # the process ends
    log.critical("the heartbeat ended: %r", task.exception())
    os._exit(1)
