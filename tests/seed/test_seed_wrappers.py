"""The seed's wrapper, and the two others that its proxy is believed to use: for every endpoint, in both URL formats."""

import json
from pathlib import Path
from typing import Any

import pytest

from provider.endpoints import ENDPOINTS
from provider.errors import ProviderError
from sandbox.process import SandboxProcess
from sandbox.tones import speak, wav
from tests.seed.conftest import Call, send
from tests.seed.test_seed_rules import ERRORS, IMAGE

WRAPPERS = ["data", "result", "bare"]
FORMATS = ["new", "old"]
SLIDES, EFFECTS = ("--agent-id", "slides_glm_agent"), ("--agent-id", "vidu_template_agent")
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": "https://example.com/a.png"}]}
TEMPLATE = '{"template": "bodyshake"}'
ASKED = ("--model", "glm-4.6", "--messages", "What is fog?")
#: Endpoint → how it is called, and a field that its answer has.
CALLS: dict[str, tuple[tuple[str, ...], str]] = {
    "chat": (ASKED, "choices"),
    "code": (ASKED, "choices"),
    "image": (("--model", "cogview-4-250304", "--prompt", "a cat"), "data"),
    "video": (("--model", "cogvideox-3", "--prompt", "a cat"), "id"),
    "async_result": (("--id", "ID of video"), "video_result"),
    "transcription": (("--model", "glm-asr-2512", "--file", "a.wav"), "text"),
    "tokenizer": (("--model", "glm-4.6", "--input", "hello"), "usage"),
    "web_search": (("--query", "fog"), "search_result"),
    "reader": (("--url", "https://example.com/fog"), "reader_result"),
    "agent": (("--agent-id", "general_translation", "--messages", "hi"), "choices"),
    "agent_result": ((*EFFECTS, "--async-id", "ASYNC_ID of agent"), "choices"),
    "agent_history": ((*SLIDES, "--conversation-id", "CONVERSATION_ID of agent"), "choices"),
    "file_upload": (("--file", "a.wav", "--purpose", "agent"), "bytes"),
    "models": ((), "data"),
    "openapi": ((), "paths"),
}


@pytest.fixture
def known(call: Call, tmp_path: Path) -> dict[str, str]:
    """What some calls need from calls before them."""
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))
    effects = ("agent", *EFFECTS, "--messages", json.dumps(PICTURE), "--custom-variables", TEMPLATE)
    return {
        "ID of video": call("video", *CALLS["video"][0])["id"],
        "ASYNC_ID of agent": call(*effects)["async_id"],
        "CONVERSATION_ID of agent": call("agent", *SLIDES, "--messages", "Tides")["conversation_id"],
    }


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("formats", FORMATS)
def test_response_format_of_every_endpoint(
    call: Call, api: SandboxProcess, known: dict[str, str], wrapper: str, formats: str
) -> None:
    api.change("config", wrapper=wrapper, formats=formats)
    answers: dict[str, Any] = {
        name: call(name.replace("_", "-"), *(known.get(word, word) for word in words))
        for name, (words, _) in CALLS.items()
    }
    assert {name: field in answers[name] for name, (_, field) in CALLS.items()} == dict.fromkeys(CALLS, True)
    assert all(name in CALLS for name, endpoint in ENDPOINTS.items() if endpoint.new_path and name != "definition")


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("status", ERRORS)
def test_error_handling_in_every_wrapper(api: SandboxProcess, status: str, wrapper: str) -> None:
    fault, kind, code = ERRORS[status]
    api.change("config", wrapper=wrapper)
    api.play({"fault": fault, "match": {"endpoint": "image"}})
    with pytest.raises(ProviderError) as failed:
        send(api, IMAGE)
    assert type(failed.value) is kind
    assert (failed.value.http_status, failed.value.code) == (int(status), code)
