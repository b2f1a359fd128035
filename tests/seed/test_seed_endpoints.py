"""Each endpoint of the seed, called with every field of its table; the test's name is the endpoint's."""

import json
from pathlib import Path
from typing import Any

import pytest

from provider.address import Address
from provider.endpoints import ENDPOINTS, fields_of
from provider.formats import NEW, OLD
from sandbox.process import SandboxProcess
from sandbox.tones import speak, wav
from tests.seed.conftest import Call
from tests.support import seed
from worker.kinds import KINDS

BY_TITLE = {endpoint.title: name for name, endpoint in ENDPOINTS.items()}
LISTED = seed.endpoints()
TITLES = [each.title for each in LISTED]
#: A good value for each field of the chat tables.
CHAT: dict[str, Any] = {
    "do_sample": True, "max_tokens": 50, "messages": [{"role": "user", "content": "What is fog?"}], "model": "glm-4.6",
    "request_id": "req-000001", "response_format": {"type": "text"}, "stop": ["zzz"], "stream": False,
    "temperature": 0.5, "thinking": {"type": "disabled"}, "tool_choice": "auto", "tool_stream": False,
    "tools": [{"type": "function", "function": {"name": "get_tide", "parameters": {}}}], "top_p": 0.9,
    "user_id": "user-0001",
}  # fmt: skip


def heard(api: SandboxProcess, title: str) -> dict[str, object]:
    """What the proxy got: at the new path, once, with every field of the seed's table."""
    listed = next(each for each in LISTED if each.title == title)
    [entry] = api.ledger()
    assert entry["path"] == f"/zai{listed.new}"
    assert isinstance(entry["fields"], list)
    assert listed.fields.keys() <= set(entry["fields"])
    return entry


# -- the table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", LISTED, ids=TITLES)
def test_method_paths_and_fields_are_those_of_the_seed(listed: seed.Listed) -> None:
    endpoint = ENDPOINTS[BY_TITLE[listed.title]]
    assert (endpoint.method, endpoint.new_path) == (listed.method, listed.new)
    assert endpoint.source.startswith(listed.doc.removeprefix("https://"))
    kinds = {"file": "string"}
    fields = {name: kinds.get(kind, kind) for name, kind in {**listed.fields, **listed.parameters}.items()}
    assert fields_of(endpoint.seed) == fields


@pytest.mark.parametrize("listed", LISTED, ids=TITLES)
@pytest.mark.parametrize("url_format", [NEW, OLD])
def test_urls_are_those_of_the_seed(listed: seed.Listed, url_format: str) -> None:
    name = BY_TITLE[listed.title]
    path = dict.fromkeys(listed.parameters, "77")
    url = Address(seed.BASE, "YOUR_API_TOKEN").url(name, ENDPOINTS[name], path, {}, url_format)
    below, _, query = url.removeprefix(seed.BASE).partition("?")
    expected, _, parameters = (listed.new if url_format == NEW else listed.old).replace("{id}", "77").partition("?")
    assert below == expected
    assert set(query.split("&")) == {"api_token=YOUR_API_TOKEN", *filter(None, [parameters])}


@pytest.mark.parametrize("title", [title for title in TITLES if BY_TITLE[title] in KINDS])
def test_a_kind_takes_every_field_of_the_seeds_table(title: str) -> None:
    name = BY_TITLE[title]
    assert fields_of(ENDPOINTS[name].seed).keys() <= {*KINDS[name].fields, "request_id"}


# -- one by one -----------------------------------------------------------------------------------------


def test_code_completion(call: Call, api: SandboxProcess) -> None:
    assert call("code", "--json", json.dumps(CHAT))["choices"][0]["message"]["content"] == "You asked: What is fog?"
    heard(api, "Code Completion")


def test_create_chat_completion(call: Call, api: SandboxProcess) -> None:
    answer = call("chat", "--json", json.dumps(CHAT))
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["request_id"] == "req-000001"
    assert heard(api, "Create Chat Completion")["charged"]


