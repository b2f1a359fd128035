"""Migrations and models agree, and every step can be taken back."""

import pytest
from alembic import command
from sqlalchemy import Engine, inspect

from models import migrate
from models.session import driver_url


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_models_and_migrations_agree(database_url: str) -> None:
    command.check(migrate.config(database_url))


def test_down_to_nothing_and_up_again(database_url: str, engine: Engine) -> None:
    before = tables(engine)
    assert "jobs" in before
    migrate.downgrade(database_url, "base")
    assert tables(engine) == {"alembic_version"}
    assert migrate.current(database_url) is None
    migrate.upgrade(database_url)
    assert tables(engine) == before
    assert migrate.current(database_url) == migrate.newest(database_url)


@pytest.mark.parametrize("given", ["postgresql://u:p@h/d", "postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"])
def test_urls_are_understood_as_people_write_them(given: str) -> None:
    assert driver_url(given) == "postgresql+psycopg://u:p@h/d"
