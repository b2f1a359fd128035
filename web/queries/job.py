"""One job: its phases in time, what was sent for it and what came back."""

import contextlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from models.state import FINAL
from provider.endpoints import ENDPOINTS
from provider.redact import redact
from provider.wire import Inline, Request
from worker.kind import Intent
from worker.kinds import KINDS

#: Longer strings are cut when shown: images travel as base64.
LONG, ANSWER_CHARS = 1_000, 30_000


@dataclass(frozen=True, slots=True)
class Phase:
    """A stay in a state. `start_s`: since the job was enqueued; `end_s`: None while it lasts."""

    state: str
    start_s: float
    end_s: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The stays of a job's history. `whole_s`: from its beginning to its end, or to now; `took_s`: what they come to,

    which leaves out the time that it lay ended before it was retried.
    """

    phases: list[Phase]
    whole_s: float
    took_s: float


def timeline(history: Sequence[Mapping[str, Any]], now: datetime) -> Timeline:
    """Pure."""
    began = history[0]["at"]
    found: list[Phase] = []
    for step, following in zip(history, [*history[1:], None], strict=True):
        if step["state"] in FINAL:
            continue
        start_s = max((step["at"] - began).total_seconds(), 0)
        end_s = max((following["at"] - began).total_seconds(), 0) if following else None
        if found and found[-1].state == step["state"]:  # a slot that came back, a lease renewed: the same stay
            found[-1] = Phase(step["state"], found[-1].start_s, end_s)
        else:
            found.append(Phase(step["state"], start_s, end_s))
    last = history[-1]
    ended = last["at"] if last["state"] in FINAL else now
    whole_s = max((ended - began).total_seconds(), 0.001)
    took_s = sum((whole_s if each.end_s is None else each.end_s) - each.start_s for each in found)
    return Timeline(found, whole_s, took_s)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it is made, without the token."""

    method: str
    path: str
    body: str


def request_of(kind: str, args: dict[str, Any], *, job: int, request_id: str, token: str) -> Sent | None:
    """What a job's call looks like; None where it cannot be told."""
    try:
        made = KINDS[kind].request(args, Intent(job_id=job, request_id=request_id))
    except (KeyError, OSError, ValueError):
        return None
    endpoint = made.at or ENDPOINTS.get(made.endpoint)
    if endpoint is None:
        return None
    body = body_of(made)
    told = json.dumps(shortened(body), indent=2, ensure_ascii=False, default=plain)
    return Sent(endpoint.method, endpoint.new_path or endpoint.direct_path or "", redact(told, token))


def body_of(made: Request) -> dict[str, Any]:
    if made.json is not None:
        return dict(made.json)
    return {**(made.form or {}), **({"file": f"[{made.upload.source or made.upload.filename}]"} if made.upload else {})}


def plain(value: Any) -> Any:
    return f"[{value.source}]" if isinstance(value, Inline) else str(value)


def shortened(value: Any) -> Any:
    match value:
        case str() if len(value) > LONG:
            return f"{value[:LONG]}… ({len(value):,} characters)"
        case dict():
            return {name: shortened(each) for name, each in value.items()}
        case list() | tuple():
            return [shortened(each) for each in value]
    return value


ANSWER = text("""
    select substring(answer from 1 for 400000) as answer from attempts
    where job_id = :job and answer is not null order by number desc limit 1
""")


def answer_of(conn: Connection, job: int, token: str) -> str | None:
    """The last raw answer, indented where it is JSON, without the token."""
    found = conn.execute(ANSWER, {"job": job}).scalar()
    if found is None:
        return None
    said = bytes(found).decode("utf-8", "replace")
    with contextlib.suppress(ValueError):  # what is no JSON is shown as it came
        said = json.dumps(shortened(json.loads(said)), indent=2, ensure_ascii=False)
    return redact(said[:ANSWER_CHARS], token)


@dataclass(frozen=True, slots=True)
class Word:
    start: float
    end: float
    text: str


def words_of(document: bytes) -> list[Word]:
    """The words with their times of a stored transcript; none where it has none."""
    try:
        words = json.loads(document)["words"]
        return [Word(float(each["start"]), float(each["end"]), str(each["text"])) for each in words]
    except (ValueError, KeyError, TypeError):
        return []


CUE = re.compile(r"(?:(\d+):)?(\d\d):(\d\d)\.(\d{3}) --> (?:(\d+):)?(\d\d):(\d\d)\.(\d{3})[^\n]*\n((?:.+\n?)+)")


def cues_of(subtitles: str) -> list[Word]:
    r"""The lines of a WebVTT file with their times: for a recording whose words have none.

    >>> cues_of("WEBVTT\n\n00:01.000 --> 00:02.500\nhello\nworld\n")
    [Word(start=1.0, end=2.5, text='hello world')]
    """
    return [
        Word(seconds(*found.groups()[:4]), seconds(*found.groups()[4:8]), html.unescape(" ".join(found[9].split())))
        for found in CUE.finditer(subtitles)
    ]


def seconds(hours: str | None, minutes: str, whole: str, thousandths: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(whole) + int(thousandths) / 1000
