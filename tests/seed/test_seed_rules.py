"""Each rule of the seed: the test's name begins with that of its heading there."""

import json
from collections.abc import Callable

import httpx
import pytest
from click.testing import Result
from sqlalchemy import Engine, text

from provider.definitions import differences, read_definition
from provider.endpoints import ENDPOINTS, endpoint_at
from provider.errors import AnswerLost, ProviderError, Rejected
from provider.wire import Request
from sandbox.process import SandboxProcess
from tests.seed.conftest import Call, send
from tests.support import seed
from worker.format_memory import PostgresFormats
from worker.settings import Settings

SECTIONS = {each.title: each for each in seed.sections()}
TRANSLATION = Request(
    endpoint="agent",
    json={"agent_id": "general_translation", "messages": [{"role": "user", "content": "Good morning"}]},
)
IMAGE = Request(endpoint="image", json={"model": "cogview-4-250304", "prompt": "a cat"})


def poll(api: SandboxProcess) -> Request:
    """A poll of a video that is done."""
    body = send(api, Request(endpoint="video", json={"model": "cogvideox-3", "prompt": "x"})).body
    return Request(endpoint="async_result", path={"id": body["id"]})


def test_z_ai_integration_via_lowcodeapi() -> None:
    """All endpoints of the document are in the table of endpoints."""
    titles = {endpoint.title for endpoint in ENDPOINTS.values()}
    assert {*seed.reference(), "List Available Models", "API Definition"} <= titles


def test_overview() -> None:
    """Models, images, videos, transcription, agents: each is there as a call that costs money."""
    assert {"chat", "image", "video", "transcription", "agent"} <= {
        name for name, endpoint in ENDPOINTS.items() if endpoint.paid
    }


def test_base_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the default, the provider's name in its path."""
    monkeypatch.delenv("MEDIAJOBS_API_BASE_URL", raising=False)
    assert Settings(_env_file=None).api_base_url == SECTIONS["Base Endpoint"].lines[0] == seed.BASE  # type: ignore[call-arg]


def test_base_endpoint_includes_the_provider(call: Call) -> None:
    assert call("/resource/{id}", "--provider", "echo", "--path", "id=7")["id"] == "7"


def test_authentication(api: SandboxProcess) -> None:
    """A token, in the query; nothing of it is in a header."""
    assert SECTIONS["Authentication"].after("Type") == "TOKEN"
    assert send(api, IMAGE).http_status == 200
    api.change("account", token="at_other")
    with pytest.raises(Rejected) as failed:
        send(api, IMAGE)
    assert (failed.value.http_status, failed.value.message) == (401, "Invalid api_token")
    assert api.token not in f"{failed.value} {failed.value.excerpt}"


def test_url_format_important(api: SandboxProcess, engine: Engine) -> None:
    """Two formats are known, and the new one goes first where both are served."""
    memory = PostgresFormats(engine, api.proxy_base_url)
    send(api, TRANSLATION, memory)
    assert [entry["path"] for entry in api.ledger()] == ["/zai/api/v1/agents"]


def test_new_format_priority(api: SandboxProcess) -> None:
    """Path parameters stay in the path, and are no parameters of the query."""
    asked = poll(api)
    api.change("config", formats="new")
    assert send(api, asked).body["task_status"] == "SUCCESS"
    echo = Request(endpoint="x", at=endpoint_at("/resource/{id}", "GET"), path={"id": "7"})
    other = send(api, echo, provider="echo").body
    assert (other["format"], other["id"], other["query"]) == ("new", "7", {})


def test_old_format_fallback(api: SandboxProcess) -> None:
    """Path parameters become parameters of the query."""
    asked = poll(api)
    api.change("config", formats="old")
    assert send(api, asked).body["task_status"] == "SUCCESS"
    echo = Request(endpoint="x", at=endpoint_at("/resource/{id}", "GET"), path={"id": "7"})
    assert send(api, echo, provider="echo").body["format"] == "old"


def test_decision_flow_for_ai_agents_1_new_first(api: SandboxProcess) -> None:
    send(api, TRANSLATION)
    assert [entry["path"] for entry in api.ledger()] == ["/zai/api/v1/agents"]


@pytest.mark.parametrize("fault", ["proxy_not_found", "not_found_page", "bad_gateway", "html", "proxy_error"])
def test_decision_flow_for_ai_agents_2_then_old(api: SandboxProcess, fault: str) -> None:
    """On a 404 or error; `async-result` costs nothing, so on any error that is not Z.AI's own."""
    asked = poll(api)
    new = {"endpoint": "async_result", "path_contains": str(asked.path["id"])}
    api.play({"fault": fault, "match": new})
    assert send(api, asked).body["task_status"] == "SUCCESS"


def test_decision_flow_for_ai_agents_2_but_never_buys_twice(api: SandboxProcess) -> None:
    """An error of a call that costs money may come after it was accepted: only a 404 is proof that it was not."""
    api.play({"fault": "bad_gateway_after", "match": {"endpoint": "agent", "first": 1}})
    with pytest.raises(AnswerLost):
        send(api, TRANSLATION)
    assert [entry["charged"] for entry in api.ledger()] == [True]
    api.change("config", formats="old")
    send(api, TRANSLATION)
    assert [entry["charged"] for entry in api.ledger()] == [True, False, True]


