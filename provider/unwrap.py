"""What lies inside a body: the answer in its wrapper, or an error in one of its shapes. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from provider.wire import Json

#: A body with one of these is the provider's own: its `data`, if any, is no wrapper.
OWN_FIELDS = frozenset({"created", "id", "model", "task_status", "choices", "error", "text", "agent_id"})
#: One of these makes an answer; `data` is an image's own list.
ANSWER_FIELDS = (OWN_FIELDS - {"error"}) | {
    "data", "image_result", "video_result", "async_id", "search_result", "reader_result",
}  # fmt: skip
#: What has one of these is a task, and its `error` the reason why that failed: no error of the call.
TASK_FIELDS = frozenset({"task_status", "async_id"})
#: Longer than this, the API is asked again all the same.
MAX_RETRY_AFTER_S = 86400.0


#: What Postgres can hold neither in text nor in JSON.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class InnerError:
    code: str | None
    message: str


def parse(raw: bytes) -> Any:
    """A body's JSON, without what Postgres cannot hold (NUL, lone surrogates). Raises ValueError if it is none."""
    try:
        return cleaned(json.loads(raw.decode("utf-8-sig")))
    except RecursionError:
        raise ValueError("the JSON is nested too deep") from None


def cleaned(value: Any) -> Any:
    """The value with replacement characters in place of what Postgres cannot hold."""
    match value:
        case str() if UNSTORABLE.search(value):
            return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
        case dict():
            return {cleaned(name): cleaned(each) for name, each in value.items()}
        case list():
            return [cleaned(each) for each in value]
    return value


def is_answer(body: Json) -> bool:
    """Whether an unwrapped body holds anything that an answer to a paid call has."""
    return any(body.get(name) is not None for name in ANSWER_FIELDS)


def unwrap(body: Any) -> Json:
    """The provider's body: from `{"data": …}` (the seed), `{"result": …}` (the proxy's source), or bare.

    Taken off at most once, and only where the outside is not an answer itself: a bare image
    answer has a `data` list of its own. Raises ValueError if it is no JSON object.
    """
    if not isinstance(body, dict):
        raise ValueError(f"expected a JSON object, got {type(body).__name__}")  # noqa: TRY004 - of the value, not the type
    if OWN_FIELDS & body.keys():
        return body
    for wrapper in ("data", "result"):
        if isinstance(inside := body.get(wrapper), dict):
            return inside
    return body


def find_error(body: Any, depth: int = 3) -> InnerError | None:
    """An `error` anywhere down to a depth of 3: the proxy nests the provider's in its own."""
    if not isinstance(body, dict) or depth < 0:
        return None
    if "error" in body and body["error"] not in (None, "", {}, False):
        return read_error(body["error"], body)
    for wrapper in ("data", "result"):
        if (found := find_error(body.get(wrapper), depth - 1)) is not None:
            return found
    return None


def read_error(error: Any, around: Json) -> InnerError:
    """The innermost code and message."""
    while isinstance(error, dict) and isinstance(error.get("error"), dict):
        around, error = error, error["error"]
    if not isinstance(error, dict):
        return InnerError(None, str(error))
    code = error.get("code")
    message = error.get("message") or around.get("message") or "no reason was given"
    return InnerError(None if code is None else str(code), str(message))


def is_providers(body: Any) -> bool:
    """Whether the answer came from Z.AI through the gateway, not from the gateway itself."""
    return isinstance(body, dict) and ("provider" in body or "headers" in body or "response_headers" in body)


def retry_after_s(headers: Any, body: Any, now: datetime) -> float | None:
    """`Retry-After` of the answer, or of the upstream's headers that the proxy puts inside the body.

    Seconds (a day at most) or a date; None where it is absent, unreadable or in the past.
    """
    inside = (body.get("headers") or body.get("response_headers")) if isinstance(body, dict) else None
    for source in (headers, inside):
        if not isinstance(source, Mapping):
            continue
        for name, value in source.items():
            if str(name).lower() == "retry-after" and (seconds := read_retry_after(str(value), now)) is not None:
                return seconds
    return None


def read_retry_after(value: str, now: datetime) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds()
    return min(seconds, MAX_RETRY_AFTER_S) if seconds > 0 else None
