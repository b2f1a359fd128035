"""The compose file is valid, and each service's own command runs and does its part."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from sandbox.postgres import EmbeddedPostgres
from sandbox.valkey import free_port
from tests.support.stack import MEDIAJOBS, wait_until

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"FLOWER_BASIC_AUTH": "user:password"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The services, as the compose CLI understands them."""
    if shutil.which("docker-compose") is None:
        if os.environ.get("CI"):
            pytest.fail("docker-compose is missing: apt-get install docker-compose")
        pytest.skip("docker-compose is not installed: apt-get install docker-compose")
    found = {}
    for profile in ([], ["--profile", "sandbox"]):
        done = subprocess.run(
            ["docker-compose", *profile, "-f", str(ROOT / "docker-compose.yml"), "config"],
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = yaml_of(done.stdout)
    services: dict[str, Any] = found["services"]
    return services


def yaml_of(text: str) -> dict[str, Any]:
    """Read by the Python of the compose CLI, which has a YAML reader; ours needs none."""
    script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    read = subprocess.run(["/usr/bin/python3", "-c", script], input=text, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(read.stdout)
    return found


def test_all_parts_are_there(compose: dict[str, Any]) -> None:
    assert set(compose) == {
        "postgres", "valkey", "migrate", "worker-run", "worker-store", "worker-upkeep", "beat", "flower", "sandbox",
    }  # fmt: skip
    for name, service in compose.items():
        if name not in {"migrate", "beat"}:
            assert service.get("healthcheck"), name


class Services:
    """Runs services' commands as processes of this machine."""

    def __init__(self, compose: dict[str, Any], folder: Path, environment: dict[str, str]) -> None:
        self.compose = compose
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
        self.environment = {**clean, **environment}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def command(self, name: str, **ports: str) -> list[str]:
        """The exact command, but for its port and address: several tests may run on one machine."""
        words = [ports.get(word, word) for word in self.compose[name]["command"]]
        programs = {"celery": [sys.executable, "-m", "celery"], "mediajobs": [MEDIAJOBS], "python": [sys.executable]}
        return [*programs[words[0]], *words[1:]]

    def start(self, name: str, **ports: str) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                self.command(name, **ports), env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )

    def stop(self) -> dict[str, int]:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(timeout=60) for name, process in self.running.items()}


@pytest.fixture
def services(
    compose: dict[str, Any], postgres: EmbeddedPostgres, valkey_url: str, tmp_path: Path
) -> Iterator[Services]:
    with psycopg.connect(postgres.database_url("postgres").replace("+psycopg", ""), autocommit=True) as conn:
        conn.execute("drop database if exists services with (force)")
        conn.execute("create database services")
    port = str(free_port())
    environment = {
        **ENVIRONMENT,
        "MEDIAJOBS_DATABASE_URL": postgres.database_url("services").replace("+psycopg", ""),
        "MEDIAJOBS_BROKER_URL": valkey_url,
        "MEDIAJOBS_API_BASE_URL": f"http://127.0.0.1:{port}/zai",
        "MEDIAJOBS_API_TOKEN": "at_sandbox",
        "MEDIAJOBS_OUTPUTS_URL": (tmp_path / "outputs").as_uri(),
        "SANDBOX_PORT": port,
    }
    made = Services(compose, tmp_path, environment)
    yield made
    for process in made.running.values():
        process.kill()
        process.wait()


def test_the_services_commands_make_an_image(services: Services) -> None:
    migrate = subprocess.run(services.command("migrate"), env=services.environment, check=False)
    assert migrate.returncode == 0
    flower_port = str(free_port())
    services.start("sandbox", **{"8099": services.environment["SANDBOX_PORT"], "0.0.0.0": "127.0.0.1"})
    for name in ("worker-run", "worker-store", "worker-upkeep", "beat"):
        services.start(name)
    services.start("flower", **{"--port=5555": f"--port={flower_port}", "--address=0.0.0.0": "--address=127.0.0.1"})
    made = subprocess.run(
        [MEDIAJOBS, "image", "a bridge"],
        env=services.environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert Path(made.stdout.strip()).read_bytes().startswith(b"\x89PNG")
    flower = f"http://127.0.0.1:{flower_port}"
    wait_until(lambda: answers(f"{flower}/healthcheck"), what="Flower")
    assert httpx.get(f"{flower}/api/workers").status_code == 401
    seen = wait_until(
        lambda: httpx.get(f"{flower}/api/workers?refresh=1", auth=("user", "password"), timeout=30).json(),
        what="workers",
    )
    assert {name.partition("@")[0] for name in seen} == {"run", "store", "upkeep"}
    codes = services.stop()
    assert {name: code for name, code in codes.items() if name != "sandbox"} == {
        "worker-run": 0, "worker-store": 0, "worker-upkeep": 0, "beat": 0, "flower": 0,
    }  # fmt: skip


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False
