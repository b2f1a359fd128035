"""`scripts/probe-api` on the stand-in: nothing differs; and where it is made to, that is told."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import process
from sandbox.probes import PROBES
from sandbox.process import SandboxProcess

SCRIPT = Path(__file__).parents[2] / "scripts" / "probe-api"


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0.1", "--latency-of", "cogvideox-3=1", "--limit", "glm-4.5-flash=5")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def probe(base: str, api: SandboxProcess, *words: str) -> tuple[int, list[str]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
    done = subprocess.run(
        [SCRIPT, "--base-url", base, "--token", api.token, "--poll-every", "0.2", *words],
        env=clean, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("side", ["proxy", "direct"])
def test_the_stand_in_is_as_believed(api: SandboxProcess, side: str) -> None:
    base = api.proxy_base_url if side == "proxy" else api.direct_base_url
    exit_code, said = probe(base, api, "--yes", "--max-cost", "1")
    assert [line for line in said if line.startswith("DIFFERENT")] == []
    assert exit_code == 0
    asked = sum(each.side in (None, side) for each in PROBES)
    assert said[-1] == f"all {asked} are as believed"
    assert api.summary()["cost"] < 1


def test_all_that_there_is_costs_less_than_a_dollar() -> None:
    assert sum(each.cost for each in PROBES) < 1


def test_what_is_otherwise_is_told(api: SandboxProcess) -> None:
    api.change("config", wrapper="result", formats="new", duplicates="refuse", retry_after="5")
    free = ("wrapper", "agents", "comes again", "more calls", "no model")
    exit_code, said = probe(api.proxy_base_url, api, *(f"--only={word}" for word in free))
    told = [line.removeprefix("DIFFERENT    ") for line in said if line.startswith("DIFFERENT")]
    assert [line.partition("  (")[0] for line in told] == [
        "a success's wrapper: result",
        "agents, old path, with an empty body: 404 Not Found",
        "a request_id that comes again: 200, 400/1231",
    ]
    assert (exit_code, said[-1]) == (1, "3 of 6 are not as believed")  # this wrapper hides a Retry-After


def test_money_is_told_of_and_asked_for(api: SandboxProcess) -> None:
    exit_code, listed = probe(api.proxy_base_url, api, "--list")
    assert exit_code == 0
    assert "$0.01   a search's answer: id, created, search_result" in listed
    assert not any("a video" in line for line in listed)  # it is dearer than what is allowed unasked
    assert api.summary()["received"] == 0
