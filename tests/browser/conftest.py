"""One running `up` and one browser for all these tests; each test has batches of its own."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import Look, launch, looking
from tests.support.ram import short_folder
from tests.support.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with short_folder() as folder:
        running = Stack(folder, "--speed", "60", flower=True)
        running.environment["MEDIAJOBS_WEBHOOK_ALLOW"] = "127.0.0.1"
        running.start(MEDIAJOBS_POLL_FIRST_S="0.3", MEDIAJOBS_POLL_MAX_S="1")
        yield running
        running.stop()


@pytest.fixture(scope="session")
def base(stack: Stack) -> str:
    return str(stack.services()["addresses"]["dashboard"])


# Of a module, not of the session: as long as Playwright lives, its event loop counts as running in this thread, and
# other tests of the process could call no asyncio.run().
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = launch(playwright)
        yield running
        running.close()


@pytest.fixture
def look(browser: Browser, base: str) -> Iterator[Look]:
    with looking(browser, base) as opened:
        yield opened
