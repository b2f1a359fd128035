"""What the soak runs on: the real parts, with a proxy before the broker."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from sandbox import process
from sandbox.valkey import EmbeddedValkey
from tests.support.fleet import Fleet
from tests.support.proxy import Proxy


@pytest.fixture
def proxy(valkey: EmbeddedValkey) -> Iterator[Proxy]:
    made = Proxy(urlsplit(valkey.url).port or 0)
    yield made
    made.close()


@pytest.fixture
def fleet(engine: Engine, database_url: str, valkey_url: str, proxy: Proxy, tmp_path: Path) -> Iterator[Fleet]:
    """All of its processes reach the broker through the proxy."""
    port = urlsplit(valkey_url).port
    stand_in = process.start("--speed", "10", log=tmp_path / "sandbox.log")
    broker_url = valkey_url.replace(f":{port}/", f":{proxy.port}/")
    made = Fleet(engine, database_url, stand_in, tmp_path, broker_url=broker_url)
    yield made
    made.close()
    stand_in.stop()
