"""CPU and rate of mediajobs beside plain Celery, and how full it keeps the provider's slots.

    .venv/bin/python -m bench.overhead [--quick]

Everything runs on this machine, on the sandbox, and is ended by the script. CPU is that of the
worker processes alone; the two sides alternate, and the ratio is what counts.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx
from httpx_aiohttp import AiohttpTransport
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from models import slots
from models.migrate import upgrade
from models.session import make_engine
from sandbox import process
from sandbox.child import die_with_parent
from sandbox.postgres import EmbeddedPostgres
from sandbox.valkey import EmbeddedValkey
from worker.producer import Row, insert_rows

MODEL = "cogview-4-250304"
SLOTS = 64
#: A look counts rows, on the same cores that are measured.
LOOKS_EVERY_S = 0.1
TICK = os.sysconf("SC_CLK_TCK")
WORKER = [sys.executable, "-m", "celery", "-A"]
THREADS = ["worker", "-P", "threads", "-l", "warning", "--without-gossip", "--without-mingle"]


@dataclass(frozen=True)
class Figure:
    """One run. `cpu_ms`: of the workers, for each job."""

    rate: float
    cpu_ms: float


def cpu_s(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


class Bench:
    """The parts that both sides share, and each side's workers."""

    def __init__(self, folder: Path, latency: str) -> None:
        self.folder = folder
        self.postgres = EmbeddedPostgres(folder)
        self.postgres.start()
        self.valkey = EmbeddedValkey(folder)
        self.valkey.start()
        self.sandbox = process.start("--latency", latency, "--limit", f"{MODEL}=1000")
        upgrade(self.postgres.url)
        self.engine: Engine = make_engine(self.postgres.url)
        with self.engine.begin() as conn:
            at = "at timestamptz default clock_timestamp()"
            conn.execute(text(f"create table plain (id bigserial primary key, prompt text, answer text, {at})"))
        self.environment = {
            **os.environ,
            "MEDIAJOBS_DATABASE_URL": self.postgres.url,
            "MEDIAJOBS_BROKER_URL": self.valkey.url,
            "MEDIAJOBS_API_BASE_URL": self.sandbox.proxy_base_url,
            "MEDIAJOBS_API_TOKEN": self.sandbox.token,
            "MEDIAJOBS_OUTPUTS_URL": (folder / "outputs").as_uri(),
            "BENCH_DATABASE": self.postgres.url,
            "BENCH_BROKER": self.valkey.url.removesuffix("/0") + "/1",
            "BENCH_URL": f"{self.sandbox.proxy_base_url}/api/paas/v4/generate/image?api_token={self.sandbox.token}",
            "BENCH_MODEL": MODEL,
            "BENCH_FOLDER": str(folder),
        }
        os.environ.update(self.environment)

    def answer_after(self, latency_s: float) -> None:
        """The same API, slower."""
        port = int(self.sandbox.url.rpartition(":")[2])
        self.sandbox.stop()
        self.sandbox = process.start("--latency", str(latency_s), "--limit", f"{MODEL}=1000", port=port)

    def close(self) -> None:
        self.engine.dispose()
        self.sandbox.stop()
        self.valkey.stop()
        self.postgres.stop()

    @contextlib.contextmanager
    def workers(self, *commands: list[str]) -> Iterator[list[int]]:
        with (self.folder / "workers.log").open("ab") as log:
            running = [
                subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, preexec_fn=die_with_parent())  # noqa: PLW1509
                for command in commands
            ]
        try:
            yield [each.pid for each in running]
        finally:
            for each in running:
                each.terminate()
            for each in running:
                try:
                    each.wait(20)
                except subprocess.TimeoutExpired:  # beat, while it sends
                    each.kill()
                    each.wait()

    def count(self, sql: str) -> int:
        with self.engine.connect() as conn:
            return int(conn.execute(text(sql)).scalar_one())

    def wait(self, sql: str, wanted: int) -> None:
        deadline = time.monotonic() + 180
        while self.count(sql) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.count(sql)} of {wanted}; see {self.folder}/workers.log")
            time.sleep(LOOKS_EVERY_S)

    def ours(self, jobs: int, slot_count: int = SLOTS) -> Figure:
        """Enqueue, run, download, store, settle."""
        celery = [*WORKER, "worker.app"]
        commands = [
            [*celery, *THREADS, "-Q", "run", "-c", str(slot_count), "-n", "run@%h"],
            [*celery, *THREADS, "-Q", "store", "-c", "16", "-n", "store@%h"],
            [*celery, *THREADS, "-Q", "poll,upkeep", "-c", "8", "-n", "upkeep@%h"],
            [*celery, "beat", "-l", "warning"],
        ]
        done = "select count(*) from jobs where state = 'succeeded'"
        with self.engine.begin() as conn:
            conn.execute(text("truncate jobs, batches, limits cascade"))
            slots.add_limit(conn, MODEL, concurrency=slot_count, slot_scope="answer")
        with self.workers(*commands) as pids:
            self.enqueue(200)
            self.wait(done, 200)
            before, began = cpu_s(pids), time.monotonic()
            self.enqueue(jobs)
            self.wait(done, 200 + jobs)
            return Figure(jobs / (time.monotonic() - began), (cpu_s(pids) - before) * 1000 / jobs)

    def enqueue(self, jobs: int) -> None:
        with Session(self.engine) as session:
            rows = (Row(args={"model": MODEL, "prompt": f"picture {number}"}) for number in range(jobs))
            insert_rows(session, None, "image", rows)
            session.commit()

    def plain(self, jobs: int, task: str, threads: int = 32) -> Figure:
        from bench import plain  # noqa: PLC0415 - reads the environment made above

        with self.engine.begin() as conn:
            conn.execute(text("truncate plain"))
        done = "select count(*) from plain"

        def send(count: int) -> None:
            for number in range(count):
                args = [f"picture {number}", number] if task.endswith("file") else [f"picture {number}"]
                plain.app.send_task(task, args)

        with self.workers([*WORKER, "bench.plain", *THREADS, "-c", str(threads), "-n", "plain@%h"]) as pids:
            send(200)
            self.wait(done, 200)
            before, began = cpu_s(pids), time.monotonic()
            send(jobs)
            self.wait(done, 200 + jobs)
            return Figure(jobs / (time.monotonic() - began), (cpu_s(pids) - before) * 1000 / jobs)

    def bare(self, jobs: int, slot_count: int) -> list[float]:
        """When each call of a client ended that does nothing else: what the API and this machine allow."""

        async def calls() -> list[float]:
            async with httpx.AsyncClient(transport=AiohttpTransport(), timeout=60) as client:
                left = iter(range(jobs))
                ends: list[float] = []

                async def slot() -> None:
                    for number in left:
                        body = {"model": MODEL, "prompt": f"picture {number}"}
                        (await client.post(self.environment["BENCH_URL"], json=body)).raise_for_status()
                        ends.append(time.monotonic())

                await asyncio.gather(*(slot() for _ in range(slot_count)))
                return ends

        return asyncio.run(calls())

    def ends(self, column: str, table: str) -> list[float]:
        """When each call was over, but for those that warmed up."""
        with self.engine.connect() as conn:
            rows = conn.execute(text(f"select extract(epoch from {column}) from {table} order by {column} offset 200"))
            return [float(row[0]) for row in rows]


