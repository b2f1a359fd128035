"""`mediajobs web`."""

import os
import sys

import click

from cli.options import data_dir_option
from worker.settings import settings


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0: any.  [default: 8080]")
@data_dir_option
def web(*, host: str | None, port: int | None) -> None:
    """Serve dashboard and HTTP API, until SIGTERM or Ctrl-C.

    `mediajobs up` does so already; this is for servers of their own.
    """
    for name, value in (("HOST", host), ("PORT", port)):
        if value is not None:
            os.environ[f"MEDIAJOBS_WEB_{name}"] = str(value)
    settings().require_database_url()
    os.execv(sys.executable, [sys.executable, "-m", "web"])  # noqa: S606 - no shell is wanted
