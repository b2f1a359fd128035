"""A job exists if and only if its producer commits; the same key is the same job."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Celery
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests.support.stack import wait_until
from worker import KeyTakenError, UnknownKindError, enqueue, enqueue_many
from worker.app import DISPATCH, make_app
from worker.producer import Row, chunks, insert_rows

ARGS = {"model": "cogview-4-250304", "prompt": "a cat"}


def count(engine: Engine) -> int:
    with engine.connect() as conn:
        return int(conn.execute(text("select count(*) from jobs")).scalar_one())


@pytest.fixture
def kicks(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator["Kicks"]:
    """The broker of this test, and the kicks that it got."""
    # An application of its own: one that has sent before keeps its producers to the broker of then.
    with make_app(valkey_url) as app:
        monkeypatch.setattr("worker.app.app", app)
        yield Kicks(app)


@dataclass
class Kicks:
    app: Celery

    def count(self) -> int:
        with self.app.connection_for_read() as connection:
            queue = connection.SimpleQueue("upkeep")
            seen = 0
            while True:
                try:
                    message = queue.get_nowait()
                except queue.Empty:
                    queue.close()
                    return seen
                assert message.headers["task"] == DISPATCH
                message.ack()
                seen += 1


def test_the_job_exists_and_is_kicked_after_the_commit(engine: Engine, kicks: Kicks) -> None:
    with Session(engine) as session:
        [job_id] = enqueue(session, "image", ARGS)
        assert job_id
        assert count(engine) == 0
        assert kicks.count() == 0
        session.commit()
    assert count(engine) == 1
    assert kicks.count() == 1


def test_a_rollback_leaves_nothing(engine: Engine, kicks: Kicks) -> None:
    with Session(engine) as session:
        enqueue(session, "image", ARGS)
        session.rollback()
        session.execute(text("select 1"))
        session.commit()
    assert count(engine) == 0
    assert kicks.count() == 0


def test_what_raises_leaves_nothing_to_be_committed(engine: Engine, kicks: Kicks) -> None:
    """Rows go in by a thousand; the transaction is the caller's, who may go on with it."""
    good = [{"prompt": f"picture {number}"} for number in range(1500)]
    with Session(engine) as session:
        with pytest.raises(ValueError, match="prompt"):
            enqueue_many(session, "image", [*good, {"prompt": ""}], batch="half")
        enqueue(session, "image", ARGS, key="after")
        session.commit()
    assert count(engine) == 1
    with Session(engine) as session:
        enqueue(session, "image", {**ARGS, "n": 2, "key": "a"})
        with pytest.raises(KeyTakenError):
            enqueue(session, "image", {**ARGS, "prompt": "a dog", "n": 3, "key": "a"})
        session.commit()
    assert count(engine) == 3
    assert kicks.count() == 2


def test_a_savepoint_does_not_kick(engine: Engine, kicks: Kicks) -> None:
    with Session(engine) as session:
        with session.begin_nested():
            enqueue(session, "image", ARGS)
        assert kicks.count() == 0
        session.commit()
    assert kicks.count() == 1


