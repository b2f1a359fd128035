"""One request as faults see it."""

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from sandbox.ledger import Entry
from sandbox.world import Task, World

#: `[[fault:NAME]]`, `[[fault:NAME:VALUE]]`; `[[fault:NAME@poll]]` where it is to act on another call than its own.
MARKER = re.compile(r"\[\[fault:([a-z_0-9]+)(?:@([a-z]+))?(?::([^\]]*))?\]\]")
KEY = re.compile(r"\[\[key:([^\]]*)\]\]")
#: Endpoints that are not submissions.
STAGES = {"async_result": "poll", "agent_result": "poll", "agent_history": "poll", "models": "list", "echo": "list",
          "definition": "list", "file": "file"}  # fmt: skip

Marker = tuple[str, str, str]


def is_direct(request: Request) -> bool:
    """Z.AI itself, without the proxy."""
    path: str = request.scope["path"]
    return path.startswith("/api/")


def token_of(request: Request) -> str:
    if is_direct(request):
        return request.headers.get("authorization", "").removeprefix("Bearer ")
    return request.query_params.get("api_token", "")


@dataclass(slots=True)
class Scene:
    """`text`: where markers are looked for. `count`: which poll since the task is done, or fetch of a file, this is."""

    world: World
    request: Request
    endpoint: str
    model: str = ""
    text: str = ""
    entry: Entry | None = None
    task: Task | None = None
    #: The id that a poll asks for.
    asked: str = ""
    count: int = 0
    done: bool = True
    wrapper: str = "bare"
    #: It is to be answered with a stream; the seconds over which that goes out.
    streams: bool = False
    pace_s: float = 0.0
    #: VALUE of the fault that acts now, and its rule's parameters.
    value: str | None = None
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """submit, poll, list or file."""
        return STAGES.get(self.endpoint, "submit")

    @property
    def direct(self) -> bool:
        return is_direct(self.request)

    def markers(self) -> list[Marker]:
        return MARKER.findall(self.text) if "[[fault:" in self.text else []

    def number(self, default: float) -> float:
        """The fault's VALUE as a number."""
        try:
            return float(self.value or default)
        except ValueError:
            return default


def key_in(text: str) -> str | None:
    found = KEY.search(text) if "[[key:" in text else None
    return found[1] if found else None
