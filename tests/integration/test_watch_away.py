"""Who waits for jobs bears that Postgres is gone for a moment."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cli import options
from cli.main import in_words


def cut_off(opened: Session) -> None:
    """Postgres ends this session, as it does when it stops."""
    opened.execute(text("select pg_terminate_backend(pg_backend_pid())"))


def test_a_look_is_taken_again(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    looks = 0

    def read(opened: Session) -> int:
        nonlocal looks
        looks += 1
        if looks == 1:
            cut_off(opened)
        return int(opened.execute(text("select 7")).scalar_one())

    with Session(engine) as opened:
        assert options.look(opened, read) == 7
    assert looks == 2
    assert capsys.readouterr().err == "the database does not answer, trying again\n"


def test_one_that_stays_away_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "AWAY_S", 0)
    with Session(engine) as opened, pytest.raises(OperationalError):
        options.look(opened, cut_off)


def test_what_the_database_could_not_do_is_told_as_that(engine: Engine) -> None:
    with Session(engine) as opened:
        opened.execute(text("set local statement_timeout = 1"))
        with pytest.raises(OperationalError) as found:
            opened.execute(text("select pg_sleep(10)"))
    assert in_words(found.value) == (1, "the database says: canceling statement due to statement timeout")
