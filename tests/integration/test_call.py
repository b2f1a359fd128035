"""`mediajobs call` against the stand-in: every endpoint, and what is said when it goes wrong."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from cli.main import cli
from provider.endpoints import ENDPOINTS
from sandbox import process
from sandbox.process import SandboxProcess
from sandbox.tones import speak, wav
from worker.settings import settings

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0", "--latency-of", "viduq1-text=0", "--latency-of", "vidu_template_agent=0")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


@pytest.fixture
def call(api: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Call]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAJOBS_API_BASE_URL", api.proxy_base_url)
    monkeypatch.setenv("MEDIAJOBS_API_TOKEN", api.token)
    monkeypatch.setenv("MEDIAJOBS_DATA_DIR", str(tmp_path))

    def run(*words: str, stdin: str | None = None) -> Result:
        settings.cache_clear()
        return CliRunner().invoke(cli, ["call", *words], input=stdin, catch_exceptions=False)

    yield run
    settings.cache_clear()


def body(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


# -- each endpoint -------------------------------------------------------------------------------------


def test_chat(call: Call) -> None:
    answered = call("chat", "--model", "glm-4.6", "--messages", "What is fog?", "--max-tokens", "3")
    [choice] = body(answered)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("You asked:", "length")
    assert "a paid call: $0.6 a million tokens in, $2.2 out; no budget counts it" in answered.stderr
    assert "8 tokens in, 19 out: $0.000047" in answered.stderr


def test_code_and_lists_of_objects(call: Call) -> None:
    system = json.dumps({"role": "system", "content": "be brief"})
    answered = call("code", "--model", "glm-4.6", "--messages", system, "--messages", "x [[say:y]]", "--stop", "z")
    assert body(answered)["choices"][0]["message"]["content"] == "y"


def test_a_stream_is_printed_as_it_comes(call: Call) -> None:
    answered = call("chat", "--model", "glm-4.6", "--messages", "What is fog?", "--stream")
    assert (answered.exit_code, answered.stdout) == (0, "You asked: What is fog?\n")
    raw = call("chat", "--model", "glm-4.6", "--messages", "What is fog?", "--stream", "--raw")
    assert raw.stdout.startswith("data: {")
    assert raw.stdout.rstrip().endswith("data: [DONE]")


def test_image_video_and_result(call: Call) -> None:
    assert body(call("image", "--model", "cogview-4-250304", "--prompt", "a cat", "--n", "2"))["data"][0]["url"]
    task = body(call("video", "--model", "viduq1-text", "--prompt", "a cat", "--duration", "5"))
    assert body(call("async-result", "--id", task["id"]))["video_result"]


def test_transcription_by_file_and_by_base64(call: Call, tmp_path: Path) -> None:
    audio = tmp_path / "a.wav"
    audio.write_bytes(wav(speak(["amber", "ocean"])))
    given = ("--model", "glm-asr-2512", "--hotwords", "amber")
    assert body(call("transcription", *given, "--file", str(audio)))["text"] == "amber ocean"
    coded = b64encode(audio.read_bytes()).decode()
    assert body(call("transcription", *given, "--file-base64", coded))["text"] == "amber ocean"


def test_tools(call: Call) -> None:
    assert body(call("tokenizer", "--model", "glm-4.6", "--input", "hello"))["usage"]["total_tokens"] == 5
    assert len(body(call("web-search", "--query", "fog", "--max_results", "2"))["search_result"]) == 2
    page = call("reader", "--url", "https://example.com/fog", "--no-cache", "--no-gfm")
    assert body(page)["reader_result"]["title"] == "fog"


def test_agents(call: Call, tmp_path: Path) -> None:
    asked = ("--messages", "Good morning", "--custom-variables", '{"target_lang": "fr"}')
    said = body(call("agent", "--agent-id", "general_translation", *asked))["choices"][0]["messages"][0]["content"]
    assert said == {"type": "text", "text": "[fr] Good morning"}
    part = json.dumps({"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com/a.png"}]})
    video = ("--agent-id", "vidu_template_agent", "--messages", part, "--custom-variables", '{"template": "sexy_me"}')
    begun = body(call("agent", *video))
    told = body(call("agent-result", "--agent-id", "vidu_template_agent", "--async-id", begun["async_id"]))
    assert told["status"] == "success"
    slides = body(call("agent", "--agent-id", "slides_glm_agent", "--messages", "Tides"))
    history = ("--agent-id", "slides_glm_agent", "--conversation-id", slides["conversation_id"])
    assert body(call("agent-history", *history))["choices"]
    terms = tmp_path / "terms.txt"
    terms.write_text("fog")
    assert body(call("file-upload", "--purpose", "agent", "--file", str(terms)))["bytes"] == 3


def test_lists(call: Call) -> None:
    assert body(call("models"))["object"] == "list"
    assert "/api/v1/agents" in body(call("openapi"))["paths"]
    assert "/v1/agents" in body(call("definition"))["paths"]


def test_directly(call: Call, api: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAJOBS_API_BASE_URL", api.direct_base_url)
    assert body(call("image-async", "--model", "glm-image", "--prompt", "a cat"))["task_status"] == "PROCESSING"
    assert len(body(call("web-search", "--query", "fog", "--max-results", "2"))["search_result"]) == 2
    refused = call("openapi")
    assert (refused.exit_code, "only through the proxy" in refused.stderr) == (2, True)


# -- other paths ---------------------------------------------------------------------------------------


def test_another_provider_in_either_format(call: Call, api: SandboxProcess) -> None:
    asked = ("/resource/{id}", "--provider", "echo", "--path", "id=7", "--query", "limit=2")
    for formats, used in (("both", "new"), ("old", "old")):
        api.change("config", formats=formats)
        said = body(call(*asked))
        assert (said["id"], said["format"], said["query"]) == ("7", used, {"limit": "2"})
    said = body(call("/resource/{id}", "--provider", "echo", "--path", "id=7", "--json", '{"a": 1}'))
    assert (said["method"], said["body"]) == ("POST", {"a": 1})
    assert body(call("/resource", "--provider", "echo")) == {"data": [{"id": "1"}, {"id": "2"}]}


def test_what_worked_is_in_the_table(
    call: Call, api: SandboxProcess, engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIAJOBS_DATABASE_URL", database_url)
    body(call("/resource/{id}", "--provider", "echo", "--path", "id=7"))
    with engine.connect() as conn:
        [row] = conn.execute(text("select provider, endpoint, format from endpoint_formats")).all()
    assert tuple(row) == (f"{api.url}/echo", "/resource/{id}", "new")
    monkeypatch.setenv("MEDIAJOBS_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert body(call("openapi"))["paths"]  # a call needs no database


# -- what goes wrong -----------------------------------------------------------------------------------

MISUSED: dict[str, tuple[list[str], str | None, str]] = {
    "no such endpoint": (["chatt"], None, "there is no endpoint 'chatt'; did you mean chat?"),
    "no such option": (["chat", "--mesages", "x"], None, "Did you mean '--messages'?"),
    "no number": (["chat", "--max-tokens", "x"], None, "'x' is no number"),
    "no object": (["chat", "--thinking", "[1]"], None, "is no JSON object"),
    "no list": (["chat", "--tools", "[1"], None, "starts like JSON but is none"),
    "no JSON": (["chat", "--json", "{"], None, "--json is no JSON"),
    "JSON that is no body": (["chat", "--json", "-"], "[1]", "--json is no JSON object"),
    "no file": (["chat", "--json", "@none.json"], None, "--json @none.json: No such file or directory"),
    "no id": (["async-result"], None, "--id is missing: it is a part of the path"),
    "no parameter": (["/resource/{id}"], None, "give it as --path id=VALUE"),
    "no pair": (["/resource", "--query", "x"], None, "--query takes NAME=VALUE"),
}


@pytest.mark.parametrize(("words", "stdin", "said"), MISUSED.values(), ids=MISUSED)
def test_misuse_is_told_and_nothing_is_sent(
    call: Call, api: SandboxProcess, words: list[str], stdin: str | None, said: str
) -> None:
    refused = call(*words, stdin=stdin)
    assert (refused.exit_code, said in refused.stderr) == (2, True), refused.stderr
    assert api.summary()["received"] == 0


def test_a_body_from_a_file_and_unknown_fields(call: Call, api: SandboxProcess, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text(json.dumps({"model": "cogview-4-250304", "promt": "x", "shiny": 1}))
    answered = call("image", "--json", "@b.json", "--prompt", "a cat")
    assert body(answered)["data"]
    assert "no document has a field promt; is it prompt?" in answered.stderr
    assert "no document has a field shiny" in answered.stderr
    lacking = call("image", "--json", '{"prompt": "x"}')
    assert "model is missing, which the API requires" in lacking.stderr
    assert "code 1213" in lacking.stderr


FAILING: dict[str, tuple[str, int, str]] = {
    "refused content": ("content", 1, "(HTTP 400, code 1301)"),
    "a limit": ("rate_limit", 1, "too many calls at once: try again in a moment"),
    "no balance": ("no_balance", 1, "there is no balance"),
    "a path that is not there": ("proxy_not_found", 1, "nothing is at this path; `mediajobs doctor --api` tells"),
    "a lost answer": ("bad_gateway_after", 1, "it may have been accepted, and charged; it was sent once"),
    "a page": ("html", 1, "the answer began: <html>"),
    "a reset": ("reset_after", 1, "the answer was lost"),
}


@pytest.mark.parametrize(("fault", "exit_code", "said"), FAILING.values(), ids=FAILING)
def test_failures_are_told(call: Call, api: SandboxProcess, fault: str, exit_code: int, said: str) -> None:
    failed = call("image", "--model", "cogview-4-250304", "--prompt", f"x [[fault:{fault}]]")
    assert (failed.exit_code, failed.stdout) == (exit_code, "")
    assert said in failed.stderr
    assert api.token not in failed.stderr
    assert api.summary()["received"] == 1


def test_what_is_not_offered_here_is_refused_before_its_price_is_told(call: Call, api: SandboxProcess) -> None:
    refused = call("image-async", "--model", "glm-image", "--prompt", "a cat")
    assert (refused.exit_code, api.summary()["received"]) == (2, 0)
    assert refused.stderr == (
        "mediajobs: image_async is not offered through the proxy, only by Z.AI directly (code not_offered)\n"
        "  -> MEDIAJOBS_API_BASE_URL decides: https://api.z.ai/api is Z.AI itself\n"
    )


def test_a_conversation_that_is_not_known(call: Call) -> None:
    asked = ("--agent-id", "slides_glm_agent", "--conversation-id", "nope")
    told = call("agent-history", *asked)
    assert (told.exit_code, "is it a `conversation_id` that an answer of this agent named?" in told.stderr) == (1, True)
    task = call("agent-result", "--agent-id", "slides_glm_agent", "--async-id", "nope")
    assert "it may be known in a moment, or no more" in task.stderr


def test_no_api_and_no_token(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAJOBS_API_TOKEN", "")
    refused = call("image", "--model", "cogview-4-250304", "--prompt", "a")
    assert (refused.exit_code, "paid call" in refused.stderr) == (2, False)
    assert "no API token: MEDIAJOBS_API_TOKEN is not set here" in refused.stderr
    monkeypatch.setenv("MEDIAJOBS_API_TOKEN", "x")
    monkeypatch.setenv("MEDIAJOBS_API_BASE_URL", "http://127.0.0.1:1/zai")
    failed = call("models")
    assert (failed.exit_code, "could not be reached" in failed.stderr) == (3, True)


# -- names ---------------------------------------------------------------------------------------------


def test_shell_completion_knows_the_names() -> None:
    complete = ShellComplete(cli, {}, "mediajobs", "_MEDIAJOBS_COMPLETE")
    assert [each.value for each in complete.get_completions(["call"], "agent")] == [
        "agent",
        "agent-result",
        "agent-history",
    ]
    options = {each.value for each in complete.get_completions(["call", "chat"], "--t")}
    assert options == {"--temperature", "--thinking", "--tool-choice", "--tool-stream", "--tools", "--top-p",
                       "--tool_choice", "--top_p"}  # fmt: skip


@pytest.mark.parametrize("name", ENDPOINTS)
def test_each_tells_its_fields_and_its_cost(call: Call, name: str) -> None:
    told = call(name.replace("_", "-"), "--help").stdout
    assert ENDPOINTS[name].title in told
    assert ("A call costs money." in told) is ENDPOINTS[name].paid
