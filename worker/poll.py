"""Asks the provider about waiting jobs whose time has come, all of them in one event loop."""

import asyncio
import logging
import random

from models import transitions
from models.transitions import Poll
from provider.errors import ProviderError
from worker import verdict
from worker.desk import Desk
from worker.finish import Outcome
from worker.kinds import KINDS

log = logging.getLogger(__name__)

MOST = 500


async def poll(desk: Desk) -> None:
    """One pass. A row is a waiting job's only cost between two polls."""
    due = await asyncio.to_thread(claim, desk)
    await asyncio.gather(*(poll_one(each, desk) for each in due))


def claim(desk: Desk) -> list[Poll]:
    with desk.writer.engine.begin() as conn:
        return transitions.claim_polls(conn, most=MOST, lease_s=desk.lease_s)


async def poll_one(due: Poll, desk: Desk) -> None:
    kind = KINDS[due.kind]
    if kind.poll is None:
        raise TypeError(f"a {due.kind} job has a remote id, but its kind has no poll")
    try:
        answer = await desk.client.send(kind.poll(due.remote_id))
    except ProviderError as error:
        outcome = verdict.poll_refused(due, error, error.ruling, desk.poll_rules, chance=random.random())
    else:
        outcome = verdict.polled(due, kind, answer, desk.poll_rules, chance=random.random())
    await settle(outcome, desk)


async def settle(outcome: Outcome, desk: Desk) -> None:
    if not await desk.writer.settle(outcome):
        log.info("job %d: polled again elsewhere meanwhile", outcome.move.job_id)
