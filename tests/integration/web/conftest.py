"""The application on a database of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import Api
from tests.support.webserver import serving
from worker import keys
from worker.keys import Role
from worker.settings import Settings


@pytest.fixture
def config(database_url: str, valkey_url: str) -> Settings:
    return Settings(database_url=database_url, broker_url=valkey_url)


@pytest.fixture
def client(config: Settings) -> Iterator[httpx.Client]:
    with serving(config) as opened:
        yield opened


@pytest.fixture
def held(engine: Engine) -> dict[Role, str]:
    """A key of each role, named after it."""
    with engine.begin() as conn:
        return {role: keys.add_key(conn, role, role) for role in Role}


@pytest.fixture
def api(config: Settings, engine: Engine, held: dict[Role, str], tmp_path: Path) -> Iterator[Api]:
    outputs = tmp_path / "outputs"
    with serving(config.model_copy(update={"outputs_url": outputs.as_uri()})) as http:
        yield Api(http, engine, outputs, held)
