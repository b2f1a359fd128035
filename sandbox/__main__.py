"""`python -m sandbox`: the stand-in as a server."""

import argparse
import socket
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.app import Config, Sandbox, make_app, transport
from sandbox.faults import Faults
from sandbox.world import World


class Protocol(HttpToolsProtocol):
    """Lets a handler cut its own connection."""

    def data_received(self, data: bytes) -> None:
        transport.set(self.transport)
        super().data_received(data)


def limit(text: str) -> tuple[str, int]:
    model, _, number = text.partition("=")
    return model, int(number)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A stand-in for Z.AI and its proxy.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8099, help="0: a free one")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than the real API")
    parser.add_argument("--latency", type=float, help="seconds that each call takes, in place of the believed times")
    parser.add_argument("--state", type=Path, help="file in which tasks and ledger outlive a restart")
    parser.add_argument("--wrapper", choices=("data", "result", "bare"), default="data")
    parser.add_argument("--formats", choices=("new", "old", "both"), default="both")
    parser.add_argument("--slot-scope", choices=("task", "http"), default="task")
    parser.add_argument("--token", default="at_sandbox")
    parser.add_argument("--limit", type=limit, action="append", default=[], metavar="MODEL=N")
    parser.add_argument("--file-ttl", type=float, default=86400.0, help="seconds that result URLs live, scaled")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()

    world = World(speed=given.speed, latency=given.latency, seed=given.seed, slot_scope=given.slot_scope,
                  state=given.state)  # fmt: skip
    world.limits.update(dict(given.limit))
    config = Config(token=given.token, wrapper=given.wrapper, formats=given.formats, file_ttl_s=given.file_ttl)
    app = make_app(Sandbox(world, config, Faults(given.seed)))
    listener = socket.create_server((given.host, given.port), backlog=1024)
    # asyncio does this for sockets that it makes; without it every answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(f"sandbox listening on http://{given.host}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    options: dict[str, Any] = {"access_log": False, "log_level": "warning", "timeout_keep_alive": 30}
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, ws="none", lifespan="off", **options))
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
