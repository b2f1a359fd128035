"""The stages in one process without Celery: hints go straight to the stage they are for.

`python -m tests.support.runner` works until every job has ended, or is held. What a test wants to
know of the core (what is written when, and what a kill leaves behind) is the same as in a worker.
"""

import asyncio
import logging
import sys

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from worker import cut, logs, poll, run, store
from worker.hints import Lot
from worker.settings import settings
from worker.wiring import Wiring, build, report

log = logging.getLogger(__name__)

TICK_S = 0.1
#: What comes after a held job waits with it.
LEFT = text("""
    select count(*) from jobs where state not in ('succeeded', 'failed', 'cancelled', 'held') and blocked_by = 0
""")
STAGES = {"run": run.run, "store": store.store, "cut": cut.cut}


async def work() -> None:
    loop = asyncio.get_running_loop()
    parts: list[Wiring] = []

    def begin(lot: Lot, job_ids: list[int]) -> None:
        task = loop.create_task(STAGES[lot.stage](job_ids, parts[0].desk))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(report_failure)

    tasks: set[asyncio.Task[None]] = set()
    parts.append(
        await build(
            settings(),
            loop,
            send=lambda lot, ids: void(loop.call_soon_threadsafe(begin, lot, ids)),
            backlog=lambda _queue: 0,
        )
    )
    wiring = parts[0]
    while await tick(wiring):
        pass
    wiring.desk.in_hand.stop(0)
    if tasks:  # such as the download of a job that was cancelled: it is let go of while there is one who writes
        await asyncio.wait(tasks)
    await asyncio.to_thread(wiring.tell_of_ends)
    await asyncio.to_thread(wiring.close)
    await wiring.desk.client.close()


async def tick(wiring: Wiring) -> bool:
    """All duties once; False when nothing is left. One that fails costs a tick, as in Celery."""
    await asyncio.sleep(TICK_S)
    try:
        for duty in (wiring.dispatch, wiring.fetch, wiring.rescue, wiring.tell_of_ends):
            await asyncio.to_thread(duty)
        await poll.poll(wiring.desk)
        await wiring.deliverer.deliver()
        return bool(await asyncio.to_thread(left, wiring))
    except DBAPIError as error:
        log.warning("a tick failed: %s", type(error).__name__)
        return True


def void(_result: object) -> None:
    """A hint is sent and forgotten."""


def left(wiring: Wiring) -> int:
    with wiring.desk.writer.engine.connect() as conn:
        return int(conn.execute(LEFT).scalar_one())


def report_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception():
        report(task)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logs.set_up(logging.getLogger(), settings())
    asyncio.run(work())
