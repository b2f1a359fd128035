"""Sends what is due to webhooks, many at a time and few to each host, away from all that jobs need."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from models import outbox
from models.outbox import Due
from worker.webhooks import manage
from worker.webhooks.post import Post, body_of
from worker.webhooks.signature import headers, secret_of
from worker.webhooks.verdict import GONE, Rules, judge

log = logging.getLogger(__name__)

#: Under way at once in one process, of a host and in all: one that is slow has its own share, and no more.
EACH, MOST = 4, 64
#: Beyond the time that a try may take; then it is due again.
LEASE_MARGIN_S = 15.0
#: What is under way when the process ends has so long.
LAST_S = 3.0
#: What ended is kept for so long.
KEEP_S = 30 * 86400.0


@dataclass
class Deliverer:
    """Lives in one event loop, in which messages are under way; none of our threads waits for a receiver."""

    engine: Engine
    make_post: Callable[[], Post]
    rules: Rules
    timeout_s: float
    _busy: Counter[str] = field(default_factory=Counter)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)
    _post: Post | None = None
    _claiming: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def deliver(self) -> None:
        """Set off what is due and has room; does not wait for the answers."""
        async with self._claiming:
            found, keys = await asyncio.to_thread(self._claim)
            self._busy.update(due.host for due in found)
        for due in found:
            task = asyncio.create_task(self._one(due, keys))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _claim(self) -> tuple[list[Due], list[str]]:
        with self.engine.begin() as conn:
            found = outbox.claim(
                conn,
                busy={host: count for host, count in self._busy.items() if count},
                each=EACH,
                most=MOST - self._busy.total(),
                lease_s=self.timeout_s + LEASE_MARGIN_S,
            )
            return found, manage.keys(conn) if found else []

    async def _one(self, due: Due, keys: list[str]) -> None:
        delivered = False
        try:
            delivered = await self._send(due, keys)
        except Exception:
            log.exception("message %s: nothing could be written of it; it is due again soon", due.message_id)
        finally:
            self._busy[due.host] -= 1
        if delivered:
            await self.deliver()  # others to that host may wait for this one's place

    async def _send(self, due: Due, keys: list[str]) -> bool:
        if self._post is None:
            self._post = self.make_post()
        body = body_of(due)
        secrets = [secret_of(key, due.host) for key in keys]
        answer = await self._post.send(due.url, body, headers(secrets, due.message_id, due.sent_at, body))
        verdict = judge(answer, tries=due.tries, age_s=due.age_s, rules=self.rules, chance=random.random())
        if verdict.state != "delivered":
            log.warning("webhook %s, message %s: %s", due.host, due.message_id, verdict.error)

        def settle() -> None:
            with self.engine.begin() as conn:
                outbox.settle(
                    conn, due, state=verdict.state, after_s=verdict.after_s, status=answer.status,
                    error=verdict.error, gone=answer.status == GONE,
                )  # fmt: skip

        await asyncio.to_thread(settle)
        return verdict.state == "delivered"

    async def close(self) -> None:
        """Wait a moment for what is under way; what takes longer is due again when its lease is over."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._post is not None:
            await self._post.close()


def forget(engine: Engine) -> None:
    """Delete old messages that are delivered or given up."""
    with engine.begin() as conn:
        outbox.forget(conn, for_s=KEEP_S)
