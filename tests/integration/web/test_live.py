"""Live pages: one that fails takes no other along, and what is back is shown again."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import Connection, Engine, text

from web import live
from web.live import AWAY, Hub, Render
from web.pages.shell import missing
from web.problems import ProblemError

WAIT_S = 20.0


def good(_conn: Connection) -> list[str]:
    return ["<p id=a>fine</p>"]


def gone(_conn: Connection) -> list[str]:
    raise missing("batch 7")


def broken(conn: Connection) -> list[str]:
    return [str(conn.execute(text("select 1 / 0")).scalar())]


def wrong(_conn: Connection) -> list[str]:
    raise KeyError("a fault of ours")


async def next_of(stream: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(stream), WAIT_S)


@pytest.mark.parametrize("bad", [gone, broken, wrong])
def test_a_page_that_fails_takes_no_other_along(engine: Engine, bad: Render) -> None:
    async def look() -> None:
        hub = Hub(engine, every_s=0.05)
        failing, fine = hub.follow("bad", bad), hub.follow("good", good)
        assert await next_of(failing) == await next_of(fine) == "retry: 1000\n\n"
        if bad is gone:
            with pytest.raises(StopAsyncIteration):
                await next_of(failing)
        else:
            assert await next_of(failing) == AWAY
        assert "fine" in await next_of(fine)

    asyncio.run(look())


def test_what_comes_back_unchanged_is_shown_again(engine: Engine) -> None:
    away: list[bool] = []

    def render(conn: Connection) -> list[str]:
        return broken(conn) if away else good(conn)

    async def look() -> None:
        stream = Hub(engine, every_s=0.05).follow("page", render)
        await next_of(stream)
        assert "fine" in await next_of(stream)
        away.append(True)
        assert await next_of(stream) == AWAY
        away.clear()
        while (told := await next_of(stream)) == AWAY:
            pass
        assert "fine" in told

    asyncio.run(look())


def test_no_more_different_pages_are_followed_than_can_be_looked_at(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_TOPICS", 1)

    async def look() -> None:
        hub = Hub(engine, every_s=0.05)
        hub.check("a", good)
        stream = hub.follow("a", good)
        await next_of(stream)
        hub.check("a", good)  # a second dashboard of the same page
        with pytest.raises(ProblemError, match="too many different pages"):
            hub.check("b", good)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        hub.check("b", good)

    asyncio.run(look())


@pytest.mark.parametrize(
    ("path", "status"), [("/live/batch?id=999999", 404), ("/live/batch?id=abc", 422), ("/live/nothing", 404)]
)
def test_no_stream_of_what_is_not_there(client: httpx.Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status
