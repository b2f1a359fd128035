"""Real Postgres, broker, stand-in, workers and beats, and what may befall them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sandbox import process
from sandbox.process import SandboxProcess
from tests.support.fleet import Fleet


@pytest.fixture(scope="session")
def slow_stand_in() -> Iterator[SandboxProcess]:
    made = process.start("--speed", "20")
    yield made
    made.stop()


@pytest.fixture
def fleet(
    slow_stand_in: SandboxProcess, engine: Engine, database_url: str, valkey_url: str, tmp_path: Path
) -> Iterator[Fleet]:
    """No process yet: `launch` starts them. The stand-in is 20 times as fast as the API."""
    slow_stand_in.reset()
    made = Fleet(engine, database_url, slow_stand_in, tmp_path, broker_url=valkey_url)
    yield made
    made.close()
