"""The stand-in's chat, code and agents, as a client and an auditor see them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox import process
from sandbox.process import SandboxProcess

CHAT = "/api/paas/v4/chat/completions"
CODE = "/api/coding/paas/v4/chat/completions"
MODEL = "glm-4.6"


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0", "--latency-of", "vidu_template_agent=0")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def post(api: SandboxProcess, path: str, body: dict[str, Any], *, direct: bool = False) -> httpx.Response:
    if direct:
        return api.http.post(f"{api.url}{path}", json=body, headers={"Authorization": f"Bearer {api.token}"})
    return api.http.post(f"{api.url}/zai{path}?api_token={api.token}", json=body)


def ask(api: SandboxProcess, text: Any = "What is fog?", *, path: str = CHAT, **body: Any) -> httpx.Response:
    return post(api, path, {"model": MODEL, "messages": [{"role": "user", "content": text}], **body})


def inner(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.raise_for_status().json()["data"]
    return found


def code(answer: httpx.Response) -> tuple[int, str | None]:
    body = answer.json()
    inside = body.get("data", body)
    return answer.status_code, inside.get("error", {}).get("code")


def events(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    return [*(json.loads(line) for line in lines[:-1]), lines[-1]]


@pytest.mark.parametrize("path", [CHAT, CODE])
def test_an_answer_on_both_sides(api: SandboxProcess, path: str) -> None:
    wrapped = inner(ask(api, path=path, request_id="req-000001"))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "What is fog?"}]}
    bare = post(api, path, body, direct=True).json()
    assert wrapped["choices"] == bare["choices"]
    assert wrapped["usage"] == bare["usage"]
    assert wrapped["request_id"] == "req-000001"
    first, second = api.ledger()
    usage = wrapped["usage"]
    assert first["cost"] == (usage["prompt_tokens"] * 0.6 + usage["completion_tokens"] * 2.2) / 1e6 == second["cost"]
    assert (first["model"], first["charged"], first["subject"]) == (MODEL, True, "What is fog?")


@pytest.mark.parametrize("direct", [True, False])
def test_a_stream_has_no_wrapper(api: SandboxProcess, direct: bool) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "What is fog?"}], "stream": True}
    answer = post(api, CHAT, body, direct=direct)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *told, last, done = events(answer)
    assert done == "[DONE]"
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["total_tokens"] > 0
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in told) == "You asked: What is fog?"
    assert api.summary()["charged"] == 1


def test_a_stream_goes_out_in_pieces_and_keeps_its_slot(api: SandboxProcess) -> None:
    api.change("config", times={MODEL: 1.0})
    api.change("limits", **{MODEL: 1})
    body = {"model": MODEL, "messages": [{"role": "user", "content": "What is fog?"}], "stream": True}
    headers = {"Authorization": f"Bearer {api.token}"}
    with api.http.stream("POST", f"{api.url}{CHAT}", json=body, headers=headers) as answer:
        lines = answer.iter_lines()
        assert "reasoning_content" in next(lines)
        assert code(ask(api)) == (429, "1302")
        assert list(lines)[-2] == "data: [DONE]"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "1213"),
    "no list": ({"messages": "hi"}, "1214"),
    "an unknown role": ({"messages": [{"role": "bot", "content": "x"}]}, "1214"),
    "a system alone": ({"messages": [{"role": "system", "content": "x"}]}, "1214"),
    "an unknown model": ({"model": "glm-0"}, "1211"),
    "too hot": ({"temperature": 1.5}, "1214"),
    "top_p": ({"top_p": 0}, "1214"),
    "no tokens": ({"max_tokens": 0}, "1214"),
    "two stops": ({"stop": ["a", "b"]}, "1214"),
    "another choice": ({"tool_choice": "none"}, "1214"),
    "too many tools": ({"tools": [{}] * 129}, "1214"),
    "another format": ({"response_format": {"type": "xml"}}, "1214"),
    "a short request_id": ({"request_id": "abc"}, "1214"),
    "a short user_id": ({"user_id": "abc"}, "1214"),
    "an image for a model of words": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}]}]},
        "1210",
    ),
}


@pytest.mark.parametrize(("changed", "refusal"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_costs_nothing(api: SandboxProcess, changed: dict[str, Any], refusal: str) -> None:
    assert code(ask(api, **changed)) == (400, refusal)
    assert api.summary()["charged"] == 0


def test_a_key_without_the_plan_cannot_code(api: SandboxProcess) -> None:
    api.change("account", plan=False)
    assert code(ask(api, path=CODE)) == (429, "1113")
    assert code(ask(api)) == (200, None)


def test_a_repeated_request_id(api: SandboxProcess) -> None:
    api.change("config", duplicates="refuse")
    assert [code(ask(api, request_id="req-000001")) for _ in range(2)] == [(200, None), (400, "1231")]
    api.change("config", duplicates="same")
    assert code(ask(api, request_id="req-000001")) == (200, None)
    assert api.summary()["charged"] == 1


# -- agents --------------------------------------------------------------------------------------------


def message(text: str, **more: Any) -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": text}, *({"type": name, name: value} for name, value in more.items())]
    return [{"role": "user", "content": parts}]


def translate(api: SandboxProcess, path: str = "/api/v1/agents", **body: Any) -> httpx.Response:
    return post(api, path, {"agent_id": "general_translation", "messages": message("Good morning"), **body})


def test_a_translation(api: SandboxProcess) -> None:
    body = inner(translate(api, custom_variables={"target_lang": "fr"}))
    [choice] = body["choices"]
    assert choice["messages"] == [{"role": "assistant", "content": {"type": "text", "text": "[fr] Good morning"}}]
    [entry] = api.ledger()
    assert entry["cost"] == pytest.approx(body["usage"]["total_tokens"] * 3e-6)
    told = events(translate(api, stream=True))
    assert told[0]["choices"][0]["messages"][0]["content"] == {"type": "text", "text": "[zh-CN] Good morning"}
    assert told[-2]["usage"]["total_tokens"] > 0


FORMATS = {"new": [200, 404], "old": [404, 200], "both": [200, 200]}


@pytest.mark.parametrize(("formats", "answers"), FORMATS.items())
@pytest.mark.parametrize("rest", ["", "/async-result", "/conversation"])
def test_the_proxy_knows_one_url_format_or_both(
    api: SandboxProcess, formats: str, answers: list[int], rest: str
) -> None:
    api.change("config", formats=formats)
    body = {"agent_id": "general_translation", "messages": message("x"), "async_id": "none"}
    found = [post(api, f"{path}{rest}", body) for path in ("/api/v1/agents", "/v1/agents")]
    missing = [answer.status_code == 404 and answer.json() == {"message": "Not Found"} for answer in found]
    assert missing == [status == 404 for status in answers]
    assert api.summary()["charged"] == (0 if rest else answers.count(200))


def test_an_agent_works_on_a_video(api: SandboxProcess) -> None:
    picture = "https://example.com/a.png"
    body = {
        "agent_id": "vidu_template_agent",
        "messages": message("a kiss [[fault:status_queued]]", image_url=picture),
        "custom_variables": {"template": "french_kiss"},
    }
    api.change("config", times={"vidu_template_agent": 60})
    begun = inner(post(api, "/api/v1/agents", body))
    assert set(begun) == {"status", "agent_id", "async_id"}
    poll = {"agent_id": "vidu_template_agent", "async_id": begun["async_id"]}
    assert begun["status"] == "pending"
    assert inner(post(api, "/v1/agents/async-result", poll))["status"] == "queued"
    api.change("clock", advance_s=60)
    ended = inner(post(api, "/api/v1/agents/async-result", poll))
    assert ended["status"] == "success"
    url = ended["choices"][0]["message"][0]["content"][0]["video_url"]
    assert api.http.get(url).headers["content-type"] == "video/mp4"
    assert code(post(api, "/api/v1/agents/async-result", {**poll, "agent_id": "slides_glm_agent"})) == (400, "1233")
    assert api.summary()["cost"] == 0.2


def test_an_agents_work_may_fail(api: SandboxProcess) -> None:
    body = {
        "agent_id": "vidu_template_agent",
        "messages": message("a kiss [[fault:fail_message]]", image_url="https://example.com/a.png"),
        "custom_variables": {"template": "french_kiss"},
    }
    begun = inner(post(api, "/api/v1/agents", body))
    api.change("clock", advance_s=600)
    ended = inner(post(api, "/api/v1/agents/async-result", {**begun, "status": None}))
    assert (ended["status"], ended["message"]) == ("failed", "The task failed")


def test_slides_and_their_conversation(api: SandboxProcess) -> None:
    first = inner(post(api, "/api/v1/agents", {"agent_id": "slides_glm_agent", "messages": message("Tides")}))
    steps = first["choices"][0]["message"]
    assert [step["phase"] for step in steps] == ["thinking", "tool", "answer"]
    assert steps[1]["content"][0]["object"]["position"] == [1]
    asked = {"agent_id": "slides_glm_agent", "conversation_id": first["conversation_id"]}
    second = inner(post(api, "/api/v1/agents", {**asked, "messages": message("Moon")}))
    assert second["conversation_id"] == first["conversation_id"]
    assert second["choices"][0]["message"][1]["content"][0]["object"]["position"] == [2]
    pictures = inner(post(api, "/api/v1/agents/conversation", asked))["choices"][0]["message"][0]["content"]
    assert api.http.get(pictures[0]["image_url"]).content.startswith(b"\x89PNG")
    pdf = inner(post(api, "/v1/agents/conversation", {**asked, "custom_variables": {"include_pdf": True}}))
    url = pdf["choices"][0]["message"][0]["content"][0]["file_url"]
    assert api.http.get(url).content.startswith(b"%PDF")
    unknown = post(api, "/api/v1/agents/conversation", {**asked, "conversation_id": "none"})
    assert code(unknown) == (200, "1233")


AGENT_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no agent": ({}, "1213"),
    "an unknown agent": ({"agent_id": "x"}, "1211"),
    "no messages": ({"agent_id": "general_translation"}, "1213"),
    "no template": ({"agent_id": "vidu_template_agent", "messages": message("x")}, "1213"),
    "no image": (
        {"agent_id": "vidu_template_agent", "messages": message("x"), "custom_variables": {"template": "bodyshake"}},
        "1213",
    ),
}


@pytest.mark.parametrize(("body", "refusal"), AGENT_REFUSED.values(), ids=AGENT_REFUSED)
def test_what_agents_refuse(api: SandboxProcess, body: dict[str, Any], refusal: str) -> None:
    assert code(post(api, "/api/v1/agents", body)) == (400, refusal)


# -- tools ---------------------------------------------------------------------------------------------


def test_the_tokenizer_counts_as_chat_does_and_is_free(api: SandboxProcess) -> None:
    api.change("account", balance=False)
    body = {"model": MODEL, "messages": message("What is fog?"), "tools": [{"type": "function"}]}
    counted = inner(post(api, "/paas/v4/tokenizer", body))["usage"]
    api.change("account", balance=True)
    assert inner(ask(api, tools=body["tools"]))["usage"]["prompt_tokens"] == counted["prompt_tokens"] > 10
    assert code(post(api, "/paas/v4/tokenizer", {"model": MODEL, "input": "What is fog?"})) == (400, "1213")
    assert [entry["charged"] for entry in api.ledger()] == [False, True, False]


def test_a_search_has_the_real_names(api: SandboxProcess) -> None:
    assert code(post(api, "/paas/v4/web_search", {"query": "fog", "max_results": 2})) == (400, "1213")
    body = {"search_query": "fog", "search_engine": "search-prime", "count": 2, "query": "fog"}
    found = inner(post(api, "/paas/v4/web_search", body))["search_result"]
    assert [each["refer"] for each in found] == ["ref_1", "ref_2"]
    assert api.summary()["cost"] == 0.01


def test_a_page_is_read(api: SandboxProcess) -> None:
    page = inner(post(api, "/paas/v4/reader", {"url": "https://example.com/fog", "with_links_summary": True}))
    assert page["reader_result"]["title"] == "fog"
    assert page["reader_result"]["links"] == {"fog": "https://example.com/fog"}
    assert code(post(api, "/paas/v4/reader", {"url": "fog"})) == (400, "1214")


# -- lists ---------------------------------------------------------------------------------------------


def get(api: SandboxProcess, path: str, **query: str) -> httpx.Response:
    return api.http.get(f"{api.url}{path}", params={"api_token": api.token, **query})


def test_models_are_listed_on_both_sides(api: SandboxProcess) -> None:
    wrapped = inner(get(api, "/zai/v1/models"))
    bare = api.http.get(f"{api.url}/api/paas/v4/models", headers={"Authorization": f"Bearer {api.token}"}).json()
    assert wrapped == bare
    assert {"glm-4.6", "cogvideox-3"} <= {each["id"] for each in wrapped["data"]}
    assert api.http.get(f"{api.url}/zai/v1/models").status_code == 401


def test_the_proxy_describes_itself_in_one_form_or_both(api: SandboxProcess) -> None:
    new, old = (api.http.get(f"{api.url}/zai/{form}").json()["paths"] for form in ("openapi", "definition"))
    assert new["/api/paas/v4/async-result/{id}"]["get"]["parameters"][0]["in"] == "path"
    assert old["/api/paas/v4/async-result/id"]["get"]["parameters"][0]["in"] == "query"
    assert ("/api/v1/agents" in new, "/v1/agents" in old) == (True, True)
    api.change("config", formats="old", definition={"/v1/agents": None, "/new": {"a": "string"}})
    assert api.http.get(f"{api.url}/zai/openapi").status_code == 404
    changed = api.http.get(f"{api.url}/zai/definition").json()["paths"]
    assert ("/v1/agents" in changed, "/new" in changed) == (False, True)
    assert api.http.get(f"{api.url}/openai/definition").status_code == 422


def test_another_provider_is_behind_the_proxy(api: SandboxProcess) -> None:
    assert get(api, "/echo/resource").json() == {"data": [{"id": "1"}, {"id": "2"}]}
    assert inner(get(api, "/echo/resource/7", limit="2"))["query"] == {"limit": "2"}
    assert inner(get(api, "/echo/resource/id", id="7"))["format"] == "old"
    said = inner(api.http.post(f"{api.url}/echo/resource/7?api_token={api.token}", json={"a": 1}))
    assert said == {"id": "7", "format": "new", "method": "POST", "query": {}, "body": {"a": 1}}
    api.change("config", formats="old")
    assert get(api, "/echo/resource/7").json() == {"message": "Not Found"}


def test_a_file_is_uploaded(api: SandboxProcess) -> None:
    url = f"{api.url}/zai/api/paas/v4/files?api_token={api.token}"
    body = inner(api.http.post(url, data={"purpose": "agent"}, files={"file": ("terms.txt", b"fog\n")}))
    assert (body["bytes"], body["filename"], body["purpose"]) == (4, "terms.txt", "agent")
    assert code(api.http.post(url, data={"purpose": "agent"}, files={"file": ("a.exe", b"x")})) == (400, "1214")
    assert code(api.http.post(url, files={"file": ("a.txt", b"x")})) == (400, "1213")
    assert api.http.post(url, data={"purpose": "agent"}, files={"other": ("a.txt", b"x")}).status_code == 422
