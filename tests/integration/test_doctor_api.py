"""`mediajobs doctor --api`: what the stand-in says of itself, held against what is sent."""

from collections.abc import Iterator

import pytest

from sandbox import process
from sandbox.process import SandboxProcess
from worker.doctor import Finding, definition
from worker.settings import Settings


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def found(base_url: str) -> list[Finding]:
    config = Settings(_env_file=None, api_base_url=base_url, database_url=None, api_token="")  # type: ignore[call-arg, arg-type]
    return list(definition(config))


@pytest.mark.parametrize("formats", ["new", "old"])
def test_nothing_has_changed(api: SandboxProcess, formats: str) -> None:
    api.change("config", formats=formats)
    [finding] = found(api.proxy_base_url)
    assert (finding.ok, finding.found) == (True, "10 endpoints are described, with no differences to what is sent")


def test_what_was_added_is_told_and_what_was_taken_away_is_a_problem(api: SandboxProcess) -> None:
    changes = {"/paas/v4/reader": None, "/paas/v4/songs": {"words": "string"}}
    api.change("config", definition={**changes, "/api/paas/v4/generate/image": {"n": "string", "colour": "string"}})
    told = {finding.found: finding.ok for finding in found(api.proxy_base_url)}
    assert told == {
        "image: changed: n is of type string, and we send number": False,
        "image: added: a field colour (string)": True,
        "reader: removed: nothing is described at /paas/v4/reader": False,
        "POST /paas/v4/songs: added, with words": True,
        "10 endpoints are described, with 4 differences to what is sent": True,
    }


def test_where_there_is_none(api: SandboxProcess) -> None:
    [direct] = found(api.direct_base_url)
    assert (direct.ok, "only the proxy has one" in direct.found) == (True, True)
    [other] = found(f"{api.url}/openai")
    assert (other.ok, other.unreachable, "Invalid request for OpenAPI specs" in other.found) == (False, False, True)
    [away] = found("http://127.0.0.1:1/zai")
    assert (away.ok, away.unreachable) == (False, True)
