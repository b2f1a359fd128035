"""A whole `mediajobs up --sandbox` as a user has it, for tests."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psycopg

from models.session import make_engine
from tests.support.zygote import Forked
from worker.audit import against_ledger, audit
from worker.storage import Storage

MEDIAJOBS = str(Path(sys.executable).with_name("mediajobs"))
TIMEOUT_S = 90.0


def wait_until(true: Callable[[], object], *, what: str, timeout_s: float = TIMEOUT_S) -> Any:
    """Ask until the answer is true; AssertionError with `what` if it never is."""
    deadline = time.monotonic() + timeout_s
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.05)
    return answer


def run_forked(
    *args: str,
    environment: Mapping[str, str],
    folder: Path,
    input: str = "",  # noqa: A002 - as subprocess has it
) -> tuple[int, str, str]:
    """`mediajobs ARGS`, forked. Returns exit code, output and errors."""
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        given, said, errors = (Path(name) / each for each in ("in", "out", "err"))
        given.write_text(input)
        done = Forked([MEDIAJOBS, *args], environment, said, errors=errors, given=given, folder=folder)
        try:
            code = done.wait(TIMEOUT_S)
        finally:
            done.kill()
        return code, said.read_text(), errors.read_text()


class Stack:
    """A running `up` in a folder of its own."""

    def __init__(self, folder: Path, *flags: str, sandbox: bool = True, flower: bool = False) -> None:
        self.folder = folder
        self.flags = [*(["--sandbox"] if sandbox else []), *([] if flower else ["--no-flower"]), *flags]
        self.data_dir = folder / "d"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
        self.environment = {**clean, "MEDIAJOBS_DATA_DIR": str(self.data_dir), "COLUMNS": "80"}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "up.log"

    def start(self, **environment: str) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [MEDIAJOBS, "up", "--port", "0", *self.flags],
                env={**self.environment, **environment},
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self.ready, what=f"ready in {self.log.read_text()}")

    def ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return "ready\n" in self.log.read_text()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            left = [Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") for pid in self.pids()]
            said = "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in self.data_dir.glob("logs/*.log"))
            self.kill()
            raise AssertionError(f"did not stop; still there: {left}\n{self.log.read_text()}\n{said}") from None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def run(self, *args: str, code: int | None = 0, input: str = "") -> str:  # noqa: A002 - as subprocess has it
        """Run a command of the CLI that is to exit with `code` (None: with any); returns what it printed."""
        found, stdout, stderr = run_forked(*args, environment=self.environment, folder=self.folder, input=input)
        assert code in (None, found), f"{args} exited {found}:\n{stdout}\n{stderr}"
        return stdout if code == 0 else stdout + stderr

    def status(self, batch: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", batch, "--json"))
        return found

    def counts(self, batch: str) -> dict[str, int]:
        """State → jobs; {} while Postgres is away. Asked of the table: a command takes a second to start."""
        sql = "select state, count(*) from jobs j join batches b on b.id = j.batch_id where name = %s group by 1"
        try:
            with self.database() as conn:
                return dict(conn.execute(sql, [batch]).fetchall())
        except psycopg.OperationalError:
            return {}

    def wait_for(self, batch: str, state: str, count: int) -> None:
        wait_until(lambda: self.counts(batch).get(state, 0) >= count, what=f"{count} {state} in {batch}")

    def services(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data_dir / "services.json").read_text())
        return found

    @property
    def sandbox_url(self) -> str:
        return str(self.services()["addresses"]["sandbox"])

    def ledger(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"{self.sandbox_url}/_ledger", timeout=TIMEOUT_S).json()
        return found

    def audit(self) -> list[str]:
        """What is wrong with the record, in itself and beside the ledger; [] if nothing is."""
        engine = make_engine(self.services()["settings"]["database_url"], pool_size=1)
        with engine.connect() as conn:
            storage = Storage.open((self.data_dir / "outputs").as_uri())
            found = [*audit(conn, storage, ended=True), *against_ledger(conn, self.ledger())]
        engine.dispose()
        return found

    def play(self, *rules: dict[str, Any]) -> None:
        httpx.post(f"{self.sandbox_url}/_faults", json=list(rules), timeout=TIMEOUT_S).raise_for_status()

    @contextlib.contextmanager
    def database(self) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        url = self.services()["settings"]["database_url"].replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as conn:
            yield conn

    def pids(self, *words: str) -> list[int]:
        """Children of this `up` whose command line has all these words."""
        assert self.process is not None
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not entry.name.isdigit():
                    continue
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                if parent == self.process.pid and all(word in command for word in words):
                    found.append(int(entry.name))
        return found

    def manifest(self, batch: str) -> list[dict[str, Any]]:
        folder = self.folder / f"out-{batch}"
        self.run("export", batch, str(folder))
        lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
        for line in lines:
            for output in line["outputs"]:
                output["file"] = folder / output["path"]
        return lines
