"""The seed's decision flow against the stand-in: new format first, then old, and what worked is remembered."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from models.session import make_engine
from provider.client import Client
from provider.endpoints import endpoint_at
from provider.errors import AnswerLost, ProviderError, Rejected
from provider.formats import FormatMemory
from provider.wire import Request
from sandbox import process
from sandbox.process import SandboxProcess
from worker.format_memory import PostgresFormats

MESSAGES = [{"role": "user", "content": [{"type": "text", "text": "Good morning"}]}]
TRANSLATION = Request(endpoint="agent", json={"agent_id": "general_translation", "messages": MESSAGES})


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0", "--latency-of", "viduq1-text=0")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


@pytest.fixture
def memory(engine: Engine, api: SandboxProcess) -> PostgresFormats:
    return PostgresFormats(engine, api.proxy_base_url)


def send(api: SandboxProcess, memory: FormatMemory, request: Request, base: str | None = None) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        client = Client(base_url=base or api.proxy_base_url, token=api.token, formats=memory)
        try:
            return (await client.send(request)).body
        finally:
            await client.close()

    return asyncio.run(ask())


def known(engine: Engine) -> dict[str, str]:
    with engine.connect() as conn:
        return {row.endpoint: row.format for row in conn.execute(text("select endpoint, format from endpoint_formats"))}


def task(api: SandboxProcess, memory: FormatMemory) -> Request:
    body = send(api, memory, Request(endpoint="video", json={"model": "viduq1-text", "prompt": "x"}))
    return Request(endpoint="async_result", path={"id": body["id"]})


@pytest.mark.parametrize(("formats", "used"), [("both", "new"), ("new", "new"), ("old", "old")])
def test_new_first_then_old_and_it_is_remembered(
    api: SandboxProcess, memory: PostgresFormats, engine: Engine, formats: str, used: str
) -> None:
    poll = task(api, memory)
    api.change("config", formats=formats)
    assert send(api, memory, poll)["task_status"] == "SUCCESS"
    assert send(api, memory, TRANSLATION)["agent_id"] == "general_translation"
    assert known(engine) == {"async_result": used, "agent": used}
    polls = api.summary()["polls"]
    send(api, PostgresFormats(engine, api.proxy_base_url), poll)  # another process begins with what worked
    assert Counter(api.summary()["polls"]) - Counter(polls) == Counter({"200": 1})
    assert api.summary()["charged"] == 2  # the video and the translation, each once


def test_no_answer_is_lost_while_the_memory_is_out_of_reach(api: SandboxProcess) -> None:
    away = PostgresFormats(make_engine("postgresql://nobody@127.0.0.1:1/nothing"), api.proxy_base_url)
    assert send(api, away, TRANSLATION)["agent_id"] == "general_translation"
    api.change("config", formats="old")
    assert send(api, away, TRANSLATION)["agent_id"] == "general_translation"
    assert api.summary()["charged"] == 2


def test_it_is_looked_at_again_when_the_gateway_changes(
    api: SandboxProcess, memory: PostgresFormats, engine: Engine
) -> None:
    poll = task(api, memory)
    for formats in ("old", "new", "old"):
        api.change("config", formats=formats)
        send(api, memory, poll)
        send(api, memory, TRANSLATION)
        assert known(engine) == {"async_result": formats, "agent": formats}
    assert api.summary()["charged"] == 4


def test_a_gateway_that_takes_the_old_format_for_another_task_is_found_out(
    api: SandboxProcess, memory: PostgresFormats, engine: Engine
) -> None:
    poll = task(api, memory)
    api.change("config", formats="old")
    send(api, memory, poll)
    api.change("config", formats="both")
    api.play({"fault": "literal_id", "match": {"endpoint": "async_result"}})
    assert send(api, memory, poll)["task_status"] == "SUCCESS"
    assert known(engine) == {"async_result": "new"}


def test_a_task_that_nobody_knows_stays_one(api: SandboxProcess, memory: PostgresFormats) -> None:
    with pytest.raises(Rejected) as failed:
        send(api, memory, Request(endpoint="async_result", path={"id": "none"}))
    assert failed.value.code == "1233"


def test_what_worked_is_forgotten_when_neither_works(
    api: SandboxProcess, memory: PostgresFormats, engine: Engine
) -> None:
    poll = task(api, memory)
    send(api, memory, poll)
    api.play({"fault": "proxy_not_found", "match": {"endpoint": "async_result"}})
    with pytest.raises(ProviderError):
        send(api, memory, poll)
    assert known(engine) == {}


def test_a_lost_answer_of_a_paid_call_is_asked_nowhere_else(api: SandboxProcess, memory: PostgresFormats) -> None:
    for fault in ("bad_gateway_after", "reset_after"):
        api.play({"fault": fault, "match": {"endpoint": "agent"}})
        with pytest.raises(AnswerLost):
            send(api, memory, TRANSLATION)
        api.clear_faults()
    assert api.summary()["received"] == 2


@pytest.mark.parametrize("fault", ["reset_after", "bad_gateway_after"])
def test_a_paid_call_that_is_lost_in_the_other_format_is_lost(
    api: SandboxProcess, memory: PostgresFormats, engine: Engine, fault: str
) -> None:
    """The first format's 404 says that nothing was sent; the second one's answer counts."""
    api.change("config", formats="old")
    api.play({"fault": fault, "match": {"endpoint": "agent"}})
    with pytest.raises(AnswerLost):
        send(api, memory, TRANSLATION)
    assert api.summary()["charged"] == 1
    assert known(engine) == {}


def test_each_provider_has_its_own(api: SandboxProcess, engine: Engine) -> None:
    api.change("config", formats="old")
    base = f"{api.url}/echo"
    echo = Request(endpoint="/resource/{id}", at=endpoint_at("/resource/{id}", "GET"), path={"id": "7"})
    body = send(api, PostgresFormats(engine, base), echo, base)
    assert (body["id"], body["format"]) == ("7", "old")
    with engine.connect() as conn:
        [row] = conn.execute(text("select provider, endpoint, format, evidence from endpoint_formats")).all()
    assert tuple(row) == (base, "/resource/{id}", "old", "HTTP 200 there, 404 before")


def test_a_post_to_another_provider_is_sent_again_only_where_nothing_was_delivered(
    api: SandboxProcess, engine: Engine
) -> None:
    base = f"{api.url}/echo"
    echo = Request(endpoint="/resource/{id}", at=endpoint_at("/resource/{id}", "POST"), path={"id": "7"}, json={"a": 1})
    api.play({"fault": "bad_gateway", "match": {"endpoint": "echo"}})
    with pytest.raises(AnswerLost):
        send(api, PostgresFormats(engine, base), echo, base)
    api.clear_faults()
    api.change("config", formats="old")
    assert send(api, PostgresFormats(engine, base), echo, base)["body"] == {"a": 1}


def test_a_list_is_an_answer_too(api: SandboxProcess, memory: PostgresFormats) -> None:
    request = Request(endpoint="/resource", at=endpoint_at("/resource", "GET"))
    for wrapper in ("data", "bare"):
        api.change("config", wrapper=wrapper)
        assert send(api, memory, request, f"{api.url}/echo") == {"data": [{"id": "1"}, {"id": "2"}]}


def test_the_definition_in_either_form(api: SandboxProcess, memory: PostgresFormats, engine: Engine) -> None:
    api.change("config", formats="old")
    assert "/v1/agents" in send(api, memory, Request(endpoint="openapi"))["paths"]
    assert known(engine) == {"openapi": "old"}
    api.change("config", formats="new")
    assert "/api/v1/agents" in send(api, memory, Request(endpoint="openapi"))["paths"]