def test_with_the_broker_away_the_job_is_there_all_the_same(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.app.app", make_app("redis://127.0.0.1:1/0"))
    with Session(engine) as session:
        enqueue(session, "image", ARGS)
        session.commit()
    assert count(engine) == 1


def test_the_same_key_is_the_same_job(engine: Engine, kicks: Kicks) -> None:
    ids = []
    for _ in range(2):
        with Session(engine) as session:
            ids += enqueue(session, "image", ARGS, key="cat")
            session.commit()
    assert ids[0] == ids[1]
    with Session(engine) as session, pytest.raises(KeyTakenError, match="key 'cat'"):
        enqueue(session, "image", {**ARGS, "prompt": "a dog"}, key="cat")
    assert kicks.count() == 2


WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


def waits(engine: Engine) -> int:
    with engine.connect() as conn:  # anew: a transaction sees the sessions as at its first look
        return int(conn.execute(text(WAITING)).scalar_one())


@pytest.mark.parametrize("batch", [None, "b"])
@pytest.mark.parametrize(("other", "taken"), [("a cat", False), ("a dog", True)])
def test_the_same_key_in_two_sessions_at_once(
    engine: Engine, kicks: Kicks, batch: str | None, other: str, taken: bool
) -> None:
    def second() -> list[int]:
        with Session(engine) as session:
            inputs = [{"prompt": "a fox", "key": "fox"}, {"prompt": other, "key": "cat"}]
            ids = enqueue_many(session, "image", inputs, batch=batch)
            session.commit()
            return ids

    with Session(engine) as session, ThreadPoolExecutor(1) as pool:
        enqueue(session, "image", {"prompt": "an owl"}, batch=batch)
        session.commit()  # the batch and the limit are there: nothing but the key is waited for
        [first] = enqueue(session, "image", {"prompt": "a cat"}, key="cat", batch=batch)
        waiting = pool.submit(second)
        wait_until(lambda: waits(engine), what="the second one waits for the first")
        session.commit()
        if taken:
            with pytest.raises(KeyTakenError, match="key 'cat'"):
                waiting.result()
        else:
            assert waiting.result()[1] == first
    assert count(engine) == (2 if taken else 3)
    assert kicks.count()


def test_what_the_input_says_of_itself_holds(engine: Engine, kicks: Kicks) -> None:
    own = {"key": "cat", "priority": 7, "run_at": "2030-01-31T18:00"}
    with Session(engine) as session:
        assert enqueue(session, "image", {**ARGS, **own}) == enqueue(session, "image", {**ARGS, "key": "cat"})
        enqueue(session, "image", {**ARGS, **own}, key="dog", priority=0)
        session.commit()
    with engine.connect() as conn:
        found = conn.execute(text("select key, priority, extract(year from run_at) from jobs order by id")).all()
    assert [tuple(each) for each in found] == [("cat", 7, 2030), ("dog", 0, 2030)]
    assert kicks.count() == 1


def test_without_a_key_or_batch_each_call_is_a_job(engine: Engine, kicks: Kicks) -> None:
    with Session(engine) as session:
        assert len({*enqueue(session, "image", ARGS), *enqueue(session, "image", ARGS)}) == 2
        session.commit()
    assert kicks.count() == 1


def test_many_in_a_batch_and_n_images_are_n_jobs(engine: Engine, kicks: Kicks) -> None:
    inputs = [{**ARGS, "key": "a", "n": 3}, {**ARGS, "key": "b", "priority": 5}]
    with Session(engine) as session:
        assert len(enqueue_many(session, "image", inputs, batch="cats")) == 4
        session.commit()
    with engine.connect() as conn:
        rows = conn.execute(text("select key, priority from jobs order by id")).all()
    assert [tuple(row) for row in rows] == [("a#1", 0), ("a#2", 0), ("a#3", 0), ("b", 5)]
    assert kicks.count() == 1


async def enqueue_async(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        assert await enqueue(session, "image", ARGS)
        await session.commit()
    await engine.dispose()


def test_an_async_session_serves_too(engine: Engine, database_url: str, kicks: Kicks) -> None:
    import asyncio  # noqa: PLC0415 - for this test alone

    asyncio.run(enqueue_async(database_url))
    assert count(engine) == 1
    assert kicks.count() == 1


def test_an_unknown_kind_is_named(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(UnknownKindError, match="kind 'musik' is not known; known are"):
        enqueue(session, "musik", ARGS)


def test_one_key_for_two_inputs_of_a_call_is_an_error(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(KeyTakenError, match="'k'"):
        enqueue_many(session, "image", [{"prompt": "first", "key": "k"}, {"prompt": "second", "key": "k"}])
    with Session(engine) as session:
        first, second = enqueue_many(session, "image", [{"prompt": "same", "key": "k"}] * 2)
        assert first == second


def submit(engine: Engine, *prompts: str) -> tuple[int, int]:
    rows = [Row(args={**ARGS, "prompt": prompt}, row=number) for number, prompt in enumerate(prompts, 1)]
    with Session(engine) as session:
        found = insert_rows(session, "b", "image", rows)
        session.commit()
    return found.added, found.already


def test_a_row_has_its_number_in_the_newest_file(engine: Engine, kicks: Kicks) -> None:
    assert submit(engine, "A", "B", "A") == (3, 0)
    assert submit(engine, "C", "A", "B", "A") == (1, 3)
    with engine.connect() as conn:
        found = conn.execute(text("select row, args->>'prompt' from jobs order by row, id")).all()
    assert [tuple(each) for each in found] == [(1, "C"), (2, "A"), (3, "B"), (4, "A")]
    assert kicks.count() == 2


def test_a_producer_without_row_numbers_takes_none_away(engine: Engine, kicks: Kicks) -> None:
    submit(engine, "A")
    with Session(engine) as session:
        enqueue(session, "image", {**ARGS, "prompt": "A"}, batch="b")
        session.commit()
    with engine.connect() as conn:
        assert conn.execute(text("select row from jobs")).scalar_one() == 1
    assert kicks.count() == 2


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "empty key": ({"key": ""}, "key: '' is no key; use a text of 1 to 200 characters"),
    "long key": ({"key": "k" * 5000}, "key: 'k.*… is no key"),
    "NUL in the key": ({"key": "a\x00b"}, "key: .* is no key"),
    "lone surrogate": ({"key": "\ud800"}, "key: .* is no key"),
    "empty batch": ({"batch": ""}, "batch: '' is no name of a batch"),
    "NUL in the batch": ({"batch": "a\x00b"}, "batch: .* is no name of a batch"),
    "priority of words": ({"priority": "high"}, "priority: 'high' is no whole number"),
    "huge priority": ({"priority": 10**10}, "priority: 10000000000 is out of range; use -1000 to 1000"),
    "time of words": ({"run_at": "tomorrow"}, "run_at: 'tomorrow' is no time; write it as"),
}


@pytest.mark.parametrize(("own", "message"), BAD.values(), ids=BAD)
def test_what_a_manifest_refuses_is_refused_here(engine: Engine, own: dict[str, Any], message: str) -> None:
    with Session(engine) as session, pytest.raises(ValueError, match=message):
        enqueue(session, "image", ARGS, **own)
    batch = own.get("batch")
    with Session(engine) as session, pytest.raises(ValueError, match=message):
        enqueue_many(session, "image", [{**ARGS, **own}] if batch is None else [ARGS], batch=batch)
    assert count(engine) == 0


def test_a_time_without_a_zone_is_utc(engine: Engine, kicks: Kicks) -> None:
    with Session(engine) as session:
        session.execute(text("set time zone 'Asia/Tokyo'"))
        enqueue(session, "image", ARGS, run_at=datetime(2030, 1, 31, 18))  # noqa: DTZ001 - that is the question
        enqueue_many(session, "image", [{**ARGS, "run_at": "2030-01-31T18:00"}])
        session.commit()
    with engine.connect() as conn:
        found = conn.execute(text("select distinct run_at from jobs")).scalars().all()
    assert found == [datetime(2030, 1, 31, 18, tzinfo=UTC)]
    assert kicks.count() == 1


def test_inputs_with_images_in_them_go_in_by_parts(
    engine: Engine, kicks: Kicks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.producer.CHUNK_CHARS", 250)
    assert [len(chunk) for chunk, _ in chunks(Row(args={**ARGS, "prompt": "a" * 100}) for _ in range(5))] == [2, 2, 1]
    image = "data:image/png;base64,iVBORw0KGgo" + "A" * 6_900_001
    inputs = [{"model": "cogvideox-3", "image_url": image, "prompt": prompt} for prompt in "ab"]
    with Session(engine) as session:
        assert len(enqueue_many(session, "video", inputs, batch="large")) == 2
        session.commit()
    assert kicks.count() == 1