def slot_use(ends: list[float], slot_count: int, latency_s: float) -> float:
    """The share of the slots' time that was used, over the middle half of a run."""
    quarter = len(ends) // 4
    middle = ends[quarter : 3 * quarter]
    return (len(middle) - 1) / (middle[-1] - middle[0]) / (slot_count / latency_s)


def table(rows: dict[str, list[Figure]]) -> str:
    lines = [f"{'':44} {'jobs/s':>8} {'CPU ms a job':>13}  each run"]
    for name, figures in rows.items():
        each = ", ".join(f"{figure.cpu_ms:.2f}" for figure in figures)
        rate, cpu = (statistics.median(values) for values in zip(*((f.rate, f.cpu_ms) for f in figures), strict=True))
        lines.append(f"{name:44} {rate:8.0f} {cpu:13.2f}  {each}")
    return "\n".join(lines)


def measure(*, jobs: int, rounds: int) -> str:
    names = ("mediajobs, with download and record", "plain Celery: POST, one insert",
             "plain Celery: POST, download, file, insert")  # fmt: skip
    found: dict[str, list[Figure]] = {name: [] for name in names}
    uses: dict[str, list[float]] = {
        name: [] for name in ("mediajobs", "plain Celery, 50 threads, file too", "a bare client: POST alone, no record")
    }
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        bench = Bench(Path(name), "0")
        try:
            for _ in range(rounds):
                found[names[0]].append(bench.ours(jobs))
                found[names[1]].append(bench.plain(jobs, "plain.image"))
                found[names[2]].append(bench.plain(jobs, "plain.image_and_file"))
            bench.answer_after(0.5)
            for _ in range(rounds):
                bench.ours(jobs, 50)
                bench.plain(jobs, "plain.image_and_file", threads=50)
                ends = (bench.ends("answered_at", "jobs"), bench.ends("at", "plain"), bench.bare(jobs, 50))
                for each, at in zip(uses.values(), ends, strict=True):
                    each.append(slot_use(at, 50, 0.5))
        finally:
            bench.close()
    of_bare = statistics.median(
        ours / bare for ours, bare in zip(uses["mediajobs"], uses["a bare client: POST alone, no record"], strict=True)
    )
    medians = [statistics.median(figure.cpu_ms for figure in figures) for figures in found.values()]
    return "\n".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
            + ", ".join(f"{each} {version(each)}" for each in ("celery", "httpx", "psycopg", "sqlalchemy")),
            f"{jobs} jobs a run, {rounds} alternating rounds, API at zero latency, {SLOTS} slots; medians",
            f"load average {load:.1f} before, {os.getloadavg()[0]:.1f} after: above 1 before, others were at work here",
            "",
            table(found),
            "",
            f"CPU, mediajobs / plain Celery (POST, one insert):      {medians[0] / medians[1]:.2f}  (to reach: 1.0)",
            f"CPU, mediajobs / plain Celery (download and file too): {medians[0] / medians[2]:.2f}",
            "",
            f"slot use at 0.5 s latency, 50 slots, {rounds} rounds, the middle half of each  (to reach: 95 %)",
            *(
                f"{name:44} {statistics.median(each):6.1%}  each run " + ", ".join(f"{use:.1%}" for use in each)
                for name, each in uses.items()
            ),
            f"of what a bare client reaches on this machine: {of_bare:.1%}",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead of mediajobs beside plain Celery.")
    parser.add_argument("--quick", action="store_true", help="one short round; nothing is kept")
    quick = parser.parse_args().quick
    report = measure(jobs=600 if quick else 3000, rounds=1 if quick else 3)
    print(report)
    if not quick:
        folder = Path(__file__).parent / "results"
        (folder / f"overhead-{datetime.now(UTC):%Y-%m-%d}.txt").write_text(report + "\n")


if __name__ == "__main__":
    main()
