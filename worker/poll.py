"""Asks the provider about waiting jobs whose time has come, all of them in one event loop."""

import asyncio
import logging
import random
from datetime import UTC, datetime

from models import slots, transitions
from models.transitions import Poll
from provider.errors import ProviderError
from provider.rulings import CREDENTIAL_CODES
from worker import logs, verdict
from worker.desk import Desk
from worker.failpoints import failpoint
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
        # Bad credentials stop polls as well; one of them looks whether they are good again.
        pause = slots.account_pause(conn)
        most = MOST if pause is None or pause.code not in CREDENTIAL_CODES else int(pause.half_open)
        found = transitions.claim_polls(conn, most=most, lease_s=desk.lease_s) if most else []
    failpoint("poll.claimed")
    return found


async def poll_one(due: Poll, desk: Desk) -> None:
    kind = KINDS.get(due.kind)
    if kind is None:
        log.error("job %d: %s; polled again later", due.job_id, verdict.no_kind(due.kind))
        return
    if kind.poll is None:
        raise TypeError(f"a {due.kind} job has a remote id, but its kind has no poll")
    with logs.about(due):
        try:
            with desk.in_hand.holding(due.job_id, due.fence):
                answer = await desk.client.send(kind.poll(due.remote_id, due.args))
        except ProviderError as error:
            outcome = verdict.poll_refused(due, error, desk.poll_rules, chance=random.random())
        else:
            now = datetime.now(UTC)
            outcome = verdict.polled(
                due, kind, answer, desk.poll_rules, now=now, chance=random.random(), price=desk.price(due.model)
            )
        failpoint("poll.answered")
        await settle(outcome, desk)
        logs.step(outcome.move)


async def settle(outcome: Outcome, desk: Desk) -> None:
    if not await desk.writer.settle(outcome):
        log.info("job %d: polled again elsewhere meanwhile", outcome.move.job_id)