def test_generate_image(call: Call, api: SandboxProcess) -> None:
    answer = call("image", "--model", "cogview-4-250304", "--n", "1", "--prompt", "a lighthouse", "--size", "1024x1024")
    assert answer["data"][0]["url"].startswith("http")
    heard(api, "Generate Image")


def test_generate_video(call: Call, api: SandboxProcess) -> None:
    assert call("video", "--model", "cogvideox-3", "--prompt", "a lighthouse")["task_status"] == "PROCESSING"
    heard(api, "Generate Video")


def test_retrieve_video_result_using_id(call: Call, api: SandboxProcess) -> None:
    task = call("video", "--model", "cogvideox-3", "--prompt", "a lighthouse")["id"]
    for formats in ("new", "old"):
        api.change("config", formats=formats)
        answer = call("async-result", "--id", task)
        assert answer["task_status"] == "SUCCESS"
        assert answer["video_result"][0]["url"].endswith(".mp4")


def test_audio_transcriptions(call: Call, api: SandboxProcess, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber", "ocean"])))
    answer = call(
        "transcription", "--file", "a.wav", "--language", "en", "--model", "glm-asr-2512", "--prompt", "Before:",
        "--response-format", "json", "--temperature", "0.2",
    )  # fmt: skip
    assert answer["text"] == "amber ocean"
    heard(api, "Audio Transcriptions")


def test_tokenizer(call: Call, api: SandboxProcess) -> None:
    assert call("tokenizer", "--input", "What is fog?", "--model", "glm-4.6")["usage"]["prompt_tokens"] == 8
    assert "messages" in str(heard(api, "Tokenizer")["fields"])


def test_web_search(call: Call, api: SandboxProcess) -> None:
    assert len(call("web-search", "--max-results", "3", "--query", "fog")["search_result"]) == 3
    assert "search_query" in str(heard(api, "Web Search")["fields"])


def test_web_reader(call: Call, api: SandboxProcess) -> None:
    assert call("reader", "--url", "https://example.com/fog")["reader_result"]["url"] == "https://example.com/fog"
    heard(api, "Web Reader")


TRANSLATION = ("--agent-id", "general_translation", "--messages", "Good morning", "--model", "glm-4.6")


def test_agent_chat(call: Call, api: SandboxProcess) -> None:
    assert "Good morning" in json.dumps(call("agent", *TRANSLATION))
    heard(api, "Agent Chat")


def test_agent_chat_in_the_old_format(call: Call, api: SandboxProcess) -> None:
    api.change("config", formats="old")
    call("agent", *TRANSLATION)
    assert [(entry["path"], entry["charged"]) for entry in api.ledger()] == [
        ("/zai/api/v1/agents", False),
        ("/zai/v1/agents", True),
    ]


def test_retrieve_agent_result(call: Call, api: SandboxProcess) -> None:
    part = {"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com/a.png"}]}
    body = {"agent_id": "vidu_template_agent", "messages": [part], "custom_variables": {"template": "french_kiss"}}
    task = call("agent", "--json", json.dumps(body))
    for formats in ("new", "old"):
        api.change("config", formats=formats)
        answer = call("agent-result", "--agent-id", "vidu_template_agent", "--async-id", task["async_id"])
        assert answer["status"] == "success"


def test_conversation_history(call: Call, api: SandboxProcess) -> None:
    slides = call("agent", "--agent-id", "slides_glm_agent", "--messages", "Tides")
    for formats in ("new", "old"):
        api.change("config", formats=formats)
        asked = ("--agent-id", "slides_glm_agent", "--conversation-id", slides["conversation_id"])
        assert call("agent-history", *asked)["conversation_id"] == slides["conversation_id"]


def test_file_upload(call: Call, tmp_path: Path) -> None:
    (tmp_path / "terms.txt").write_text("fog,Nebel\n")
    answer = call("file-upload", "--file", "terms.txt", "--purpose", "agent")
    assert (answer["object"], answer["bytes"], answer["purpose"]) == ("file", 10, "agent")
