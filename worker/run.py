"""Makes the requests of dispatched jobs: claim, ask once, write down what came back."""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from models.recordings import STORED
from models.transitions import AttemptEnd, Claim
from provider.errors import AnswerLost, ProviderError
from provider.wire import Json, Request
from worker import logs, verdict
from worker.desk import Desk
from worker.failpoints import failpoint
from worker.finish import Outcome
from worker.images import filled
from worker.kind import Intent, Kind
from worker.kinds import KINDS
from worker.storage import SourceAwayError, reading
from worker.taking import taken
from worker.wording import explain

log = logging.getLogger(__name__)

#: A message goes on with other jobs for so long, where calls are that short: each claim shares a commit with the
#: outcome before it, and no message goes round. After it others have their turn, and Flower has something new.
GOES_ON_S = 10.0
#: Seconds between two looks at a stream: each is a write.
SHOWN_EVERY_S = 1.0


async def run(job_ids: Sequence[int], desk: Desk) -> None:
    """Run the jobs of one message side by side; those that others have are left to them."""
    if desk.in_hand.stopping:
        return  # they are dispatched still: the next hint goes to another worker
    claimed_at = time.monotonic()
    claims = await desk.writer.claim(job_ids)
    await asyncio.gather(*(run_on(claim, desk, claimed_at) for claim in claims))


async def run_on(claim: Claim, desk: Desk, claimed_at: float) -> None:
    """Run a job, and while the message is young the jobs that its slot goes to."""
    until = claimed_at + GOES_ON_S
    following: Claim | None = claim
    while following:
        job_id, fence = following.job_id, following.fence
        with logs.about(following):
            with desk.in_hand.holding(job_id, fence):
                outcome = await ask(following, desk, claimed_at)
            claimed_at = time.monotonic()
            if desk.in_hand.stopping or claimed_at > until:
                moved, following = await desk.writer.settle(outcome), None
            else:
                moved, following = await desk.writer.go_on(outcome)
            logs.step(outcome.move)
            if not moved:
                log.warning("job %d: taken over by a later claim; what came back is kept with its attempt", job_id)


async def ask(claim: Claim, desk: Desk, claimed_at: float) -> Outcome:
    """Ask the provider once, and say what its answer means."""
    kind = KINDS.get(claim.kind)
    if kind is None:
        return verdict.kind_unknown(claim)
    try:
        with desk.in_hand.cuttable():
            request = await prepared(claim, desk)
    except asyncio.CancelledError:
        return verdict.given_back(claim, "the worker stopped before it was sent")
    except SourceAwayError as error:
        return verdict.source_away(claim, str(error), chance=random.random())
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing was sent: this job alone fails
        return unsendable(claim, error)
    policy = desk.policy(claim.kind, claim.model)
    try:
        with desk.in_hand.cuttable():
            failpoint("run.sending")
            if desk.in_hand.lapsed(claim.job_id, claim.fence, claimed_at):
                return verdict.given_back(claim, "the claim was over before it was sent")
            if desk.in_hand.stopping:  # it was claimed before, and `cut_off` may be over
                return verdict.given_back(claim, "the worker stopped before it was sent")
            said = Said(claim, desk) if request.stream else None
            answer = await desk.client.send(request, on_text=said.more if said else None)
            failpoint("run.answered")
    except ProviderError as error:
        return verdict.refused(claim, kind, error, policy, chance=random.random())
    except asyncio.CancelledError:
        lost = AnswerLost("the worker stopped before the answer came", code="interrupted")
    except Exception as error:
        # Our own mistake, at a point where the request may be out: not to be sent again in silence.
        log.exception("job %d: unexpected", claim.job_id)
        lost = AnswerLost(f"unexpected {type(error).__name__} while waiting for the answer")
    else:
        now = datetime.now(UTC)
        return verdict.answered(
            claim, kind, answer, desk.poll_rules, now=now, chance=random.random(), price=desk.price(claim.model)
        )
    return verdict.unknown(claim, lost, policy, chance=random.random())


class Said:
    """Shows what a stream says while it says it, once in SHOWN_EVERY_S."""

    def __init__(self, claim: Claim, desk: Desk) -> None:
        self._claim, self._writer = claim, desk.writer
        self._text = ""
        self._shown_at = time.monotonic()

    def more(self, text: str) -> None:
        self._text += text.replace("\x00", "").encode("utf-8", "replace").decode()
        if (now := time.monotonic()) - self._shown_at >= SHOWN_EVERY_S:
            self._shown_at = now
            self._writer.say(self._claim.job_id, self._claim.fence, self._text)


async def prepared(claim: Claim, desk: Desk) -> Request:
    """The request, with the files that go with it. Raises ValueError for what the API would refuse."""
    kind = KINDS[claim.kind]
    args = await taken(claim, desk)
    if args is not claim.args and claim.parent_id is None:
        args = await asyncio.to_thread(checked, kind, args)
    request = kind.request(args, Intent(job_id=claim.job_id, request_id=claim.request_id))
    if request.json is not None:
        request = replace(request, json=await filled(request.json, desk.read_source))
    if request.upload is None or not (source := request.upload.source):
        return request
    try:
        if source.startswith(STORED):
            path = source.removeprefix(STORED)
            with reading(f"{path} in the store of outputs"):
                data = await desk.storage.read(path)
        else:
            data = await desk.read_source(source, kind.max_upload_bytes)
        if kind.check_upload is not None:
            await asyncio.to_thread(kind.check_upload, data)
        check_same(data, claim.args.get("sha256"))
    except ValueError as error:
        raise ValueError(f"{source} {error}") from None
    return replace(request, upload=replace(request.upload, data=data))


def check_same(data: bytes, sha256: str | None) -> None:
    """Raise ValueError where a file is not what a schedule found: its next run takes it as it is now."""
    if sha256 not in (None, hashlib.sha256(data).hexdigest()):
        raise ValueError("has changed since it was found")


def checked(kind: Kind, args: Json) -> Json:
    """What came of other jobs is checked as a row is. Raises ValueError."""
    try:
        return kind.check(args, Path("/")).jobs[0]
    except ValidationError as error:
        told = [explain(each) for each in error.errors(include_url=False)]
        raise ValueError("; ".join(f"{field}: {message}" if field else message for field, message in told)) from None


def unsendable(claim: Claim, error: Exception) -> Outcome:
    """The request could not be made, so nothing was sent and nothing can be charged."""
    code = "input_unreadable" if isinstance(error, OSError) else "bad_request"
    message = f"the request could not be made: {error}"
    end = AttemptEnd(number=claim.number, outcome="unsent", error_code=code, error_message=message)
    return Outcome(verdict.start(claim, error_code=code, error_message=message, attempt_end=end))
