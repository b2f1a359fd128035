"""A running stack for each test that asks, or for a module."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ram import short_folder
from tests.support.stack import Stack


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as made:
        yield made


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """On the sandbox at 20 times its speed."""
    made = Stack(folder, "--speed", "20")
    made.start(MEDIAJOBS_LEASE_S="3", MEDIAJOBS_HINT_LEASE_S="2")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


@pytest.fixture
def stack(folder: Path) -> Iterator[Stack]:
    with running(folder) as made:
        yield made


@pytest.fixture(scope="module")
def shared() -> Iterator[Stack]:
    """For tests of a module that get out of each other's way."""
    with short_folder() as folder, running(folder) as made:
        yield made
