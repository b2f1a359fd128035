"""The web application as a process: where it listens, and where it refuses to."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sandbox.child import die_with_parent
from tests.support.stack import MEDIAJOBS, run_forked

KEY = "a-key-that-people-choose-themselves"


def environment(database_url: str, **more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
    return {**clean, "MEDIAJOBS_DATABASE_URL": database_url, **more}


@contextmanager
def started(database_url: str, *flags: str, **more: str) -> Iterator[str]:
    """Its address, as it says it itself."""
    process = subprocess.Popen(
        [MEDIAJOBS, "web", "--port", "0", *flags],
        env=environment(database_url, **more),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call
    )
    assert process.stdout
    try:
        said = process.stdout.readline()
        assert said.startswith("dashboard: "), said
        yield said.split()[1]
    finally:
        process.terminate()
        assert process.wait(timeout=30) in (0, -15)
        process.stdout.close()


def test_it_serves_and_stops(database_url: str) -> None:
    with started(database_url) as url:
        assert httpx.get(f"{url}/healthz", timeout=60).json() == {"status": "ok"}


REFUSED = {
    "another address without a key": ({"MEDIAJOBS_WEB_HOST": "0.0.0.0"}, 2, "without a key"),
    "a key that is too short": ({"MEDIAJOBS_WEB_KEY": "short"}, 2, "is too short"),
    "a database that is away": ({"MEDIAJOBS_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, 3, "cannot use the database"),
    "an address that is not here": ({"MEDIAJOBS_WEB_HOST": "203.0.113.1", "MEDIAJOBS_WEB_KEY": KEY}, 2,
                                    "cannot listen on 203.0.113.1"),
}  # fmt: skip


@pytest.mark.parametrize(("more", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(database_url: str, more: dict[str, str], code: int, said: str) -> None:
    done = subprocess.run(
        [MEDIAJOBS, "web", "--port", "0"], env=environment(database_url, **more),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert KEY not in done.stderr


def test_a_port_that_is_taken_is_told(database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [MEDIAJOBS, "web", "--port", port], env=environment(database_url),
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"port {port}: Address already in use" in done.stderr


def test_the_key_of_the_settings_opens_any_address_and_ends_with_the_setting(database_url: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    with started(database_url, "--host", "0.0.0.0", MEDIAJOBS_WEB_KEY=KEY) as url:
        here = url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(here, timeout=60).status_code == 303
        assert httpx.get(here, headers=headers, timeout=60).status_code == 200
    with started(database_url, MEDIAJOBS_WEB_KEY=f"{KEY}-2") as url:
        assert httpx.get(url, headers=headers, timeout=60).status_code == 401
        assert httpx.get(url, headers={"Authorization": f"Bearer {KEY}-2"}, timeout=60).status_code == 200
    with started(database_url) as url:
        assert httpx.get(url, timeout=60).status_code == 200, "no key is left"


def test_keys_are_made_listed_and_removed(database_url: str, tmp_path: Path) -> None:
    def run(*args: str, code: int = 0) -> str:
        found, stdout, stderr = run_forked(*args, environment=environment(database_url), folder=tmp_path)
        assert found == code, stderr
        return stdout if code == 0 else stderr

    assert "no key" in run("keys", "list")
    key = run("keys", "add", "anna", "--role", "operator").strip()
    assert key.startswith("mj_")
    assert "anna' already" in run("keys", "add", "anna", code=2)
    assert "MEDIAJOBS_WEB_KEY" in run("keys", "add", "settings", code=2)
    listed = run("keys", "list")
    assert "operator" in listed
    assert "never" in listed
    assert key not in listed
    run("keys", "rm", "anna")
    assert "no key 'anna'" in run("keys", "rm", "anna", code=2)
    assert [line.split()[3:] for line in run("audit").splitlines()[1:]] == [
        ["remove", "key", "key", "anna"], ["add", "key", "key", "anna"],
    ]  # fmt: skip
