"""The core on a real Postgres and a real stand-in, the stages in a process of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sandbox import process
from sandbox.process import SandboxProcess
from tests.support.core import Core


@pytest.fixture(scope="session")
def stand_in() -> Iterator[SandboxProcess]:
    made = process.start("--speed", "200")
    yield made
    made.stop()


@pytest.fixture
def core(stand_in: SandboxProcess, engine: Engine, database_url: str, tmp_path: Path) -> Core:
    """On a stand-in without a past, 200 times as fast as the API."""
    stand_in.reset()
    return Core(engine, database_url, stand_in, tmp_path)
