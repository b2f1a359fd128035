"""How long pages and lists take on a full table: python -m bench.pages, after python -m bench.fill.

Each is asked for, one after the other, from a server of its own; times are of the whole answer. Then what
open dashboards cost that server and Postgres: one, fifty, and again, while numbers change twice a second.
"""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
from sqlalchemy import Engine, text

from models.session import make_engine
from worker.settings import settings

PAGES = {
    "now": "/",
    "batches": "/batches",
    "batches, by name": "/batches?name=17",
    "batch, small": "/batches/2",
    "batch, the largest": "/batches/{largest}",
    "gallery of the largest": "/batches/{largest}/wall",
    "gallery, a part": "/batches/{largest}/wall/part?row=8000000&job=8000000",
    "jobs": "/jobs",
    "jobs, older": "/jobs?before=5000000",
    "jobs, queued": "/jobs?state=queued",
    "jobs, failed": "/jobs?state=failed",
    "jobs, waiting": "/jobs?state=waiting",
    "jobs, succeeded": "/jobs?state=succeeded",
    "jobs of a batch": "/jobs?batch=5",
    "jobs of the largest, failed": "/jobs?batch={largest}&state=failed",
    "jobs of a batch by code": "/jobs?batch={largest}&state=failed&code=1301",
    "jobs of a kind": "/jobs?kind=video",
    "jobs of a model that has none": "/jobs?model=cogview-3-flash",
    "jobs by key": "/jobs?q=row-123456",
    "jobs by a word": "/jobs?q=trams",
    "jobs by a word of none": "/jobs?q=zeppelin",
    "jobs since a time": "/jobs?since=2026-11-01T00:00&state=failed",
    "job": "/jobs/5000001",
    "costs, 90 days": "/costs?days=90",
    "audit": "/audit",
    "submit": "/submit",
    "schedules": "/schedules",
    "webhooks": "/webhooks",
    "metrics": "/metrics",
    "api: status": "/api/v1/status",
    "api: batches": "/api/v1/batches",
    "api: batch, the largest": "/api/v1/batches/{largest}",
    "api: jobs": "/api/v1/jobs",
    "api: jobs, a page later": "/api/v1/jobs?before=5000000&limit=100",
    "api: jobs, failed": "/api/v1/jobs?state=failed",
    "api: jobs of the largest, failed": "/api/v1/jobs?batch={largest}&state=failed",
    "api: jobs of a kind": "/api/v1/jobs?kind=video",
    "api: jobs of a model that has none": "/api/v1/jobs?model=cogview-3-flash",
    "api: jobs by a word": "/api/v1/jobs?search=trams",
    "api: jobs by a word of none": "/api/v1/jobs?search=zeppelin",
    "api: job": "/api/v1/jobs/5000001",
    "api: limits": "/api/v1/limits",
    "api: costs": "/api/v1/costs",
    "api: messages": "/api/v1/messages",
    "api: audit": "/api/v1/audit",
}
DASHBOARDS = (1, 50)
WATCHED_S = 20.0
WARM_UP = 10
TICK = os.sysconf("SC_CLK_TCK")
CHANGE = text("update limits set learned = :learned where model = 'glm-image'")
READS = text("select xact_commit from pg_stat_database where datname = current_database()")


@dataclass(frozen=True)
class Server:
    url: str
    pid: int

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK


class Look(NamedTuple):
    """What the server has used up by now, and when that is."""

    cpu_s: float
    commits: int
    at: float


@contextlib.contextmanager
def server() -> Iterator[Server]:
    process = subprocess.Popen([sys.executable, "-m", "web"], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "MEDIAJOBS_WEB_PORT": "0"})  # fmt: skip
    try:
        assert process.stdout is not None
        yield Server(process.stdout.readline().split()[-1], process.pid)
    finally:
        process.terminate()
        process.wait()


def measure(client: httpx.Client, path: str, times: int) -> list[float]:
    """Milliseconds, in order, of a server that has its connections, plans and templates."""
    for _ in range(WARM_UP):
        client.get(path).raise_for_status()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        client.get(path).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)


async def dashboards(url: str, count: int, for_s: float, look: Callable[[], Look]) -> tuple[int, Look, Look]:
    """So many open the page *Now* and follow it: the events of all in so many seconds, and a look before and after.

    The time begins when each of them has the page: how it is opened is measured as any other page is.
    """
    counted, opened = 0, 0
    all_open = asyncio.Event()

    async def follow(client: httpx.AsyncClient) -> None:
        nonlocal counted, opened
        async with client.stream("GET", "/live/now") as response:
            response.raise_for_status()
            first = True
            async for line in response.aiter_lines():
                counted += line == ""
                if first and line.startswith("data:"):
                    first, opened = False, opened + 1
                    if opened == count:
                        all_open.set()

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=None, trust_env=False, limits=limits) as client:
        tasks = [asyncio.create_task(follow(client)) for _ in range(count)]
        await all_open.wait()
        before, counted = look(), 0
        await asyncio.sleep(for_s)
        after, events = look(), counted
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return events, before, after


def followed(served: Server, engine: Engine, count: int) -> str:
    """What so many dashboards cost, a second."""
    over = threading.Event()

    def change() -> None:
        number = 0
        while not over.wait(0.5):
            number += 1
            with engine.begin() as conn:
                conn.execute(CHANGE, {"learned": 2 + number % 3})

    def look() -> Look:
        with engine.connect() as conn:
            return Look(served.cpu_s(), int(conn.execute(READS).scalar_one()), time.monotonic())

    changing = threading.Thread(target=change)
    changing.start()
    events, before, after = asyncio.run(dashboards(served.url, count, WATCHED_S, look))
    over.set()
    changing.join()
    took, cpu = after.at - before.at, after.cpu_s - before.cpu_s
    commits = after.commits - before.commits
    return (
        f"{count:3} dashboards: {cpu / took * 1000:6.1f} ms CPU of the server, {commits / took:5.1f} transactions, "
        f"a second; {events / count / took:.2f} events a second each"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=40)
    asked = parser.parse_args()
    engine = make_engine(settings().require_database_url(), name="mediajobs-bench")
    with engine.connect() as conn:
        jobs = conn.execute(text("select count(*) from jobs")).scalar_one()
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {jobs:,} jobs, {asked.times} times each", ""]
    with server() as served, httpx.Client(base_url=served.url, timeout=60, trust_env=False) as client:
        largest = max(map(int, client.get("/batches").text.split('href="/batches/')[1].split('"')[:1]))
        for name, path in PAGES.items():
            took = measure(client, path.format(largest=largest), asked.times)
            p50, p95 = took[len(took) // 2], took[int(len(took) * 0.95)]
            lines.append(f"{name:36} p50 {p50:7.1f} ms  p95 {p95:7.1f} ms")
            print(lines[-1], flush=True)
        lines.append("")
        for count in DASHBOARDS * 2:
            lines.append(followed(served, engine, count))
            print(lines[-1], flush=True)
    engine.dispose()
    folder = Path(__file__).parent / "results"
    (folder / f"pages-{datetime.now(UTC):%Y-%m-%d}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
