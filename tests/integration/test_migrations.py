"""Migrations and models agree, and every step can be taken back."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory
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


def restrictions(engine: Engine, table: str) -> set[str]:
    """What a row of a table must not be."""
    look = inspect(engine)
    return {
        *(f"check {each['sqltext']}" for each in look.get_check_constraints(table)),
        *(f"unique {sorted(map(str, each['column_names']))}" for each in look.get_indexes(table) if each["unique"]),
        *(f"unique {sorted(each['column_names'])}" for each in look.get_unique_constraints(table)),
        *(f"key {each['constrained_columns']}" for each in look.get_foreign_keys(table)),
    }


def columns(engine: Engine, table: str) -> dict[str, tuple[str, bool, bool]]:
    """Name → type, whether it may be null, whether it may be left out."""
    return {
        each["name"]: (
            str(each["type"]),
            each["nullable"],
            each["nullable"] or bool(each["default"] or each.get("identity")),
        )
        for each in inspect(engine).get_columns(table)
    }


def test_migrations_only_add_so_that_old_workers_run_on_beside_new_ones(database_url: str, engine: Engine) -> None:
    """A worker of the version before reads and writes as it did: nothing it knows is gone, changed or stricter."""
    revisions = [each.revision for each in ScriptDirectory.from_config(migrate.config(database_url)).walk_revisions()]
    first, *later = reversed(revisions)
    migrate.downgrade(database_url, first)
    for revision in later:
        known = {each: (columns(engine, each), restrictions(engine, each)) for each in tables(engine)}
        migrate.upgrade(database_url, revision)
        for table, (before, restricted) in known.items():
            now = columns(engine, table)
            assert {name: now.get(name) for name in before} == before, f"{revision} changes {table}"
            unfilled = [name for name in now.keys() - before.keys() if not now[name][2]]
            assert not unfilled, f"{revision} adds to {table} what old workers do not fill"
            # What is new may point anywhere: old workers leave it empty.
            fresh = {f"key {[name]}" for name in now.keys() - before.keys()}
            assert restrictions(engine, table) - fresh <= restricted, f"{revision} forbids what {table} allowed"
