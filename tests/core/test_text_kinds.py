"""Chats, code and agents as jobs on the stand-in: what is kept, what it cost, what becomes of faults."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from tests.support.core import Core

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["city", "n"],
}
FUNCTION = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def outputs(core: Core, key: str) -> dict[str, Any]:
    """Role → text, or the JSON in the file."""
    rows = core.rows(
        "select role, text, location from outputs where job_id = (select id from jobs where key = :key)", key=key
    )
    folder = core.folder / "outputs"
    return {row.role: json.loads((folder / row.location).read_text()) if row.role in {"json", "tool_calls"}
            else row.text or (folder / row.location).read_bytes() for row in rows}  # fmt: skip


def test_chats_are_kept_whole_and_cost_what_their_tokens_cost(core: Core) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG")
    (core.folder / "a.png").write_bytes(picture.getvalue())
    core.enqueue(
        "chat",
        {"key": "plain", "prompt": "What is fog?", "max_tokens": 500},
        {"key": "stream", "prompt": "What is fog?", "max_tokens": 500, "stream": True},
        {"key": "json", "prompt": "Which city?", "json_schema": SCHEMA, "max_tokens": 500},
        {"key": "tool", "prompt": "The weather in Oslo?", "tools": [FUNCTION], "max_tokens": 500},
        {"key": "image", "prompt": "What is it?", "images": "a.png", "model": "glm-4.6v", "max_tokens": 500},
        {"key": "free", "prompt": "What is fog?", "model": "glm-4.7-flash"},
    )
    core.enqueue("code", {"key": "code", "prompt": "Sort a list.", "max_tokens": 500}, batch="c")
    assert core.work() == 0, core.log()
    assert set(core.states().values()) == {"succeeded"}
    plain, streamed = outputs(core, "plain"), outputs(core, "stream")
    assert plain["text"].startswith("You asked: What is fog?")
    assert plain["json"]["choices"][0]["message"]["reasoning_content"]
    assert streamed["json"]["usage"]["total_tokens"] > 0
    assert streamed["text"].startswith("You asked: What is fog?")
    assert set(json.loads(outputs(core, "json")["text"])) == {"city", "n"}
    assert outputs(core, "tool")["tool_calls"][0]["function"]["name"] == "get_weather"
    assert "40x30" in outputs(core, "image")["text"]
    ledger = {entry["request_id"]: entry for entry in core.stand_in.ledger()}
    for row in core.rows(
        "select j.key, j.cost, j.estimate, a.request_id from jobs j join attempts a on a.job_id = j.id"
    ):
        assert row.cost == Decimal(str(ledger[row.request_id]["cost"])).quantize(Decimal("0.000001")), row.key
        assert row.key == "free" or 0 < row.cost < row.estimate
    [answer] = core.rows("select answer from attempts a join jobs j on j.id = a.job_id where j.key = 'stream'")
    assert bytes(answer.answer).startswith(b"data: {")
    assert core.audit() == []


#: A prompt's marker, more fields → state, error code, requests, possibly charged, whether it cost anything
FAULTS: dict[str, tuple[str, dict[str, Any], str, str | None, int, bool, bool]] = {
    "refused": ("[[fault:content]]", {}, "failed", "1301", 1, False, False),
    "lost": ("[[fault:reset_after]]", {}, "held", "answer_lost", 2, True, False),
    "lost in its stream": ("[[fault:reset_midway]]", {"stream": True}, "held", "answer_lost", 2, True, False),
    "an error in its stream": ("[[fault:stream_error:3]]", {"stream": True}, "held", "1234", 2, True, False),
    "no stream": ("[[fault:html]]", {"stream": True}, "held", "not_json", 2, True, False),
    "no JSON": ("[[say:n is 1]]", {"response_format": "json_object"}, "failed", "unreadable_answer", 1, False, True),
    "does not fit": ('[[say:{"city": 5}]]', {"json_schema": SCHEMA}, "failed", "unreadable_answer", 1, False, True),
    "all thoughts": ("[[say: ]]", {}, "failed", "unreadable_answer", 1, False, True),
}  # fmt: skip


def test_faults(core: Core) -> None:
    core.enqueue("chat", *(
        {"key": key, "prompt": f"x {marker}", "max_tokens": 100, **more} for key, (marker, more, *_) in FAULTS.items()
    ))  # fmt: skip
    assert core.work() == 0, core.log()
    rows = core.rows("select key, state, error_code, requests, possibly_charged, cost > 0 from jobs")
    assert {row.key: tuple(row)[1:] for row in rows} == {key: expected[2:] for key, expected in FAULTS.items()}
    [row] = core.rows("select error_message from jobs where key = 'does not fit'")
    assert row.error_message.startswith("the answer does not fit the schema: $")
    assert core.audit() == []


def test_an_answer_that_did_not_fit_is_asked_for_again_by_retry(core: Core) -> None:
    core.enqueue("chat", {"key": "k", "prompt": "x [[say:no]]", "response_format": "json_object", "max_tokens": 100})
    assert core.work() == 0, core.log()
    core.retry_failed()
    assert core.work() == 0, core.log()
    [row] = core.rows("select state, requests, cost from jobs")
    [once] = core.rows("select max(cost) as cost from attempts")
    assert (row.state, row.requests, row.cost) == ("failed", 2, once.cost * 2)
    assert core.audit() == []


def test_agents_answer_at_once_or_by_a_task_that_the_poller_asks_about(core: Core) -> None:
    core.enqueue(
        "agent",
        {"key": "said", "prompt": "Good morning", "custom_variables": {"target_lang": "fr"}},
        {"key": "stream", "prompt": "Good morning", "custom_variables": {"target_lang": "de"}, "stream": True},
        {"key": "deck", "prompt": "Fog", "agent_id": "slides_glm_agent"},
        {"key": "dance", "prompt": "dance", "agent_id": "vidu_template_agent", "images": "https://h/a.png",
         "custom_variables": {"template": "bodyshake"}},
        {"key": "refused", "prompt": "dance [[fault:fail_error]]", "agent_id": "vidu_template_agent",
         "images": "https://h/a.png", "custom_variables": {"template": "bodyshake"}},
    )  # fmt: skip
    assert core.work() == 0, core.log()
    assert core.states() == {
        "said": "succeeded", "stream": "succeeded", "deck": "succeeded", "dance": "succeeded", "refused": "failed",
    }  # fmt: skip
    assert outputs(core, "said")["text"].startswith("[fr] Good morning")
    assert outputs(core, "stream")["text"].startswith("[de] Good morning")
    assert outputs(core, "dance")["video"][4:8] == b"ftyp"
    deck = outputs(core, "deck")
    assert deck["page"].startswith(b"<html>")
    costs = {row.key: row.cost for row in core.rows("select key, cost from jobs")}
    charged = {entry["key"]: entry["cost"] for entry in core.stand_in.ledger()}
    assert costs["said"] == Decimal(str(charged["said"])).quantize(Decimal("0.000001")) > 0
    assert (costs["dance"], costs["refused"]) == (Decimal("0.2"), 0)
    assert core.audit() == []
    core.enqueue(
        "agent",
        *({"key": form, "agent_id": "slides_glm_agent", "conversation_id": deck["conversation"], "history": form}
          for form in ("pdf", "images")), batch="history",
    )  # fmt: skip
    assert core.work() == 0, core.log()
    assert core.states()["pdf"] == core.states()["images"] == "succeeded"
    assert outputs(core, "pdf")["file"].startswith(b"%PDF")
    assert outputs(core, "images")["image"].startswith(b"\x89PNG")
    assert {row.cost for row in core.rows("select cost from jobs where key in ('pdf', 'images')")} == {0}
    assert core.audit() == []


@pytest.mark.parametrize("form", ["new", "old"])
def test_an_agent_is_asked_once_whichever_path_the_proxy_knows(core: Core, form: str) -> None:
    core.stand_in.change("config", formats=form)
    core.enqueue("agent", {"key": "a", "prompt": "Good morning"})
    core.enqueue(
        "agent",
        {"key": "b", "prompt": "dance", "agent_id": "vidu_template_agent", "images": "https://h/a.png",
         "custom_variables": {"template": "bodyshake"}}, batch="b",
    )  # fmt: skip
    assert core.work() == 0, core.log()
    assert set(core.states().values()) == {"succeeded"}
    assert core.stand_in.summary()["charged"] == 2
    assert core.audit() == []
