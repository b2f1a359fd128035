"""The other side: the same work as a plain Celery task, written as its users would. No record of the job."""

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import httpx
from celery import Celery
from sqlalchemy import create_engine, text

app = Celery("plain", broker=os.environ["BENCH_BROKER"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4)
engine = create_engine(os.environ["BENCH_DATABASE"], pool_size=64)
local = threading.local()


def client() -> httpx.Client:
    """One a thread: a shared one costs more CPU the more threads there are."""
    if not hasattr(local, "client"):
        local.client = httpx.Client(timeout=60)
    found: httpx.Client = local.client
    return found


def post(prompt: str) -> dict[str, Any]:
    body = {"model": os.environ["BENCH_MODEL"], "prompt": prompt}
    answer = client().post(os.environ["BENCH_URL"], json=body).raise_for_status().json()
    found: dict[str, Any] = answer["data"]
    return found


def insert(prompt: str, answer: str) -> None:
    with engine.begin() as conn:
        conn.execute(text("insert into plain (prompt, answer) values (:p, :a)"), {"p": prompt, "a": answer})


@app.task(name="plain.image")  # type: ignore[untyped-decorator]
def image(prompt: str) -> None:
    """POST, one insert."""
    insert(prompt, str(post(prompt)["data"][0].get("url", "base64")))


@app.task(name="plain.image_and_file")  # type: ignore[untyped-decorator]
def image_and_file(prompt: str, number: int) -> None:
    """POST, download, hash, file, one insert: what a job of ours does."""
    url = post(prompt)["data"][0]["url"]
    data = client().get(url).raise_for_status().content
    Path(os.environ["BENCH_FOLDER"], f"{number}.png").write_bytes(data)
    insert(prompt, hashlib.sha256(data).hexdigest())
