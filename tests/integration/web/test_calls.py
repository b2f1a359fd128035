"""Endpoints of the provider's API, called over HTTP; and the doctor."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from sandbox import process
from sandbox.process import SandboxProcess
from sandbox.tones import speak, wav
from tests.support.api import Api
from tests.support.webserver import serving
from worker.keys import Role
from worker.settings import Settings

CHAT: dict[str, Any] = {
    "endpoint": "chat",
    "fields": {"model": "glm-4.7", "messages": [{"role": "user", "content": "hello"}]},
}
TOKEN = "at_sandbox"
IMAGE: dict[str, Any] = {"endpoint": "image", "fields": {"model": "cogview-4-250304", "prompt": "a boat"}}


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0")
    yield made
    made.stop()


@pytest.fixture
def sandbox(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


@pytest.fixture
def api(
    config: Settings, engine: Engine, held: dict[Role, str], tmp_path: Path, sandbox: SandboxProcess
) -> Iterator[Api]:
    more = {"outputs_url": tmp_path.as_uri(), "api_base_url": sandbox.proxy_base_url, "api_token": SecretStr(TOKEN)}
    with serving(config.model_copy(update=more)) as http:
        yield Api(http, engine, tmp_path, held)


def paid(sandbox: SandboxProcess) -> int:
    return len(sandbox.ledger())


def test_an_endpoint_answers_as_it_is_and_its_call_is_on_record(api: Api, sandbox: SandboxProcess) -> None:
    found = api.post("/calls", CHAT, role=Role.OPERATOR)
    assert found["answer"]["choices"][0]["message"]["content"]
    assert found["tokens_in"] > 0
    assert found["cost"] > 0
    image = api.post("/calls", {**IMAGE, "fields": {**IMAGE["fields"], "promt": "x"}})
    assert image["answer"]["data"][0]["url"]
    assert image["warnings"] == ["no document has a field promt; is it prompt?"]
    [entry, _] = api.get("/audit?action=call")["items"]
    assert (entry["subject"], entry["cost"]) == ("endpoint image", 0.01)
    assert paid(sandbox) == 2


def test_a_file_that_was_uploaded(api: Api) -> None:
    file = api.ask("POST", "/uploads", params={"name": "a.wav"}, content=wav(speak(["amber", "basil"]))).json()["file"]
    asked = {"endpoint": "transcription", "fields": {"model": "glm-asr-2512"}, "file": file}
    assert api.post("/calls", asked)["answer"]["text"] == "amber basil"
    for name in ("/etc/passwd", "file:///etc/passwd", "upload:../../etc/passwd", "upload:" + "0" * 64):
        wrong = api.post("/calls", {**asked, "file": name}, 422)
        assert wrong["detail"].startswith("file: ")
        assert "root" not in wrong["detail"]


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such endpoint": ({"endpoint": "songs"}, 404, "unknown_endpoint"),
    "without a part of its path": ({"endpoint": "async_result"}, 422, "invalid_request"),
    "what the API refuses": ({"endpoint": "chat", "fields": {"model": "nobody", "messages": []}}, 502, "api_refused"),
    "a path with nothing there": ({"endpoint": "/paas/v4/songs", "fields": {"a": 1}}, 502, "api_refused"),
    "a field that is none": ({"endpoint": "chat", "feilds": {}}, 422, "invalid_request"),
}


@pytest.mark.parametrize(("asked", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_what_comes_to_nothing(api: Api, asked: dict[str, Any], status: int, code: str) -> None:
    headers = {"Idempotency-Key": "k"}
    assert api.post("/calls", asked, status, headers=headers)["code"] == code
    assert api.post("/calls", CHAT, headers=headers)["answer"]  # the key is free again


def test_only_operators_may(api: Api) -> None:
    assert api.post("/calls", CHAT, 403, role=Role.VIEWER)["code"] == "role"
    assert api.ask("GET", "/doctor", Role.VIEWER).status_code == 403
    assert "chat" in {each["name"] for each in api.get("/endpoints", role=Role.VIEWER)}


def test_the_same_call_again_under_its_key_is_made_once(api: Api, sandbox: SandboxProcess) -> None:
    headers = {"Idempotency-Key": "k"}
    first = api.post("/calls", IMAGE, headers=headers)
    assert api.post("/calls", IMAGE, headers=headers) == first
    assert api.post("/calls", CHAT, 422, headers=headers)["code"] == "key_reused"
    assert paid(sandbox) == 1

    def ask(_: int) -> int:
        return api.ask("POST", "/calls", json=IMAGE, headers={"Idempotency-Key": "l"}).status_code

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(ask, range(4))) <= {200, 409}
    assert paid(sandbox) == 2


def test_a_lost_answer_is_not_bought_again_under_its_key(api: Api, sandbox: SandboxProcess) -> None:
    lost = {**IMAGE, "fields": {**IMAGE["fields"], "prompt": "a boat [[fault:reset_after]]"}}
    headers = {"Idempotency-Key": "k"}
    problem = api.post("/calls", lost, 502, headers=headers)
    assert (problem["code"], "not sent again" in problem["advice"]) == ("answer_lost", True)
    again = api.post("/calls", lost, 409, headers=headers)
    assert (again["code"], "a new key" in again["detail"]) == ("in_progress", True)
    assert paid(sandbox) == 1
    assert len(api.get("/audit?action=call")["items"]) == 1


def test_the_doctor(api: Api) -> None:
    found = {each["what"]: each for each in api.get("/doctor?api=true", role=Role.OPERATOR)}
    assert {name: found[name]["ok"] for name in ("database", "schema", "API", "outputs", "API token")} == {
        "database": True, "schema": True, "API": True, "outputs": True, "API token": True,
    }  # fmt: skip
    assert "is `mediajobs up` running?" in found["broker"]["mend"]
    assert "endpoints are described" in found["API definition"]["found"]
    assert TOKEN not in str(found)
