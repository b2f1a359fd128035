"""Makes the requests of dispatched jobs: claim, ask once, write down what came back."""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import replace

from models.transitions import AttemptEnd, Claim
from provider.errors import AnswerLost, ProviderError
from worker import verdict
from worker.desk import Desk
from worker.finish import Outcome
from worker.kind import Intent
from worker.kinds import KINDS

log = logging.getLogger(__name__)


async def run(job_ids: Sequence[int], desk: Desk) -> None:
    """Run the jobs of one message side by side; those that others have are left to them."""
    claims = await desk.writer.claim(job_ids)
    await asyncio.gather(*(run_one(claim, desk) for claim in claims))


async def run_one(claim: Claim, desk: Desk) -> None:
    with desk.in_hand.holding(claim.job_id, claim.fence):
        outcome = await ask(claim, desk)
        if not await desk.writer.settle(outcome):
            log.warning("job %d: taken over by a later claim; what came back is kept with its attempt", claim.job_id)


async def ask(claim: Claim, desk: Desk) -> Outcome:
    """Ask the provider once, and say what its answer means."""
    kind = KINDS[claim.kind]
    try:
        request = kind.request(claim.args, Intent(job_id=claim.job_id, request_id=claim.request_id))
        if request.upload is not None and request.upload.source:
            data = await desk.read_source(request.upload.source)
            request = replace(request, upload=replace(request.upload, data=data))
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent: this job alone fails
        return unsendable(claim, error)
    try:
        answer = await desk.client.send(request)
    except ProviderError as error:
        return verdict.refused(claim, kind, error, error.ruling, chance=random.random())
    except Exception as error:
        # Our own mistake, at a point where the request may be out: not to be sent again in silence.
        log.exception("job %d: unexpected", claim.job_id)
        lost = AnswerLost(f"unexpected {type(error).__name__} while waiting for the answer")
        return verdict.unknown(claim, kind, lost, chance=random.random())
    return verdict.answered(claim, kind, answer, desk.poll_rules, chance=random.random())


def unsendable(claim: Claim, error: Exception) -> Outcome:
    """The request could not be made, so nothing was sent and nothing can be charged."""
    code = "input_unreadable" if isinstance(error, OSError) else "bad_request"
    message = f"the request could not be made: {error}"
    end = AttemptEnd(number=claim.number, outcome="unsent", error_code=code, error_message=message)
    return Outcome(verdict.start(claim, error_code=code, error_message=message, attempt_end=end))
