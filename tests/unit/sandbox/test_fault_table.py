"""The table of faults: documented, and reached by marker and rule."""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from sandbox.config import Config
from sandbox.faults import FAULTS, POINTS
from sandbox.refusals import Refusal
from sandbox.rules import Faults
from sandbox.scene import Scene
from sandbox.world import World

DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"


def test_the_docs_and_the_code_name_the_same_faults() -> None:
    text = DOCS.read_text().split("## Faults")[1].split("## Facts without")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([a-z_0-9]+)`", row)]
    assert sorted(named) == sorted(FAULTS)


def test_each_fault_acts_at_a_point_that_there_is() -> None:
    assert {fault.point for fault in FAULTS.values()} == set(POINTS)


def scene(text: str = "a cat", endpoint: str = "image", model: str = "cogview-4") -> Scene:
    request = Request({"type": "http", "path": "/zai/x", "path_params": {}, "query_string": b"", "headers": []})
    return Scene(World(Config()), request, endpoint, model, text)


def refused(faults: Faults, asked: Scene) -> str | None:
    said = faults.first("before", asked)
    return said.code if isinstance(said, Refusal) else None


MARKERS = {
    "a marker": (scene("x [[fault:overload]]"), "1305"),
    "two, of which the first is of another kind of call": (scene("[[fault:gone]] [[fault:content]]"), "1301"),
    "none": (scene("x [[fault:]] [[fault overload]]"), None),
    "a name that there is not": (scene("[[fault:nothing]]"), None),
    "for polls": (scene("[[fault:overload@poll]]"), None),
    "for polls, on a poll": (scene("[[fault:overload@poll]]", "async_result"), "1305"),
    "of submissions, on a poll": (scene("[[fault:overload]]", "async_result"), None),
}


@pytest.mark.parametrize(("asked", "code"), MARKERS.values(), ids=MARKERS)
def test_markers(asked: Scene, code: str | None) -> None:
    assert refused(Faults(1), asked) == code


MATCHES: dict[str, tuple[dict[str, Any], list[bool]]] = {
    "all": ({}, [True, True, True, True]),
    "the first two": ({"match": {"first": 2}}, [True, True, False, False]),
    "every second": ({"match": {"every": 2}}, [False, True, False, True]),
    "but the first": ({"match": {"skip": 1, "first": 2}}, [False, True, True, False]),
    "two times": ({"times": 2}, [True, True, False, False]),
    "no longer": ({"for_s": 0}, [False, False, False, False]),
    "this model": ({"match": {"model": "cogview-4"}}, [True] * 4),
    "another model": ({"match": {"model": "glm-image"}}, [False] * 4),
    "this key": ({"match": {"key": "k1"}}, [True] * 4),
    "another key": ({"match": {"key": "k"}}, [False] * 4),
    "this path": ({"match": {"path_contains": "/zai"}}, [True] * 4),
    "another endpoint": ({"match": {"endpoint": "video"}}, [False] * 4),
    "never": ({"match": {"rate": 0}}, [False] * 4),
}


@pytest.mark.parametrize(("rule", "played"), MATCHES.values(), ids=MATCHES)
def test_rules(rule: dict[str, Any], played: list[bool]) -> None:
    faults = Faults(1)
    faults.add([{"fault": "overload", **rule}])
    asked = scene("a cat [[key:k1]]")
    assert [refused(faults, asked) == "1305" for _ in played] == played


def test_a_rate_is_the_same_for_the_same_seed() -> None:
    def played() -> list[str | None]:
        faults = Faults(7)
        faults.add([{"fault": "overload", "match": {"rate": 0.3}}])
        return [refused(faults, scene()) for _ in range(200)]

    assert played() == played()
    assert 30 < played().count("1305") < 90


def test_a_rules_endpoint_takes_a_fault_elsewhere() -> None:
    faults = Faults(1)
    faults.add([{"fault": "overload", "match": {"endpoint": "async_result"}}])
    assert [refused(faults, scene(endpoint=name)) for name in ("video", "async_result")] == [None, "1305"]
