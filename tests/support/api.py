"""The HTTP API as a test asks it, and the record behind it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from worker.keys import Role
from worker.kinds import KINDS
from worker.producer import Row, insert_rows, split

API = "/api/v1"


@dataclass
class Api:
    """The application with a key of each role, and a store of its own."""

    http: httpx.Client
    engine: Engine
    outputs: Path
    keys: dict[Role, str]

    def ask(self, method: str, path: str, role: Role = Role.ADMIN, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[role]}", **more.pop("headers", {})}
        return self.http.request(method, f"{API}{path}", headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        found = self.ask("GET", path, **more)
        assert found.status_code == 200, found.text
        return found.json()

    def post(self, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        found = self.ask("POST", path, json=body, **more)
        assert found.status_code == status, found.text
        return found.json()

    def enqueue(self, *prompts: str, batch: str | None = "boats", kind: str = "image", **fields: Any) -> list[int]:
        rows: list[Row] = []
        for number, prompt in enumerate(prompts, 1):
            found = KINDS[kind].check({"prompt": prompt, **fields}, Path.cwd())
            rows += split(found, KINDS[kind], number=number, order=number, own={"key": f"{prompt}-key"})
        ids: list[int] = []
        with Session(self.engine) as session:
            insert_rows(session, batch, kind, rows, job_ids=ids)
            session.commit()
        return ids

    def sql(self, statement: str, **values: Any) -> Any:
        with self.engine.begin() as conn:
            found = conn.execute(text(statement), values)
            return found.all() if found.returns_rows else None

    def end(self, job: int, state: str = "succeeded", code: str | None = None) -> None:
        self.sql(
            "update jobs set state = :state, finished_at = now(), error_code = :code, error_message = :code "
            "where id = :job",
            job=job, state=state, code=code,
        )  # fmt: skip

    def store(self, job: int, data: bytes, *, index: int = 0, role: str = "image", mime: str = "image/png") -> None:
        location = f"{job}-{index}.bin"
        self.outputs.mkdir(exist_ok=True)
        (self.outputs / location).write_bytes(data)
        self.sql(
            "insert into outputs (job_id, index, role, location, mime, bytes, sha256) "
            "values (:job, :index, :role, :location, :mime, :bytes, 'mark')",
            job=job, index=index, role=role, location=location, mime=mime, bytes=len(data),
        )  # fmt: skip

    def states(self) -> dict[int, str]:
        return {row.id: row.state for row in self.sql("select id, state from jobs")}
