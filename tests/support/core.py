"""A database, a stand-in and the stages of one process, for tests of what becomes of jobs."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from sandbox.process import SandboxProcess
from tests.support.zygote import Forked
from worker.actions import Selection, resolve, retry
from worker.audit import against_ledger, audit
from worker.fields import OWN
from worker.kinds import KINDS
from worker.producer import Row, insert_rows, split
from worker.reasons import waiting_for
from worker.storage import Storage

TIMEOUT_S = 60.0
#: Short, so that what is killed is taken back soon; still many times what a heartbeat needs.
QUICK = {
    "MEDIAJOBS_LEASE_S": "1.5",
    "MEDIAJOBS_HINT_LEASE_S": "1",
    "MEDIAJOBS_POLL_FIRST_S": "0.2",
    "MEDIAJOBS_POLL_MAX_S": "0.5",
    "MEDIAJOBS_PROBE_S": "0.5",
    "MEDIAJOBS_MAX_GONE": "4",
}


@dataclass
class Core:
    """Enqueue, `work` until all has ended, and look at what became of it."""

    engine: Engine
    url: str
    stand_in: SandboxProcess
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def enqueue(self, kind: str, *inputs: dict[str, Any], batch: str = "b") -> list[int]:
        """Each input has its key in its prompt too, so that the ledger knows whose it is."""
        rows: list[Row] = []
        for number, given in enumerate(inputs, 1):
            key = given.get("key") or f"{kind}-{batch}-{number}"
            one = KINDS[given.get("kind", kind)]
            own = {name: parse(given[name]) for name, parse in OWN.items() if name in given}
            rest = {name: value for name, value in given.items() if name not in OWN}
            if "prompt" in rest and one.name != "transcription":
                rest["prompt"] = f"{rest['prompt']} [[key:{key}]]"
            found = one.check(rest, self.folder)
            rows += split(found, one, number=number, order=number, own={**own, "key": key})
        ids: list[int] = []
        with Session(self.engine) as session:
            insert_rows(session, batch, kind, rows, job_ids=ids)
            session.commit()
        return ids

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a process that works on this core."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
        known = {
            "MEDIAJOBS_DATABASE_URL": self.url,
            "MEDIAJOBS_API_BASE_URL": self.stand_in.proxy_base_url,
            "MEDIAJOBS_API_TOKEN": self.stand_in.token,
            "MEDIAJOBS_OUTPUTS_URL": (self.folder / "outputs").as_uri(),
        }
        return {**clean, **QUICK, **known, **self.environment}

    def start(self, module: str = "tests.support.runner", **environment: str) -> Forked:
        return Forked([module], {**self.settings, **environment}, self.folder / "runner.log")

    def work(self, *, timeout_s: float = TIMEOUT_S, **environment: str) -> int:
        """Run the stages until every job has ended or is held; returns the exit code."""
        process = self.start(**environment)
        try:
            return process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"jobs did not end: {self.states()}\n{self.log()}") from None
        finally:
            process.kill()
            process.wait()

    def log(self) -> str:
        return (self.folder / "runner.log").read_text()[-4000:]

    def rows(self, sql: str, **values: object) -> Sequence[Any]:
        with self.engine.connect() as conn:
            return conn.execute(text(sql), values).all()

    def states(self) -> dict[str, str]:
        """Key → state."""
        return {
            row.key: row.state for row in self.rows("select key, state from jobs where parent_id is null order by id")
        }

    def resolve_held(self) -> int:
        """As an operator who wants all of them: once more. Returns how many."""
        with Session(self.engine) as session:
            held = [row.id for row in session.execute(text("select id from jobs where state = 'held'"))]
            resolve(session, held, "retry")
            session.commit()
        return len(held)

    def retry_failed(self) -> None:
        with Session(self.engine) as session:
            retry(session, Selection(state="failed"))
            session.commit()

    def reasons(self) -> str:
        """What the queued wait for."""
        with self.engine.connect() as conn:
            return " | ".join(waiting_for(conn, None))

    def audit(self, api: SandboxProcess | None = None) -> list[str]:
        """What is wrong with the record, in itself and beside the ledger (of `api`); [] if nothing is."""
        with self.engine.connect() as conn:
            storage = Storage.open((self.folder / "outputs").as_uri())
            return [*audit(conn, storage, ended=True), *against_ledger(conn, (api or self.stand_in).ledger())]
