"""The web application behind a real socket, in a thread of the test's process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from tests.support.stack import TIMEOUT_S, wait_until
from web.app import make_app
from worker.settings import Settings


@contextmanager
def serving(config: Settings) -> Iterator[httpx.Client]:
    """A client of the application, which runs as long as the block."""
    listener = socket.create_server((config.web_host, 0))
    options = uvicorn.Config(make_app(config), ws="none", log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(options)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, what="the server's start")
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=address, trust_env=False, timeout=TIMEOUT_S) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
