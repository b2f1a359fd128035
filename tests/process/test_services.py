"""The compose file is valid with what `.env.example` says, and each service's own command runs and does its part."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from sandbox.postgres import EmbeddedPostgres
from sandbox.valkey import free_port
from tests.support.stack import MEDIAJOBS, wait_until
from worker.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The services, as the compose CLI understands them, with nothing set but what is documented."""
    if shutil.which("docker-compose") is None:
        if os.environ.get("CI"):
            pytest.fail("docker-compose is missing: apt-get install docker-compose")
        pytest.skip("docker-compose is not installed: apt-get install docker-compose")
    files = ["--env-file", str(ROOT / ".env.example"), "-f", str(ROOT / "docker-compose.yml")]
    done = subprocess.run(["docker-compose", *files, "config"], env={"PATH": os.environ["PATH"]}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = yaml_of(done.stdout)["services"]
    return services


def yaml_of(text: str) -> dict[str, Any]:
    """Read by the Python of the compose CLI, which has a YAML reader; ours needs none."""
    script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    read = subprocess.run(["/usr/bin/python3", "-c", script], input=text, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(read.stdout)
    return found


def test_every_setting_gets_into_the_containers() -> None:
    """One that stands in the .env, and does nothing, is found out late."""
    passed = set(re.findall(r"^ +MEDIAJOBS_([A-Z_]+):", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE))
    inside = {"DATA_DIR", "WEB_PORT"}  # places in the container, which the file itself maps
    assert {name.upper() for name in Settings.model_fields} - inside == passed


def test_all_parts_are_there(compose: dict[str, Any]) -> None:
    assert set(compose) == {
        "postgres", "valkey", "migrate", "worker-run", "worker-store", "worker-cut", "worker-upkeep", "beat", "web",
        "flower", "sandbox",
    }  # fmt: skip
    for name, service in compose.items():
        assert service.get("healthcheck") or name == "migrate", name
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] == f"service_{'completed_successfully' if other == 'migrate' else 'healthy'}"


def test_the_commands_take_their_settings_from_env_example(compose: dict[str, Any]) -> None:
    given = compose["worker-run"]["environment"]
    assert given["MEDIAJOBS_API_BASE_URL"] == "http://sandbox:8099/zai"
    assert given["MEDIAJOBS_API_TOKEN"] == "at_sandbox"
    example = (ROOT / ".env.example").read_text()
    names = {line.lstrip("#").partition("=")[0] for line in example.splitlines() if "=" in line}
    assert names >= {name for name in given if name.startswith("AWS_") and name != "AWS_SESSION_TOKEN"}


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

    def check_health(self, name: str, **ports: str) -> None:
        words = [ports.get(word, word) for word in self.compose[name]["healthcheck"]["test"][1:]]
        subprocess.run(words, check=True)

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
    given = {name: value for name, value in compose["flower"]["environment"].items() if value is not None}
    environment = {
        **given,
        "MEDIAJOBS_DATABASE_URL": postgres.database_url("services").replace("+psycopg", ""),
        "MEDIAJOBS_BROKER_URL": valkey_url,
        "MEDIAJOBS_API_BASE_URL": given["MEDIAJOBS_API_BASE_URL"].replace("sandbox:8099", f"127.0.0.1:{port}"),
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
    for name in ("worker-run", "worker-store", "worker-cut", "worker-upkeep", "beat"):
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
    assert httpx.get(f"{flower}/api/workers", timeout=60).status_code == 401
    login = ("anybody", services.environment["MEDIAJOBS_WEB_KEY"])
    seen = wait_until(
        lambda: httpx.get(f"{flower}/api/workers?refresh=1", auth=login, timeout=30).json(), what="workers"
    )
    assert {name.partition("@")[0] for name in seen} == {"run", "store", "cut", "upkeep"}
    services.check_health(
        "beat", **{":18EB 01 ": f":{urlsplit(services.environment['MEDIAJOBS_BROKER_URL']).port:04X} 01 "}
    )
    codes = services.stop()
    assert {name: code for name, code in codes.items() if name != "sandbox"} == {
        "worker-run": 0, "worker-store": 0, "worker-cut": 0, "worker-upkeep": 0, "beat": 0, "flower": 0,
    }  # fmt: skip


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False
