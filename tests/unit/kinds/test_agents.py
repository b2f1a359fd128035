"""Agents: what a row may hold, what is sent, what is made of answers and tasks."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from provider.wire import Json
from worker.kind import Intent, Outputs, Pending, Remote, RemoteFailed, Result, UnreadableAnswerError
from worker.kinds.agent import KIND
from worker.tariff import Tokens

HERE = Path("/")
ASK = [{"role": "user", "content": [{"type": "text", "text": "Good morning"}]}]
EFFECTS = {
    "agent_id": "vidu_template_agent", "prompt": "dance", "images": "https://h/a.png",
    "custom_variables": {"template": "bodyshake"},
}  # fmt: skip


def sent(fields: Json) -> tuple[str, Json]:
    [args] = KIND.check(fields, HERE).jobs
    request = KIND.request(args, Intent(job_id=1, request_id="r" * 32))
    assert request.json is not None
    return request.endpoint, request.json


ONE = [{"role": "user", "content": {"type": "text", "text": "a"}}]
R = {"request_id": "r" * 32}
SENT: dict[str, tuple[Json, str, Json]] = {
    "a prompt": ({"prompt": "Good morning"}, "agent", {"agent_id": "general_translation", "messages": ASK, **R}),
    "the agent as --model gives it": (
        {"prompt": "Good morning", "model": "slides_glm_agent"},
        "agent", {"agent_id": "slides_glm_agent", "messages": ASK, **R},
    ),
    "a model beside the agent, as the seed has it": (
        {"prompt": "Good morning", "agent_id": "general_translation", "model": "glm-4.6"},
        "agent", {"agent_id": "general_translation", "model": "glm-4.6", "messages": ASK, **R},
    ),
    "everything": (
        {"messages": json.dumps(ASK), "custom_variables": '{"target_lang": "fr"}', "stream": "true",
         "user_id": "user-1", "conversation_id": "c1"},
        "agent", {"agent_id": "general_translation", "messages": ASK, "custom_variables": {"target_lang": "fr"},
                  "stream": True, "user_id": "user-1", "conversation_id": "c1", **R},
    ),
    "a message of one part": ({"messages": ONE}, "agent", {"agent_id": "general_translation", "messages": ONE, **R}),
    "an effect": (
        EFFECTS, "agent",
        {"agent_id": "vidu_template_agent", "custom_variables": {"template": "bodyshake"}, "messages": [
            {"role": "user", "content": [
                {"type": "image_url", "image_url": "https://h/a.png"}, {"type": "text", "text": "dance"},
            ]}], **R},
    ),
    "a history": (
        {"agent_id": "slides_glm_agent", "conversation_id": "c1", "history": "pdf"}, "agent_history",
        {"agent_id": "slides_glm_agent", "conversation_id": "c1", "custom_variables": {"include_pdf": True}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "endpoint", "body"), SENT.values(), ids=SENT)
def test_sent(fields: Json, endpoint: str, body: Json) -> None:
    assert sent(fields) == (endpoint, body)


BAD: dict[str, tuple[Json, str]] = {
    "nothing asked": ({}, "prompt: is missing; an agent needs a prompt"),
    "both": ({"prompt": "a", "messages": ASK}, "leave prompt and images out"),
    "a language": ({"prompt": "a", "custom_variables": {"target_lang": "tlh"}}, "target_lang is 'tlh'; choose"),
    "a strategy": ({"prompt": "a", "custom_variables": {"strategy": "fast"}}, "strategy is 'fast'"),
    "no template": ({**EFFECTS, "custom_variables": {}}, "have no template"),
    "no image": ({**EFFECTS, "images": []}, "needs an image to begin with"),
    "history of another": ({"history": "pdf", "conversation_id": "c"}, "is kept by slides_glm_agent alone"),
    "history of nothing": ({"agent_id": "slides_glm_agent", "history": "pdf"}, "conversation_id: is missing"),
    "history and a question": (
        {"agent_id": "slides_glm_agent", "history": "pdf", "conversation_id": "c", "prompt": "a"}, "and nothing asked",
    ),
    "a part": ({"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}, "types are text, image_url"),
    "a model of chats": ({"prompt": "a", "agent_id": "glm-4.6"}, "is a model for chat and code jobs, not for agent"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD)
def test_bad(fields: Json, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        KIND.check(fields, HERE)


def test_what_it_may_cost() -> None:
    assert KIND.check({"prompt": "a" * 27}, HERE).tokens == Tokens(input=10, output=30)
    assert KIND.check({"prompt": "a", "model": "slides_glm_agent"}, HERE).tokens.output == 200_000
    fetched = KIND.check({"agent_id": "slides_glm_agent", "conversation_id": "c", "history": "images"}, HERE)
    assert (fetched.tokens, fetched.units) == (Tokens(), Decimal(0))


#: What is answered to a submission, or to a poll
ANSWERS: dict[str, tuple[Json, Result]] = {
    "taken on": ({"agent_id": "x", "async_id": "t1", "status": "pending"}, Remote("t1")),
    "at work": ({"agent_id": "x", "status": "Pending"}, Pending()),
    "failed": ({"status": "failed", "async_id": "t1"}, RemoteFailed("remote_failed", "the provider gave no reason")),
    "failed with error": (
        {"status": "failed", "error": {"code": "1301", "message": "no"}}, RemoteFailed("1301", "no"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "result"), ANSWERS.values(), ids=ANSWERS)
def test_read(body: Json, result: Result) -> None:
    assert KIND.read(body, {}) == result


def outputs(choice: Json, **beside: Any) -> list[tuple[str, str, str | None]]:
    result = KIND.read({"choices": [choice], **beside}, {})
    assert isinstance(result, Outputs)
    return [(each.role, each.suffix, each.text or each.url) for each in result.outputs]


def test_what_is_said_and_made_is_kept() -> None:
    said = {"role": "assistant", "content": {"type": "text", "text": "[fr] Bonjour"}}
    assert outputs({"messages": [said]}) == [("text", ".txt", "[fr] Bonjour"), ("json", ".json", None)]
    video = {"role": "assistant", "content": [{"type": "video_url", "video_url": "https://h/a.mov?x=1"}]}
    assert outputs({"message": [video]}, status="success") == [
        ("video", ".mov", "https://h/a.mov?x=1"), ("json", ".json", None),
    ]  # fmt: skip
    steps = [
        {"phase": "thinking", "content": [{"type": "text", "text": "hm"}]},
        {"phase": "tool", "content": [{"type": "object", "object": {"tool_name": "insert_page", "output": "<html>"}}]},
        {"phase": "answer", "content": [{"type": "text", "text": "Done."}]},
    ]
    assert outputs({"message": steps}, conversation_id="c1") == [
        ("text", ".txt", "Done."), ("page", ".html", None), ("conversation", ".txt", "c1"), ("json", ".json", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body", [{"status": "success"}, {"choices": [{"message": []}]}, {"choices": [7]}, {"choices": 7}]
)
def test_an_answer_without_anything_is_unreadable(body: Json) -> None:
    with pytest.raises(UnreadableAnswerError):
        KIND.read(body, {})


def test_the_poll_names_the_agent() -> None:
    assert KIND.poll is not None
    request = KIND.poll("t1", {"model": "vidu_template_agent"})
    assert (request.endpoint, request.json) == ("agent_result", {"agent_id": "vidu_template_agent", "async_id": "t1"})
