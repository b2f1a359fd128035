"""Sources with recordings in them, and schedules on a real database, for tests."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from sandbox.tones import speak, wav
from worker import scheduling
from worker.storage import Storage
from worker.upkeep import intake, publish, schedules

#: Long ago enough to be settled.
AGE_S = 3600.0


def write(folder: Path, path: str, data: bytes, *, age_s: float = AGE_S) -> Path:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return aged(file, age_s)


def aged(file: Path, age_s: float) -> Path:
    """As if it had been written so long ago."""
    at = time.time() - age_s
    os.utime(file, (at, at))
    return file


def say(*words: str) -> bytes:
    return wav(speak(list(words)))


class Idle:
    """In place of a Keeper, where nothing is to be kept."""

    def go_on(self) -> None:
        """Always."""


@dataclass
class Scheduler:
    """Schedules of one database, ticked and run by hand in this process."""

    engine: Engine
    storage: Storage
    lease_s: float = 30.0
    stopping: bool = False

    def add(self, name: str, source: Path | str, **given: Any) -> None:
        """Every night at two in Berlin; due at once."""
        asked = {
            "cron": "0 2 * * *", "timezone": "Europe/Berlin", "patterns": ["**/*.wav"], "args": {}, "out": None,
            "catch_up": "once", "max_age_s": 3 * 86400, "overlap": "skip", "webhook": None, **given,
        }  # fmt: skip
        plan, _ = scheduling.plan(name=name, source=str(source), **asked)
        with Session(self.engine) as session:
            scheduling.add(session, plan)
            session.commit()

    def come(self) -> None:
        """The tick of all schedules is this minute, and then in a year."""
        with self.engine.begin() as conn:
            minute = conn.execute(text("select date_trunc('minute', now()) at time zone 'UTC'")).scalar_one()
            values = {"cron": f"{minute:%-M %-H %-d %-m} *", "at": minute.replace(tzinfo=UTC)}
            conn.execute(text("update schedules set cron = :cron, timezone = 'UTC', next_at = :at"), values)

    def ask(self, name: str) -> datetime:
        """As `schedule run NAME` does."""
        with Session(self.engine) as session:
            tick = scheduling.run_now(session, name)
            session.commit()
        return tick

    def tick(self) -> int:
        """Tick once, and do what is ready; returns how many runs that were."""
        ready = schedules.tick(self.engine, settle_s=0.0)
        for each in ready:
            self.take_in(each.schedule_id, each.tick)
        return len(ready)

    def take_in(self, schedule_id: int, tick: datetime) -> None:
        intake.take_in(
            self.engine, schedule_id, tick, worker="test", lease_s=self.lease_s, stopping=lambda: self.stopping
        )

    def publish(self) -> None:
        publish.publish(self.engine, self.storage, lease_s=self.lease_s, stopping=lambda: self.stopping)

    def run(self, name: str) -> dict[str, Any]:
        """Run it now; returns how it went."""
        tick = self.ask(name)
        self.tick()
        return next(each for each in self.show(name)["runs"] if each["tick"] == tick)

    def show(self, name: str) -> dict[str, Any]:
        with self.engine.connect() as conn:
            return scheduling.show(conn, name)

    def do(self, sql: str, **values: object) -> None:
        with self.engine.begin() as conn:
            conn.execute(text(sql), values)

    def rows(self, sql: str, **values: object) -> Any:
        with self.engine.connect() as conn:
            return conn.execute(text(sql), values).all()

    def keys(self, batch: str | None = None) -> list[str]:
        """The paths that became jobs (of a batch), in the order of their rows."""
        found = self.rows(
            "select key from jobs j join batches b on b.id = j.batch_id "
            "where parent_id is null and (cast(:batch as text) is null or b.name = :batch) order by j.batch_id, j.row",
            batch=batch,
        )
        return [row.key for row in found]

    def end_jobs(self, state: str = "succeeded", **texts: str) -> None:
        """End open jobs as a worker would, with a text (by key, or the key itself) and a subtitle file as outputs."""
        for row in self.rows("select id, key from jobs where finished_at is null"):
            said = texts.get(row.key, f"text of {row.key}").encode()
            self.output(row.id, 0, ".txt", said)
            self.output(row.id, 1, ".srt", b"1\n00:00:00,000 --> 00:00:01,000\n" + said)
        self.do(
            "update jobs set state = :state, finished_at = now(), fence = fence + 1 where finished_at is null",
            state=state,
        )

    def output(self, job_id: int, index: int, suffix: str, data: bytes) -> None:
        location = f"{job_id}-{index}{suffix}"
        local = self.storage.local_path(location)
        assert local is not None
        local.write_bytes(data)
        self.do(
            "insert into outputs (job_id, index, role, location, mime, bytes, sha256) "
            "values (:job, :index, :suffix, :location, 'text/plain', :bytes, encode(sha256(:data), 'hex')) "
            "on conflict (job_id, index) do update set bytes = excluded.bytes, sha256 = excluded.sha256",
            job=job_id, index=index, suffix=suffix, location=location, bytes=len(data), data=data,
        )  # fmt: skip