def test_decision_flow_for_ai_agents_3_it_is_logged(
    api: SandboxProcess, engine: Engine, run: Callable[..., Result], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a table, by provider, and shown by doctor; the next request begins with it."""
    asked = poll(api)
    api.change("config", formats="old")
    send(api, asked, PostgresFormats(engine, api.proxy_base_url))
    with engine.connect() as conn:
        [row] = conn.execute(text("select provider, endpoint, format from endpoint_formats")).all()
    assert tuple(row) == (api.proxy_base_url, "async_result", "old")
    monkeypatch.setenv("MEDIAJOBS_DATABASE_URL", database_url)
    assert "URL format: async_result: old (HTTP 200 there, 404 before" in run("doctor").stdout


def test_api_categories() -> None:
    assert {category for _, category in seed.reference().values()} == {
        "Code Completion", "Chat", "Image", "Video", "Audio", "Tool", "Agent",
    }  # fmt: skip


def test_common_endpoints() -> None:
    """Each with a section of its own is described by a test named after it, in test_seed_endpoints.py."""
    assert len(seed.endpoints()) == 10


def test_usage_examples() -> None:
    """Their paths are a template's text: none is among the endpoints that the document lists."""
    listed = {each.path for each in seed.endpoints()}
    assert not listed & {"/v1/chat/completions", "/v1/models/generate", "/v1/models"}


def test_example_1_basic_chat_completion(run: Callable[..., Result], call: Call) -> None:
    """The example's path is a template's: nothing is there. Its body works at the endpoint's own path."""
    body = {"model": "glm-4.6", "messages": [{"role": "user", "content": "Hello, how can you help me?"}]}
    lost = run("call", "/v1/chat/completions", "--json", json.dumps(body))
    assert (lost.exit_code, "Not Found (HTTP 404)" in lost.stderr) == (1, True)
    said = call("chat", "--json", json.dumps(body))["choices"][0]["message"]["content"]
    assert said == "You asked: Hello, how can you help me?"


def test_example_2_text_generation_with_path_parameters(run: Callable[..., Result]) -> None:
    """Paths of other providers' templates; `call` sends to whatever path there is."""
    told = run("call", "/v1/models/{id}:generateContent", "--path", "id=glm-4.6", "--json", '{"contents": []}')
    assert (told.exit_code, "Not Found (HTTP 404)" in told.stderr) == (1, True)


def test_example_3_list_available_models(call: Call) -> None:
    assert {"glm-4.6", "cogvideox-3"} <= {each["id"] for each in call("models")["data"]}


ERRORS: dict[str, tuple[str, type[ProviderError], str | None]] = {
    # status → the fault that brings it, what it is for us, its code
    "400": ("bad_parameter", Rejected, "1214"),
    "401": ("bad_token", Rejected, "1002"),
    "403": ("no_permission", Rejected, "1220"),
    "404": ("proxy_not_found", Rejected, None),
    "429": ("rate_limit", Rejected, "1302"),
    "500": ("server_error", AnswerLost, "1234"),
}


def test_error_handling_of_200(api: SandboxProcess) -> None:
    assert send(api, IMAGE).http_status == 200
    assert {"200", *ERRORS} == set(SECTIONS["Error Handling"].table)


@pytest.mark.parametrize("status", ERRORS)
def test_error_handling(api: SandboxProcess, status: str) -> None:
    """The error lies in `data.error`, with `message` and `code`; only after a 500 is it unknown whether it is paid."""
    fault, kind, code = ERRORS[status]
    api.play({"fault": fault, "match": {"endpoint": "image"}})
    with pytest.raises(ProviderError) as failed:
        send(api, IMAGE)
    assert type(failed.value) is kind
    assert (failed.value.http_status, failed.value.code) == (int(status), code)
    assert failed.value.message
    if code:
        raw = httpx.post(f"{api.proxy_base_url}/api/paas/v4/generate/image?api_token={api.token}", json=IMAGE.json)
        assert raw.json()["data"]["error"].keys() == {"message", "code"}


def test_complete_endpoint_reference() -> None:
    by_title = {endpoint.title: endpoint for endpoint in ENDPOINTS.values()}
    assert {title: by_title[title].method for title in seed.reference()} == {
        title: method for title, (method, _) in seed.reference().items()
    }


def test_api_definition_endpoints(call: Call, run: Callable[..., Result], api: SandboxProcess) -> None:
    """Both are fetched, and held against what we send: the new one first, then the old."""
    for formats in ("new", "old"):
        api.change("config", formats=formats)
        assert len(call("openapi")["paths"]) == 10
        assert "10 endpoints are described, with no differences" in run("doctor", "--api").stdout


def test_api_definition_endpoints_as_the_seed_describes_them() -> None:
    assert seed.copy() == seed.openapi()  # made anew by `python -m tests.support.seed`
    assert differences(read_definition(seed.copy())) == []


@pytest.mark.parametrize("request_", [IMAGE, TRANSLATION], ids=["image", "agent"])
def test_response_format(api: SandboxProcess, request_: Request) -> None:
    """`data` is taken off, be it an object; an image's own `data` list within it stays."""
    answer = send(api, request_)
    assert json.loads(answer.raw) == {"data": answer.body}
    assert isinstance(answer.body.get("data", []), list)


def test_response_format_of_a_list(call: Call) -> None:
    assert call("/resource", "--provider", "echo") == {"data": [{"id": "1"}, {"id": "2"}]}
