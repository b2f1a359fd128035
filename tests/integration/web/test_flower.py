"""Flower lets in whom the dashboard lets in, and nobody else; what is done there is in the trail."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from sandbox.child import die_with_parent
from sandbox.valkey import free_port
from tests.support.stack import wait_until
from web.access import COOKIE
from web.flower import reader
from worker.keys import Role
from worker.producer import Row, insert_rows
from worker.settings import Settings

SHUTDOWN = "/api/worker/shutdown/nobody"


@contextmanager
def flower(config: Settings, folder: Path, *flags: str, **environment: str) -> Iterator[httpx.Client]:
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MEDIAJOBS_", "FLOWER_"))}
    known = {"MEDIAJOBS_DATABASE_URL": str(config.database_url), "MEDIAJOBS_BROKER_URL": str(config.broker_url)}
    with (folder / "flower.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "web.flower", f"--port={port}", *flags], env={**clean, **known, **environment},
            stdout=log, stderr=log, preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call
        )  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        try:
            wait_until(lambda: answers(client), what="Flower")
            yield client
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthcheck").is_success
    except httpx.TransportError:
        return False


def test_with_keys_it_takes_one_or_the_dashboards_login(
    config: Settings, tmp_path: Path, client: httpx.Client, held: dict[Role, str], engine: Engine
) -> None:
    with flower(config, tmp_path, "--address=127.0.0.1") as there:
        refused = there.get("/workers")
        assert (refused.status_code, "/login" in refused.text) == (401, True)
        assert refused.headers["WWW-Authenticate"].startswith("Basic ")
        assert there.get("/workers", auth=("x", "wrong")).status_code == 401
        for path in ("/", "/tasks", "/broker", "/metrics", "/api/tasks"):
            assert there.get(path).status_code == 401, path
            assert there.get(path, auth=("x", held[Role.VIEWER])).status_code == 200, path
        assert there.get("/tasks", headers={"Authorization": f"Bearer {held[Role.VIEWER]}"}).status_code == 200

        client.post("/login", data={"key": held[Role.OPERATOR]})
        session = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        assert there.get("/workers", headers=session).status_code == 200
        assert there.post(SHUTDOWN, headers=session).status_code == 403
        client.post("/logout")
        assert there.get("/workers", headers=session).status_code == 401

        admin = ("x", held[Role.ADMIN])
        strange = {"Sec-Fetch-Site": "cross-site"}
        assert there.post(SHUTDOWN, auth=admin, headers=strange).status_code == 403
        assert there.post(SHUTDOWN, auth=admin).status_code == 404  # Flower's own: it knows no such worker
    with engine.connect() as conn:
        found = conn.execute(text("select who, via, subject from audit where action = 'Flower'")).all()
    assert [tuple(row) for row in found] == [("admin", "Flower", "worker/shutdown/nobody")]


def test_without_keys_it_takes_the_login_that_it_was_started_with(
    config: Settings, tmp_path: Path, engine: Engine
) -> None:
    with flower(config, tmp_path, "--address=127.0.0.1", FLOWER_BASIC_AUTH="mediajobs:pass") as there:
        assert there.get("/workers").status_code == 401
        assert there.post(SHUTDOWN).status_code == 401
        assert there.get("/workers", auth=("mediajobs", "wrong")).status_code == 401
        login = ("mediajobs", "pass")
        assert there.get("/workers", auth=login).status_code == 200
        assert there.get("/workers", auth=login, headers={"Host": "evil.example"}).status_code == 421
        assert there.post(SHUTDOWN, auth=login).status_code == 404
    with engine.connect() as conn:
        assert conn.execute(text("select who from audit where action = 'Flower'")).scalar_one() == "mediajobs"


KWARGS = {
    "one job": ("{{'job_ids': [{0}], 'kind': 'image', 'model': 'm'}}", "job {0} of batch {1} b: image by m"),
    "several": ("{{'job_ids': [{0}, 18], 'kind': 'image', 'model': 'm'}}", "jobs {0}, 18 of batch {1} b: image by m"),
    "too many to be told": (
        "{{'job_ids': [{0}, 18, ...], 'kind': 'video', 'model': 'm'}}", "jobs {0}, 18, ... of batch {1} b: video by m"
    ),
    "of no batch": ("{{'job_ids': [0], 'kind': 'image', 'model': 'm'}}", "job 0: image by m"),
    "a tick": ("{{}}", "()"),
    "a schedule's run": (
        "{{'schedule_id': 3, 'tick': '2026-11-26T02:00:00+00:00', 'schedule': 'talks'}}",
        "schedule talks, its run of 2026-11-26T02:00:00+00:00",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kwargs", "shown"), KWARGS.values(), ids=KWARGS)
def test_arguments_name_jobs_and_their_batch(kwargs: str, shown: str, engine: Engine) -> None:
    with Session(engine) as session:
        rows = [Row(row=1, args={"model": "cogview-4-250304", "prompt": "a fox"})]
        job_ids: list[int] = []
        batch = insert_rows(session, "b", "image", rows, job_ids=job_ids).batch_id
        session.commit()
    task = SimpleNamespace(args="()", kwargs=kwargs.format(*job_ids))
    assert reader(engine)(task).args == shown.format(*job_ids, batch)


def test_a_message_without_arguments_is_left_as_it_is(engine: Engine) -> None:
    assert reader(engine)(SimpleNamespace(args=None, kwargs=None)).args is None
