"""What an answer or an error means for its job. Pure: no clock, no I/O, no state.

The codes' meanings are in `provider.errors`; here they become one step of one job.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from models.leases import Expired
from models.limit import ACCOUNT, CUT
from models.recordings import PIECES, NewPiece
from models.state import JobState
from models.transitions import AttemptEnd, Claim, Fetch, Move, Poll, StoredOutput
from provider.errors import Action, ProviderError, Ruling
from provider.rulings import NOT_SENT
from provider.wire import Answer
from worker.backoff import backoff_s
from worker.finish import Effect, Outcome, Pause, Rest, Shrink
from worker.kind import (
    Kind,
    OnUnknown,
    Output,
    Outputs,
    Pending,
    Remote,
    RemoteFailed,
    UnreadableAnswerError,
    read_answer,
)
from worker.media import url_life_s
from worker.pollplan import next_poll_s
from worker.tariff import Price, TokenPrice, cost_of

#: Workers that die with a request under way before their job is set aside.
MAX_CRASHES = 2
#: The same for downloads, which cost nothing.
MAX_FETCH_CRASHES = 5
RETRY_BASE_S = 2.0
RETRY_CAP_S = 60.0
FETCH_BASE_S = 0.5
FETCH_CAP_S = 60.0
SOURCE_TRIES = 10
SOURCE_BASE_S = 5.0
SOURCE_CAP_S = 120.0
#: An id that the API does not know may be known in a moment; after this it is a person's matter.
PATIENCE_S = 600.0
#: No new call for so long after the outputs' store took nothing; each failure begins it anew.
STORE_PAUSE_S = 15.0
#: A stalled task is given up at so many times the age at which it was called that.
GIVE_UP = 24
#: Tries of a job without a connection, after which the account waits for one; seconds between two looks.
UNREACHED = 2
REACH_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRules:
    """Seconds: the first poll, the longest wait between two, and when a task that is still at work is stalled."""

    first_s: float
    max_s: float
    stalled_s: float = 3600.0


def start(claim: Claim, **changes: object) -> Move:
    """A move of a running claim; the target is to be replaced."""
    move = Move(
        job_id=claim.job_id,
        fence=claim.fence,
        source=JobState.RUNNING,
        target=JobState.FAILED,
        parent_id=claim.parent_id,
    )
    return replace(move, **changes)  # type: ignore[arg-type]


def answered(
    claim: Claim, kind: Kind, answer: Answer, rules: PollRules, *, now: datetime, chance: float,
    price: Price | None = None,
) -> Outcome:  # fmt: skip
    """A success: what it holds decides whether the job waits for the provider or its outputs are stored."""
    cost = true_cost(kind, answer, price, claim.estimate)
    end = AttemptEnd(
        number=claim.number, outcome="answered", http_status=answer.http_status, answer=answer.raw, cost=cost
    )
    try:
        result = read_answer(kind, answer.body, claim.args)
    except UnreadableAnswerError as error:
        return Outcome(unreadable(start(claim), end, cost, error))
    match result:
        case Outputs(outputs):
            move = start(
                claim, target=JobState.STORING, cost=cost, attempt_end=end, expires_s=life_s(outputs, kind, now)
            )
        case Remote(remote_id):
            move = start(
                claim,
                target=JobState.WAITING,
                remote_id=remote_id,
                cost=cost,
                delay_s=next_poll_s(0, first_s=rules.first_s, max_s=rules.max_s, chance=chance),
                attempt_end=replace(end, remote_id=remote_id),
            )
        case Pending():
            move = unreadable(start(claim), end, cost, UnreadableAnswerError("accepted, but without an id to ask for"))
        case RemoteFailed(code, message):
            failed = replace(end, error_code=code, error_message=message, cost=Decimal(0), possibly_charged=True)
            move = start(claim, error_code=code, error_message=message, possibly_charged=True, attempt_end=failed)
    return Outcome(move)


def true_cost(kind: Kind, answer: Answer, price: Price | None, estimate: Decimal) -> Decimal:
    """US dollars: by the tokens that the answer counts; the estimate, where it counts none."""
    try:
        tokens = kind.usage(answer.body) if kind.usage else None
    except Exception:  # noqa: BLE001 - as an answer that counts none
        tokens = None
    return estimate if tokens is None or not isinstance(price, TokenPrice) else cost_of(price, tokens=tokens)


def unreadable(move: Move, end: AttemptEnd, cost: Decimal, error: UnreadableAnswerError) -> Move:
    """It was paid for and says nothing that can be stored. The answer is kept as it came."""
    code, message = "unreadable_answer", str(error)
    return replace(
        move,
        target=JobState.FAILED,
        error_code=code,
        error_message=message,
        cost=cost,
        attempt_end=replace(end, error_code=code, error_message=message),
    )


def refused(claim: Claim, kind: Kind, error: ProviderError, policy: OnUnknown, *, chance: float) -> Outcome:
    """An error: retry, wait, pause, fail or hold. `policy`: what to do if the answer was lost."""
    ruling = error.ruling
    if ruling.action is Action.UNKNOWN:
        return unknown(claim, error, policy, chance=chance)
    code, message = error.code or str(error.http_status or NOT_SENT), error.message
    end = AttemptEnd(
        number=claim.number,
        outcome="rejected" if error.sent else "unsent",
        http_status=error.http_status,
        error_code=code,
        error_message=message,
        excerpt=error.excerpt,
    )
    # What did not go out may go out under the same id: it may be that of an answer that was lost before.
    same_id = None if error.sent else claim.request_id
    move = start(claim, error_code=code, error_message=message, attempt_end=end, next_request_id=same_id)
    # A definite refusal says nothing about an earlier answer that was lost: that one stays flagged.
    model = claim.model
    match ruling.action:
        case Action.FAIL | Action.REFUSED:
            return Outcome(move)
        case Action.FAIL_MODEL:
            return Outcome(move, pauses(model, message, code, ruling))
        case Action.ALREADY_ACCEPTED:
            held = replace(move, target=JobState.HELD)
            if claim.unknowns:
                return Outcome(held)  # the lost one was accepted, and is flagged; this one was refused
            held = replace(held, possibly_charged=True)
            return Outcome(replace(held, attempt_end=replace(end, outcome="unknown", possibly_charged=True)))
        case Action.RETRY if claim.attempt >= UNREACHED:
            return snoozed(move, 0.0, (Pause(ACCOUNT, message, code, REACH_S, probes=True),))
        case Action.RETRY | Action.PATIENCE:
            if claim.attempt >= kind.max_attempts:
                return Outcome(move)
            backoff = backoff_s(claim.attempt, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, chance=chance)
            return Outcome(replace(move, target=JobState.QUEUED, delay_s=max(ruling.wait_s, backoff)))
        case Action.RETRY_LATER | Action.PAUSE_ACCOUNT:
            return snoozed(move, 0.0, pauses(ACCOUNT, message, code, ruling))
        case Action.PAUSE_MODEL:
            return snoozed(move, 0.0, pauses(model, message, code, ruling))
        case Action.SHRINK if not ruling.obeys:
            return snoozed(move, ruling.wait_s * (0.5 + chance), (Shrink(model, claim.dispatched_at),))
        case Action.SHRINK | Action.SLOW | Action.OVERLOADED:
            told = Rest(model, message, code, ruling.wait_s, ruling.cap_s)
            effect = pauses(model, message, code, ruling) if ruling.obeys else (told,)
            less = () if ruling.action is Action.OVERLOADED else (Shrink(model, claim.dispatched_at),)
            return snoozed(move, 0.0, (*effect, *less))


def pauses(model: str, reason: str, code: str, ruling: Ruling) -> tuple[Effect, ...]:
    return (Pause(model, reason, code, ruling.wait_s, probes=bool(ruling.probes)),)


def snoozed(move: Move, wait_s: float, effects: tuple[Effect, ...]) -> Outcome:
    """Run again later; the attempt does not count.

    Under a pause the job itself need not wait: when the pause ends, or is ended, it goes on at once.
    """
    return Outcome(replace(move, target=JobState.QUEUED, give_back=True, delay_s=wait_s), effects)


def unknown(claim: Claim, error: ProviderError, policy: OnUnknown, *, chance: float) -> Outcome:
    """The answer was lost after sending: it may be accepted, and on the bill."""
    code, message = error.code or str(error.http_status or "answer_lost"), error.message
    end = AttemptEnd(
        number=claim.number, outcome="unknown", http_status=error.http_status, error_code=code,
        error_message=message, excerpt=error.excerpt, answer=error.raw, possibly_charged=True,
    )  # fmt: skip
    move = start(claim, error_code=code, error_message=message, possibly_charged=True, attempt_end=end)
    again_s = max(error.ruling.wait_s if error.ruling.obeys else 0.0,
                  backoff_s(1, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, chance=chance))  # fmt: skip
    return Outcome(after_unknown(move, policy, unknowns=claim.unknowns, request_id=claim.request_id, again_s=again_s))


def after_unknown(move: Move, policy: OnUnknown, *, unknowns: int, request_id: str, again_s: float) -> Move:
    """Policy: once in the life of a job again, with the same request id, or ask a person."""
    if policy is OnUnknown.RETRY and not unknowns:
        return replace(move, target=JobState.QUEUED, next_request_id=request_id, delay_s=again_s)
    return replace(move, target=JobState.HELD)


def given_back(claim: Claim, why: str) -> Outcome:
    """Nothing was sent yet, and nothing will be: the attempt does not count."""
    end = AttemptEnd(number=claim.number, outcome="interrupted", error_message=why)
    return Outcome(
        start(claim, target=JobState.QUEUED, give_back=True, next_request_id=claim.request_id, attempt_end=end)
    )


def crashed(job: Expired, policy: OnUnknown) -> Outcome:
    """The worker died with the request made or about to be: the outcome is unknown."""
    if job.model == CUT:
        return cut_crashed(job)
    message = "the worker died or was cut off while it made the request (phase: running)"
    move = Move(
        job_id=job.job_id,
        fence=job.fence,
        source=JobState.RUNNING,
        target=JobState.FAILED,
        error_code="worker_lost",
        error_message=message,
        possibly_charged=True,
        crashed=True,
        parent_id=job.parent_id,
        attempt_end=AttemptEnd(
            number=job.number, outcome="unknown", error_code="worker_lost", error_message=message,
            possibly_charged=True,
        ),
    )  # fmt: skip
    if job.crashes + 1 >= MAX_CRASHES:
        return Outcome(replace(move, error_message=f"{message}, {job.crashes + 1} times: set aside"))
    return Outcome(after_unknown(move, policy, unknowns=job.unknowns, request_id=job.request_id, again_s=0.0))


def cut(claim: Claim, pieces: Sequence[NewPiece], about: bytes) -> Outcome:
    """A recording has its pieces, and waits for them. `about`: what is known of the file, kept with the attempt."""
    end = AttemptEnd(number=claim.number, outcome="cut", answer=about, remote_id=PIECES)
    return Outcome(start(claim, target=JobState.WAITING, remote_id=PIECES, attempt_end=end, pieces=tuple(pieces)))


def source_away(claim: Claim, message: str, *, chance: float) -> Outcome:
    """What was to be sent cannot be read now, and may be soon: tried again for some minutes, without the slot."""
    code = "source_away"
    end = AttemptEnd(number=claim.number, outcome="unsent", error_code=code, error_message=message)
    move = start(claim, error_code=code, error_message=message, attempt_end=end, next_request_id=claim.request_id)
    if claim.attempt >= SOURCE_TRIES:
        return Outcome(move)
    delay_s = SOURCE_BASE_S + backoff_s(claim.attempt, base_s=SOURCE_BASE_S, cap_s=SOURCE_CAP_S, chance=chance)
    return Outcome(replace(move, target=JobState.QUEUED, delay_s=delay_s))


#: Until a worker that knows the kind may be there.
UNKNOWN_KIND_S = 60.0


def kind_unknown(claim: Claim) -> Outcome:
    """Who enqueued it is of another version than this worker: nothing is sent, and another may know the kind."""
    code, message = "unknown_kind", no_kind(claim.kind)
    end = AttemptEnd(number=claim.number, outcome="unsent", error_code=code, error_message=message)
    move = start(
        claim, target=JobState.QUEUED, delay_s=UNKNOWN_KIND_S, give_back=True, error_code=code, error_message=message,
        next_request_id=claim.request_id, attempt_end=end,
    )  # fmt: skip
    return Outcome(move)


def no_kind(name: str) -> str:
    return f"the worker has no kind {name!r}: bring all workers to one version, or cancel the job"


def not_cut(claim: Claim, message: str) -> Outcome:
    """There is no sound to be had from it."""
    code = "input_unreadable"
    end = AttemptEnd(number=claim.number, outcome="unsent", error_code=code, error_message=message)
    return Outcome(start(claim, error_code=code, error_message=message, attempt_end=end))


def pieces_not_kept(claim: Claim, message: str) -> Outcome:
    """The store takes nothing: cut again, and no new call is made meanwhile."""
    code = "storage_failed"
    end = AttemptEnd(number=claim.number, outcome="unsent", error_code=code, error_message=message)
    move = start(claim, error_code=code, error_message=message, attempt_end=end)
    return snoozed(move, 0.0, (Pause(ACCOUNT, message, code, STORE_PAUSE_S),))


def cut_crashed(job: Expired) -> Outcome:
    """The worker died while it cut: nothing was sent, and nothing of it is there. It is cut anew."""
    message = "the worker died or was cut off while it cut the recording (phase: running)"
    move = Move(
        job_id=job.job_id,
        fence=job.fence,
        source=JobState.RUNNING,
        target=JobState.QUEUED,
        error_code="worker_lost",
        error_message=message,
        crashed=True,
        attempt_end=AttemptEnd(number=job.number, outcome="interrupted", error_message=message),
    )
    if job.crashes + 1 >= MAX_FETCH_CRASHES:
        return Outcome(
            replace(move, target=JobState.FAILED, error_message=f"{message}, {job.crashes + 1} times: set aside")
        )
    return Outcome(replace(move, give_back=True))


def polled(
    poll: Poll, kind: Kind, answer: Answer, rules: PollRules, *, now: datetime, chance: float,
    price: Price | None = None,
) -> Outcome:  # fmt: skip
    """The provider said how far it is."""
    try:
        result = read_answer(kind, answer.body, poll.args)
    except UnreadableAnswerError as error:
        # The work is paid for; what cannot be read now may be there at the next poll.
        again = poll_again(poll, rules, chance=chance, error=("unreadable_answer", str(error)))
        if poll.doubted_s < PATIENCE_S:
            return Outcome(replace(again, doubted=True))
        end = AttemptEnd(number=poll.number, outcome="answered", http_status=answer.http_status, answer=answer.raw)
        return Outcome(replace(again, target=JobState.FAILED, delay_s=0.0, attempt_end=end))
    match result:
        case Outputs(outputs):
            # What it cost was estimated when it was accepted; now it may be known.
            cost = true_cost(kind, answer, price, poll.charged) - poll.charged
            end = AttemptEnd(
                number=poll.number, outcome="answered", http_status=answer.http_status, answer=answer.raw, cost=cost
            )
            return Outcome(replace(poll_again(poll, rules, chance=chance), target=JobState.STORING, delay_s=0.0,
                                   attempt_end=end, cost=cost, expires_s=life_s(outputs, kind, now)))  # fmt: skip
        case RemoteFailed(code, message):
            end = AttemptEnd(
                number=poll.number, outcome="rejected", http_status=answer.http_status, error_code=code,
                error_message=message, answer=answer.raw, possibly_charged=True,
            )  # fmt: skip
            # Whether a failed task is billed is documented nowhere: it counts as possible, not as cost.
            cost = -poll.charged
            move = replace(poll_again(poll, rules, chance=chance), target=JobState.FAILED, delay_s=0.0)
            return Outcome(
                replace(move, error_code=code, error_message=message, possibly_charged=True, cost=cost,
                        attempt_end=replace(end, cost=cost))
            )  # fmt: skip
        case Pending() | Remote():
            return Outcome(pending(poll, rules, chance=chance), polled=True)


def pending(poll: Poll, rules: PollRules, *, chance: float) -> Move:
    """Still at work. A task that hangs is asked about for a day; its slot goes to others long before."""
    again = poll_again(poll, rules, chance=chance)
    if poll.age_s < rules.stalled_s:
        return again
    for_h = f"still at work after {poll.age_s / 3600:.1f} h"
    if poll.age_s < rules.stalled_s * GIVE_UP:
        message = f"{for_h}: asked about further, but its slot is for others"
        return replace(again, frees_slot=True, error_code="stalled", error_message=message)
    return replace(again, target=JobState.HELD, delay_s=0.0, error_code="stalled", error_message=f"{for_h}: given up")


def poll_refused(poll: Poll, error: ProviderError, rules: PollRules, *, chance: float) -> Outcome:
    """An error on a poll says nothing about the work, which is paid for: ask again, less often."""
    ruling = error.ruling
    code, message = error.code or str(error.http_status or NOT_SENT), error.message
    again = poll_again(poll, rules, chance=chance, error=(code, message))
    match ruling.action:
        case Action.PAUSE_ACCOUNT:
            return Outcome(again, pauses(ACCOUNT, message, code, ruling))
        case Action.PATIENCE if poll.doubted_s < PATIENCE_S:
            return Outcome(replace(again, delay_s=max(again.delay_s, min(ruling.wait_s, rules.max_s)), doubted=True))
        case Action.PATIENCE:
            lost = f"the provider no longer knows this task: {message}"
            return Outcome(replace(again, target=JobState.HELD, delay_s=0.0, error_message=lost))
        case _:
            wait_s = ruling.wait_s if ruling.obeys else min(ruling.wait_s, rules.max_s)
            return Outcome(replace(again, delay_s=max(again.delay_s, wait_s)))


def poll_again(poll: Poll, rules: PollRules, *, chance: float, error: tuple[str, str] | None = None) -> Move:
    code, message = error or (None, None)
    return Move(
        job_id=poll.job_id,
        fence=poll.fence,
        source=JobState.WAITING,
        target=JobState.WAITING,
        delay_s=next_poll_s(poll.polls, first_s=rules.first_s, max_s=rules.max_s, chance=chance),
        error_code=code,
        error_message=message,
    )


def stored(fetch: Fetch, outputs: tuple[StoredOutput, ...], missing: str | None) -> Outcome:
    """All outputs are in the store; with `missing` they are not the whole, and `retry` gets the rest."""
    if missing is None:
        return Outcome(from_storing(fetch, JobState.SUCCEEDED, outputs=outputs))
    failed = from_storing(fetch, JobState.FAILED, outputs=outputs, error_code="pieces_failed", error_message=missing)
    return Outcome(failed)


def not_stored(fetch: Fetch, code: str, message: str, *, gone: bool, max_gone: int, chance: float) -> Outcome:
    """An output could not be fetched or kept: try the download again, never the generation.

    `gone`: it is the file that is amiss, not the way to it or the store. When it is so for `max_gone`
    tries, or when its URL must have died meanwhile, the provider is asked for the result once more.
    """
    if fetch.expires_in_s > 0 and not (gone and fetch.gone + 1 >= max_gone):
        # Never at once: a result's URL may answer 404 for a moment after the answer that names it.
        delay_s = FETCH_BASE_S / 2 + backoff_s(fetch.fetches, base_s=FETCH_BASE_S, cap_s=FETCH_CAP_S, chance=chance)
        return Outcome(
            from_storing(fetch, JobState.STORING, delay_s=delay_s, gone=gone, error_code=code, error_message=message)
        )
    if fetch.remote_id is not None and not fetch.asked_again:
        again = f"{message}; the result is asked for again"
        return Outcome(from_storing(fetch, JobState.WAITING, error_code=code, error_message=again))
    lost = f"output lost: {message}"
    return Outcome(from_storing(fetch, JobState.FAILED, error_code="output_lost", error_message=lost))


def not_kept(fetch: Fetch, message: str, *, max_gone: int, chance: float) -> Outcome:
    """The store takes nothing: tried again, and no new call is made meanwhile, for it could not be kept either."""
    outcome = not_stored(fetch, "storage_failed", message, gone=False, max_gone=max_gone, chance=chance)
    return replace(outcome, effects=(Pause(ACCOUNT, message, "storage_failed", STORE_PAUSE_S),))


def too_large(fetch: Fetch, message: str) -> Outcome:
    """A person may raise the setting, and `retry` fetches it then."""
    return Outcome(from_storing(fetch, JobState.FAILED, error_code="output_too_large", error_message=message))


def set_aside(fetch: Fetch) -> Outcome:
    """Each worker that fetched it died."""
    message = f"the worker died while it stored the output (phase: storing), {fetch.crashes} times: set aside"
    return Outcome(from_storing(fetch, JobState.FAILED, error_code="worker_lost", error_message=message))


def fetch_given_back(fetch: Fetch) -> Outcome:
    """The worker is stopping; another fetches it."""
    return Outcome(from_storing(fetch, JobState.STORING))


def nothing_to_store(fetch: Fetch, message: str) -> Outcome:
    """The answer cannot be read. It was paid for, and is kept."""
    move = from_storing(fetch, JobState.FAILED, error_code="unreadable_answer", error_message=message)
    return Outcome(move)


def from_storing(fetch: Fetch, target: JobState, **changes: object) -> Move:
    move = Move(
        job_id=fetch.job_id, fence=fetch.fence, source=JobState.STORING, target=target, parent_id=fetch.parent_id
    )
    return replace(move, **changes)  # type: ignore[arg-type]


def life_s(outputs: Sequence[Output], kind: Kind, now: datetime) -> float | None:
    """Seconds until the first of the outputs' URLs dies; None where there is no URL."""
    urls = [each.url for each in outputs if each.url is not None]
    return min((url_life_s(url, now, default_s=kind.result_life_s) for url in urls), default=None)
