"""The thread that writes for a whole process, in groups."""

import asyncio
import time
from functools import partial

from sqlalchemy import Engine, text

from models.state import JobState
from models.transitions import AttemptEnd, Claim, Move
from tests.integration.test_transitions import claim, dispatch, enqueue
from tests.support.stack import wait_until
from worker.finish import Outcome
from worker.hints import Publisher
from worker.in_hand import InHand
from worker.writer import Writer


def answered(claimed: Claim) -> Outcome:
    end = AttemptEnd(number=claimed.number, outcome="answered", http_status=200, answer=b"{}")
    return Outcome(
        Move(
            job_id=claimed.job_id,
            fence=claimed.fence,
            source=JobState.RUNNING,
            target=JobState.STORING,
            attempt_end=end,
        )
    )


def test_a_heartbeat_puts_off_no_download(engine: Engine) -> None:
    """Asked for while the call was out, and written together with the call's outcome."""
    enqueue(engine, 1)
    (claimed,) = claim(engine, dispatch(engine))
    writer = Writer(engine, Publisher(lambda *_: None, 32), "w", lease_s=30, hint_lease_s=30)

    async def work() -> bool:
        held = [(claimed.job_id, claimed.fence)]
        beat = asyncio.create_task(writer.heartbeat(held))
        outcome = asyncio.create_task(writer.settle(answered(claimed)))
        await asyncio.sleep(0)  # both are handed over before the first is written
        writer.start()
        await beat
        return await outcome

    try:
        assert asyncio.run(work())
    finally:
        writer.stop()
    with engine.connect() as conn:
        assert conn.execute(text("select next_fetch_at <= now() from jobs")).scalar_one()


def test_a_claim_that_was_lost_is_not_kept_by_the_heartbeat_of_the_others(engine: Engine) -> None:
    """A process that stood still wakes up, and what it was about to send is another's by now."""
    enqueue(engine, 2)
    own, lost = claim(engine, dispatch(engine))
    lease_s = 0.6
    writer = Writer(engine, Publisher(lambda *_: None, 32), "w", lease_s=lease_s, hint_lease_s=30)
    in_hand = InHand(writer, lease_s)
    long_ago = time.monotonic() - 10 * lease_s

    async def wake() -> bool:
        with in_hand.holding(own.job_id, own.fence), in_hand.holding(lost.job_id, lost.fence):
            assert in_hand.lapsed(own.job_id, own.fence, long_ago)
            keeping = asyncio.create_task(in_hand.keep())
            kept = partial(in_hand.lapsed, own.job_id, own.fence, long_ago)
            await asyncio.to_thread(wait_until, lambda: not kept(), what="a heartbeat")
            keeping.cancel()
            return in_hand.lapsed(lost.job_id, lost.fence, long_ago)

    with engine.begin() as conn:
        conn.execute(text("update jobs set fence = fence + 1 where id = :id"), {"id": lost.job_id})
    writer.start()
    try:
        assert asyncio.run(wake())
    finally:
        writer.stop()


def test_a_freed_slot_goes_on_in_the_same_commit_without_a_message(engine: Engine) -> None:
    enqueue(engine, 3)
    with engine.begin() as conn:
        conn.execute(text("update limits set concurrency = 1, learned = 1"))
    (claimed,) = claim(engine, dispatch(engine))
    sent: set[tuple[str, int]] = set()
    publisher = Publisher(lambda lot, ids: sent.update((lot.stage, job_id) for job_id in ids), 32)
    writer = Writer(engine, publisher, "w", lease_s=30, hint_lease_s=30)
    publisher.start()
    writer.start()
    try:
        moved, following = asyncio.run(writer.go_on(answered(claimed)))
        assert moved
        assert following is not None
        assert asyncio.run(writer.settle(answered(following)))
    finally:
        writer.stop()
        publisher.stop()
    # The second's slot went to the third, for whom a message goes round.
    with engine.connect() as conn:
        third = conn.execute(text("select id from jobs where state = 'dispatched'")).scalar_one()
    assert sent == {("store", claimed.job_id), ("store", following.job_id), ("run", third)}
