"""Real parts for the tests: one embedded Postgres and Valkey a run, a fresh database a test."""

import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
from sqlalchemy import Engine, text

from models.migrate import upgrade
from models.session import make_engine
from sandbox.postgres import EmbeddedPostgres
from sandbox.valkey import EmbeddedValkey
from tests.support.ram import short_folder

# The tests start hundreds of processes. Where this is set, each compiles all of ours anew, which takes half a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says nothing of whether it is right: other processes run beside.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TEMPLATE = "template_mediajobs"
numbers = count(1)


@pytest.fixture(scope="session")
def short_dir() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres(short_dir: Path) -> Iterator[EmbeddedPostgres]:
    """The run's server; nothing in it outlives the run, so it need not wait for the disk."""
    server = EmbeddedPostgres(short_dir, fsync="off")
    server.start()
    execute(server, f"create database {TEMPLATE}")
    upgrade(server.database_url(TEMPLATE))
    yield server
    server.stop()


def execute(server: EmbeddedPostgres, sql: str) -> None:
    engine = make_engine(server.database_url("postgres"), isolation_level="AUTOCOMMIT", pool_size=1)
    with engine.connect() as conn:
        conn.execute(text(sql))
    engine.dispose()


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A migrated database of the test's own."""
    name = f"test_{next(numbers)}"
    execute(postgres, f"create database {name} template {TEMPLATE} strategy file_copy")
    yield postgres.database_url(name)
    execute(postgres, f"drop database {name} with (force)")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def valkey(short_dir: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(short_dir)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def valkey_url(valkey: EmbeddedValkey) -> str:
    """An empty broker."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An S3 on this machine, by the environment that leads to it."""
    from tests.support.s3 import s3_server  # noqa: PLC0415 - slow to import, and few need it

    with s3_server(tmp_path_factory.mktemp("s3") / "log") as environment:
        yield environment


@pytest.fixture
def bucket(aws: dict[str, str]) -> Any:
    """The bucket `media`, empty."""
    from tests.support.s3 import empty_bucket  # noqa: PLC0415 - as above

    return empty_bucket(aws, "media")
