"""How a probe looks at the API: raw, on either side, and what it sees, in a few words."""

import io
import json
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from sandbox.posts import POSTS

Body = dict[str, Any]
#: Free, by the price list.
CHAT_MODEL = "glm-4.5-flash"
IMAGE_MODEL, VIDEO_MODEL, ASR_MODEL = "cogview-4-250304", "cogvideox-3", "glm-asr-2512"
QUESTION = [{"role": "user", "content": "Say hello."}]
#: Of the form that the API's own ids have; nobody has it.
NO_TASK = "202001010000000000000000000000"
TIMEOUT_S = 300.0
#: Seconds between polls, and after which a task is given up.
POLL_S, GIVE_UP_S = 5.0, 900.0
PROXY, DIRECT = "proxy", "direct"


class Api:
    """One side of the API. base: such as https://api.lowcodeapi.com/zai or https://api.z.ai/api."""

    def __init__(self, base: str, token: str, *, poll_s: float) -> None:
        self.base, self.token, self.poll_s = base.rstrip("/"), token, poll_s
        parts = urlsplit(self.base)
        self.side = DIRECT if parts.path.endswith("/api") else PROXY
        # Of a path of Z.AI's, /api is in the base already.
        self.root = self.base.removesuffix("/api") if self.side == DIRECT else self.base
        host = "backend.lowcodeapi.com" if parts.netloc == "api.lowcodeapi.com" else parts.netloc
        self.backend = f"{parts.scheme}://{host}{parts.path}"
        self.http = httpx.Client(timeout=TIMEOUT_S)

    def url(self, endpoint: str, *, old: bool = False) -> str:
        post = POSTS[endpoint]
        path = post.direct if self.side == DIRECT else (post.old_proxy if old else post.proxy)
        return f"{self.root}{path}"

    def auth(self, token: str | None = None) -> Body:
        given = self.token if token is None else token
        if self.side == PROXY:
            return {"params": {"api_token": given} if given else {}}
        return {"headers": {"Authorization": f"Bearer {given}"} if given else {}}

    def post(self, endpoint: str, body: Body | None = None, *, old: bool = False, **given: Any) -> httpx.Response:
        if "files" not in given:
            given["json"] = body or {}
        return self.http.post(self.url(endpoint, old=old), **self.auth(), **given)

    def chat(self, endpoint: str = "chat", **fields: Any) -> httpx.Response:
        return self.post(endpoint, {"model": CHAT_MODEL, "messages": QUESTION, "max_tokens": 64, **fields})

    def get(self, path: str, **query: str) -> httpx.Response:
        auth = self.auth()
        params = {**auth.pop("params", {}), **query}
        return self.http.get(f"{self.root}{path}", params=params, **auth)

    def poll(self, task: str, *, old: bool = False) -> httpx.Response:
        path = "/api/paas/v4/async-result"
        return self.get(f"{path}/id", id=task) if old else self.get(f"{path}/{task}")

    def ended(self, task: str) -> Body:
        """A task's last answer."""
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            body = inner(self.poll(task))
            if body.get("task_status") != "PROCESSING" or time.monotonic() > deadline:
                return body
            time.sleep(self.poll_s)


# -- what is seen ----------------------------------------------------------------------------------------


def inner(answer: httpx.Response) -> Body:
    """The answer within its wrapper."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    for name in ("data", "result"):
        if isinstance(body, dict) and isinstance(body.get(name), dict):
            return dict(body[name])
    return body if isinstance(body, dict) else {"list": body}


def wrapper(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return "no JSON"
    return next(
        (name for name in ("data", "result") if isinstance(body, dict) and isinstance(body.get(name), dict)), "bare"
    )


def code(answer: httpx.Response) -> str:
    """Such as `400/1213`; without a code of Z.AI's, the status and the start of the words."""
    error: Any = inner(answer).get("error")
    while isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if isinstance(error, dict) and error.get("code") is not None and str(error["code"]) != str(answer.status_code):
        return f"{answer.status_code}/{error['code']}"
    said = inner(answer).get("message")
    return f"{answer.status_code} {said}" if said and answer.status_code >= 400 else str(answer.status_code)


def names(body: Any, *wanted: str) -> str:
    """Which of these fields are there."""
    return ", ".join(name for name in wanted if isinstance(body, dict) and body.get(name) is not None) or "none"


def events(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data:").strip() for line in answer.text.splitlines() if line.startswith("data:")]
    return [json.loads(line) if line.startswith("{") else line for line in lines]


def silence(seconds: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        made.writeframes(bytes(int(16000 * seconds)))
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Seen:
    """note: what is of interest, and is not held against anything: times, hosts."""

    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """A question with the answer that is believed. cost: US dollars at most. side: where it can be asked."""

    name: str
    believed: str
    look: Callable[[Api], str | Seen]
    cost: float = 0.0
    side: str | None = None


PROBES: list[Probe] = []
Look = Callable[[Api], str | Seen]


def probe(name: str, believed: str, *, cost: float = 0.0, side: str | None = None) -> Callable[[Look], Look]:
    def add(look: Look) -> Look:
        PROBES.append(Probe(name, believed, look, cost, side))
        return look

    return add
