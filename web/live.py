"""Live pages: one look at the database a second, however many dashboards are open.

A topic is what several dashboards look at alike: a page with its filters. Each look renders each topic once, and what
has changed of it goes to all that follow it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from web.problems import ProblemError

log = logging.getLogger(__name__)

EVERY_S = 1.0
#: Of the time, looks take no more than a fifth: what is slow is looked at less often.
REST = 4.0
#: Something is sent at least so often, so that both sides notice when the other is gone.
SILENCE_S = 15.0
#: Then the browser asks again, and it is looked at anew who asks.
LIFE_S = 300.0

#: Different pages that are followed at once: each is one more to look at. Many dashboards of one page are one.
MOST_TOPICS = 200

#: Renders the parts of a page, each with an id of its own.
Render = Callable[[Connection], Sequence[str]]
AWAY = "event: away\ndata: \n\n"


@dataclass(eq=False)
class Follower:
    """What one dashboard has not got yet; only the newest of each part counts."""

    pending: dict[int, str] = field(default_factory=dict)
    away: bool = False
    gone: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Topic:
    render: Render
    shown: dict[int, str] = field(default_factory=dict)
    followers: set[Follower] = field(default_factory=set)


class Hub:
    """Looks while somebody follows, and only then."""

    def __init__(self, engine: Engine, *, every_s: float = EVERY_S) -> None:
        self._engine = engine
        self._every_s = every_s
        self._topics: dict[str, Topic] = {}
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    async def follow(self, key: str, render: Render, *, life_s: float = LIFE_S) -> AsyncIterator[str]:
        """Server-sent events of a topic, by its key: first the whole of it, then what changes."""
        topic = self._topics.setdefault(key, Topic(render))
        follower = Follower(dict(topic.shown))
        topic.followers.add(follower)
        if follower.pending:
            follower.news.set()
        else:
            self._hurry.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_again_and_again())
        ends = time.monotonic() + life_s
        try:
            yield "retry: 1000\n\n"
            while time.monotonic() < ends:
                try:
                    await asyncio.wait_for(follower.news.wait(), SILENCE_S)
                except TimeoutError:
                    yield ": nothing new\n\n"
                    continue
                follower.news.clear()
                if follower.gone:
                    return
                if follower.away:
                    yield AWAY
                else:
                    parts, follower.pending = follower.pending, {}
                    yield event("".join(parts.values()))
        finally:
            topic.followers.discard(follower)
            if not topic.followers and self._topics.get(key) is topic:
                del self._topics[key]

    async def _look_again_and_again(self) -> None:
        while self._topics:
            self._hurry.clear()
            began = time.monotonic()
            looked = dict(self._topics)
            found, gone = await asyncio.to_thread(self._look, looked)
            for key, topic in looked.items():
                if key in gone:
                    self._end(topic)
                else:
                    self._tell(topic, found.get(key))
            rest = max(self._every_s, REST * (time.monotonic() - began))
            try:  # a new topic need not wait
                await asyncio.wait_for(self._hurry.wait(), rest)
            except TimeoutError:
                continue

    def check(self, key: str, render: Render) -> None:
        """Raise ProblemError where there is no such page. Whether the database is there is for the stream to tell."""
        if key in self._topics:
            return  # it is looked at already
        if len(self._topics) >= MOST_TOPICS:
            raise ProblemError(503, "too_many_pages", "too many different pages are followed; this one stands still")
        with suppress(SQLAlchemyError), self._engine.connect() as conn:
            render(conn)

    def _look(self, topics: Mapping[str, Topic]) -> tuple[dict[str, Sequence[str]], set[str]]:
        """What each topic shows now, and those that are there no more; one that fails takes no other along."""
        found: dict[str, Sequence[str]] = {}
        gone: set[str] = set()
        try:
            with self._engine.connect() as conn:
                for key, topic in topics.items():
                    try:
                        found[key] = topic.render(conn)
                    except ProblemError:
                        gone.add(key)
                    except SQLAlchemyError as error:
                        log.warning("live pages: %s: %s", key, type(error).__name__)
                        conn.rollback()
                    except Exception:
                        log.exception("live pages: a fault of mediajobs: %s", key)
        except SQLAlchemyError as error:
            log.warning("live pages: %s", type(error).__name__)
        return found, gone

    @staticmethod
    def _end(topic: Topic) -> None:
        """Such as of a batch that was pruned: whoever asks again is told that it is gone."""
        for follower in topic.followers:
            follower.gone = True
            follower.news.set()

    @staticmethod
    def _tell(topic: Topic, parts: Sequence[str] | None) -> None:
        if parts is None:
            news = topic.followers
            for follower in news:
                follower.away = True
        else:
            changed = {place: part for place, part in enumerate(parts) if topic.shown.get(place) != part}
            topic.shown.update(changed)
            for follower in topic.followers:
                follower.pending.update(topic.shown if follower.away else changed)
                follower.away = False
            news = {each for each in topic.followers if each.pending}
        for follower in news:
            follower.news.set()


def event(data: str) -> str:
    return "".join(f"data: {line}\n" for line in data.splitlines() if line.strip()) + "\n"
