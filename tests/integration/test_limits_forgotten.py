"""A limit that was set, or mistyped, is taken away again; no job is ever left without one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from cli.main import cli
from models import slots
from tests.support.stack import wait_until
from worker.kinds import KINDS
from worker.operating import doubt
from worker.producer import enqueue
from worker.settings import settings

Run = Callable[..., str]
MODEL = "cogview-4-250304"
PUBLISHED = KINDS["image"].concurrency(MODEL)


def limits(engine: Engine) -> dict[str, tuple[int, int | None]]:
    with engine.connect() as conn:
        found = conn.execute(text("select model, concurrency, per_minute from limits"))
        return {row.model: (row.concurrency, row.per_minute) for row in found}


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command that is to exit with `code`; returns all that it said."""
    monkeypatch.setenv("MEDIAJOBS_DATABASE_URL", database_url)
    settings.cache_clear()

    def mediajobs(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == code, done.output
        return done.output

    yield mediajobs
    settings.cache_clear()


def test_a_used_model_gets_its_published_limit_back(engine: Engine, run: Run) -> None:
    with Session(engine) as session:
        enqueue(session, "image", {"prompt": "a boat", "model": MODEL})
        session.commit()
    run("limits", "set", MODEL, "--concurrency", "2", "--per-minute", "9")
    assert limits(engine) == {MODEL: (2, 9)}
    assert f"{PUBLISHED} at once" in run("limits", "rm", MODEL)
    assert limits(engine) == {MODEL: (PUBLISHED, None)}


@pytest.mark.parametrize("command", [["pause"], ["limits", "set", "--concurrency", "2"]])
def test_a_mistyped_model_is_warned_of_and_forgotten(engine: Engine, run: Run, command: list[str]) -> None:
    assert f"is it '{MODEL}'?" in run(*command, "cogview-4-25304")
    assert set(limits(engine)) == {"cogview-4-25304"}
    assert "forgotten" in run("limits", "rm", "cogview-4-25304")
    assert limits(engine) == {}
    assert "no limit is known" in run("limits", "rm", "cogview-4-25304", code=2)


def test_the_accounts_pause_is_no_limit_and_stays(engine: Engine, run: Run) -> None:
    run("pause", "--reason", "for a test")
    assert "no limit is known" in run("limits", "rm", "*", code=2)
    assert set(limits(engine)) == {"*"}


def test_a_model_that_is_known_by_kind_or_job_is_not_doubted(engine: Engine) -> None:
    with Session(engine) as session:
        enqueue(session, "image", {"prompt": "a boat", "model": "next-year"})
        session.commit()
        conn = session.connection()
        assert doubt(conn, MODEL) is None
        assert doubt(conn, "next-year") is None
        assert "is it 'next-year'?" in str(doubt(conn, "next-yaer"))


def test_a_limit_is_not_forgotten_beneath_a_job_that_is_just_enqueued(engine: Engine) -> None:
    """Its transaction is open yet: who forgets waits for its end, and then leaves the limit."""
    with engine.begin() as conn:
        slots.add_limit(conn, MODEL, concurrency=3, slot_scope="answer")
    waiting = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    with ThreadPoolExecutor(1) as pool:
        with Session(engine) as session:
            enqueue(session, "image", {"prompt": "a boat", "model": MODEL})

            def forget() -> str | None:
                with engine.begin() as conn:
                    return slots.forget(conn, MODEL, concurrency=5)

            done = pool.submit(forget)
            with engine.connect() as conn:
                wait_until(lambda: conn.execute(waiting).scalar_one(), what="the wait for the lock")
            session.commit()
        assert done.result(timeout=30) == "reset"
    assert limits(engine) == {MODEL: (5, None)}
