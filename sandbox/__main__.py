"""`python -m sandbox`: the stand-in as a server."""

import argparse
import socket
from pathlib import Path
from typing import Any

import uvicorn

from sandbox.app import make_app
from sandbox.config import CHOICES, Config
from sandbox.rules import Faults
from sandbox.wire import Protocol
from sandbox.world import World

#: How long a stop waits for calls under way; hanging ones never end.
STOP_TIMEOUT_S = 5


def limit(text: str) -> tuple[str, int]:
    model, _, number = text.partition("=")
    return model, int(number)


def latency_of(text: str) -> tuple[str, float]:
    model, _, seconds = text.partition("=")
    return model, float(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A stand-in for Z.AI and its proxy.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8099, help="0: a free one")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than the real API")
    parser.add_argument("--latency", type=float, help="seconds that each call takes, in place of the believed times")
    parser.add_argument("--latency-of", type=latency_of, action="append", default=[], metavar="MODEL=SECONDS")
    parser.add_argument("--state", type=Path, help="file in which tasks and ledger outlive a restart")
    parser.add_argument("--wrapper", choices=CHOICES["wrapper"], default="data")
    parser.add_argument("--formats", choices=CHOICES["formats"], default="both")
    parser.add_argument("--slot-scope", choices=CHOICES["slot_scope"], default="task")
    parser.add_argument("--duplicates", choices=CHOICES["duplicates"], default="ignore")
    parser.add_argument("--token", default="at_sandbox")
    parser.add_argument("--limit", type=limit, action="append", default=[], metavar="MODEL=N")
    parser.add_argument("--file-ttl", type=float, default=86400.0, help="seconds that result URLs live, scaled")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()

    config = Config(
        wrapper=given.wrapper,
        formats=given.formats,
        slot_scope=given.slot_scope,
        duplicates=given.duplicates,
        speed=given.speed,
        latency=given.latency,
        times=dict(given.latency_of),
        file_ttl_s=given.file_ttl,
    )
    world = World(config, tokens=[given.token], limits=dict(given.limit), seed=given.seed, state=given.state)
    app = make_app(world, Faults(given.seed))
    listener = socket.create_server((given.host, given.port), backlog=1024)
    # asyncio does this for sockets that it makes; without it every answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"sandbox listening on http://{given.host}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    options: dict[str, Any] = {"access_log": False, "log_level": "warning", "timeout_keep_alive": 30}
    options["timeout_graceful_shutdown"] = STOP_TIMEOUT_S
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, ws="none", lifespan="off", **options))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
