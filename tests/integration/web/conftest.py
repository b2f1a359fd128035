"""The application on a database of the test's own."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.webserver import serving
from worker.settings import Settings


@pytest.fixture
def client(database_url: str, valkey_url: str) -> Iterator[httpx.Client]:
    with serving(Settings(database_url=database_url, broker_url=valkey_url)) as opened:
        yield opened
