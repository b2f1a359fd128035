"""How long pages take on a full table: python -m bench.pages, after python -m bench.fill.

Each page is asked for, one after the other, from a server of its own; times are of the whole answer.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx

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
}


@contextlib.contextmanager
def server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-m", "web"], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "MEDIAJOBS_WEB_PORT": "0"})  # fmt: skip
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


def measure(client: httpx.Client, path: str, times: int) -> list[float]:
    """Milliseconds, in order."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        client.get(path).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=40)
    asked = parser.parse_args()
    with server() as base, httpx.Client(base_url=base, timeout=60, trust_env=False) as client:
        largest = max(map(int, client.get("/batches").text.split('href="/batches/')[1].split('"')[:1]))
        for name, path in PAGES.items():
            took = measure(client, path.format(largest=largest), asked.times)
            p50, p95 = took[len(took) // 2], took[int(len(took) * 0.95)]
            print(f"{name:32} p50 {p50:7.1f} ms  p95 {p95:7.1f} ms", flush=True)


if __name__ == "__main__":
    main()
