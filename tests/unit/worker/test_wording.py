"""What is said of bad values: the field that was written, the value, what would be right."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from provider.wire import Json
from sandbox.tones import speak, wav
from worker.kinds import KINDS
from worker.manifest import Problem, read
from worker.wording import shown

GOOD: dict[str, Json] = {
    "image": {"prompt": "a"}, "video": {"prompt": "a"}, "transcription": {"file": "a.wav"}, "chat": {"prompt": "a"},
    "code": {"prompt": "a"}, "agent": {"prompt": "a"},
}  # fmt: skip
VALUES: list[Any] = [
    5, -1, 1.5, 10**30, float("inf"), float("nan"), True, "", "  ", "word", "x" * 300, "\u00e9" * 300, "\x00", "\ud800",
    [], ["a", "b"], [1], [None], [["a"]], ["a"] * 101, {}, {"x": None}, "[1]", "[1", '{"a": True}', "{{ What? }}",
]  # fmt: skip
OWN = ("key", "kind", "after", "priority", "run_at")
#: What people should not have to know.
FOREIGN = re.compile(r"\b(None|True|False|input|valid|pydantic|dictionary|integer|boolean|function-)\b|[\[{]'|\bb'")


def problems(row: Json, kind: str, folder: Path) -> list[Problem]:
    found = read(io.BytesIO(json.dumps(row).encode() + b"\n"), "jsonl", KINDS[kind], folder)
    return [each for each in found if isinstance(each, Problem)]


@pytest.mark.parametrize("kind", GOOD)
def test_every_bad_value_is_told_of_by_its_field_and_with_a_remedy(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))
    told = 0
    for field in (*KINDS[kind].fields, *OWN):
        for value in VALUES:
            for problem in problems({**GOOD[kind], field: value}, kind, tmp_path):
                told += 1
                said = f"{value!r} for {field}: {problem.field}: {problem.message}"
                # More than the field may be wrong: a model of text does not look at images.
                assert problem.field == field or "leave" in problem.message or "choose" in problem.message, said
                quoted = re.sub(r"'[^']*'|…", "", problem.message)
                assert not FOREIGN.search(quoted), said
                assert re.search("; |cannot be read|starts like|must be", problem.message), said
    assert told > 100


NAMED: dict[str, tuple[str, Json, str]] = {
    "an agent": ("agent", {"agent_id": 5, "prompt": "a"}, "agent_id: 5 is no text; give one, in quotes"),
    "an agent as a model": ("agent", {"model": 5, "prompt": "a"}, "model: 5 is no text; give one, in quotes"),
    "a model beside an agent": (
        "agent", {"agent_id": "slides_glm_agent", "model": 5, "prompt": "a"}, "model: 5 is no text; give one",
    ),
    "a model as an agent": (
        "agent", {"agent_id": "glm-4.6", "prompt": "a"}, "agent_id: 'glm-4.6' is a model for chat and code jobs",
    ),
    "messages without an image": (
        "agent", {"agent_id": "vidu_template_agent", "custom_variables": {"template": "bodyshake"},
                  "messages": [{"role": "user", "content": "a"}]},
        "messages: vidu_template_agent needs an image to begin with; give one",
    ),
    "a file that is not there": (
        "video", {"image_url": "nope.png"},
        "image_url: 'nope.png' is neither an http(s) URL nor base64 of an image nor a file; paths start",
    ),
    "one of two": ("chat", {"prompt": "a", "images": ["https://h/a", "b"]}, "images: image 2, 'b', is neither an http"),
    "no text in a list": ("transcription", {"file": "s3://b/a", "hotwords": ["a", 1]}, "hotwords: item 2: 1 is no"),
    "a word for a list": ("chat", {"messages": "Hello"}, "messages: 'Hello' is no list; write it as a JSON list"),
    "a choice": ("image", {"prompt": "a", "quality": "best"}, "quality: 'best' is not offered; choose from 'hd', 's"),
    "a type": ("chat", {"prompt": "a", "thinking": {}}, "thinking: is of type null; types are enabled, disabled"),
    "a long prompt": ("video", {"prompt": "a" * 513}, "prompt: has 513 characters; at most 512 are allowed"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "row", "said"), NAMED.values(), ids=NAMED)
def test_what_is_said(kind: str, row: Json, said: str, tmp_path: Path) -> None:
    [problem] = problems(row, kind, tmp_path)
    assert f"{problem.field}: {problem.message}".startswith(said)


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "'a'"), (None, "null"), (True, "true"), ({"a": ["\u00e9", 1.5]}, '{"a": ["\u00e9", 1.5]}'),
     (Path("a"), '"a"'), ("x" * 61, "'" + "x" * 56 + "…"), (["\ud800"], '["\\ud800"]')],
)  # fmt: skip
def test_values_as_they_are_shown(value: Any, text: str) -> None:
    assert shown(value) == text
