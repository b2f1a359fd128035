"""Server-sent events of a streamed answer, read as they come: bytes in, text out, in the end the whole answer. Pure.

A transcript (docs.z.ai, audio): `transcript.text.delta` with a `delta`, then `transcript.text.done`. A chat
(docs.z.ai, llm), and an agent's answer: `choices`, each with a `delta`, in the end a `finish_reason` and the `usage`.
Both close with [DONE].
"""

import json
from dataclasses import dataclass, field
from typing import Any

from provider.unwrap import cleaned, find_error, parse
from provider.wire import Json

DATA = b"data:"
DONE = b"[DONE]"
BOM = b"\xef\xbb\xbf"
#: How a body begins that is events: no JSON does.
STARTS = (DATA, b"event:", b"id:", b"retry:", b":")


class BrokenStreamError(ValueError):
    """What came is no stream of events, or it ended before its end: the answer is lost, but paid for.

    `code`: the API's own, where it gave one in mid-stream.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


def read_body(raw: bytes) -> Any:
    """A body's JSON, or what its events add up to, be they in a wrapper of the proxy's. Raises ValueError."""
    if is_events(raw):
        return add_up(raw)
    body = parse(raw)
    for wrapper in ("data", "result"):
        inside = body.get(wrapper) if isinstance(body, dict) else None
        if isinstance(inside, str) and is_events(inside.encode("utf-8", "replace")):
            return add_up(inside.encode("utf-8", "replace"))
    return body


def is_events(raw: bytes) -> bool:
    return raw.removeprefix(BOM).lstrip()[:8].startswith(STARTS)


def add_up(raw: bytes) -> Json:
    stream = AnswerStream()
    stream.feed(raw)
    body: Json = cleaned(stream.answer())
    return body


@dataclass(slots=True)
class Transcript:
    """The text of a recording."""

    text: str = ""
    ended: bool = False
    #: Whether anything was made that may be on the bill.
    begun: bool = False

    def take(self, event: Json) -> str:
        """Returns what this event adds to the text."""
        known = len(self.text)
        match event["type"]:
            case "transcript.text.delta":
                self.text += str(event.get("delta") or "")
            case "transcript.text.done":
                self.ended = True
                # It may repeat the whole; where it has none, the deltas are all there is.
                whole = event.get("text")
                if isinstance(whole, str) and whole.startswith(self.text):
                    self.text = whole
        self.begun = self.begun or bool(self.text)
        return self.text[known:]

    def body(self) -> Json:
        return {"text": self.text}


@dataclass(slots=True)
class Chat:
    """The choices of a chat's answer, put together from their deltas; an agent's, from its pieces of messages."""

    choices: dict[int, Json] = field(default_factory=dict)
    ended: bool = False
    begun: bool = False

    def take(self, event: Json) -> str:
        """Returns what this event adds to the text of the first choice."""
        added = ""
        for place, given in enumerate(as_list(event.get("choices"))):
            if isinstance(given, dict):
                # An agent numbers its events there: its answer has one choice.
                index = place if PIECES & given.keys() else given.get("index", place)
                choice = self.choices.setdefault(index, {"index": index})
                text = self._grow(choice, given)
                added += text if index == 0 else ""
        self.ended = bool(self.choices) and all(each.get("finish_reason") for each in self.choices.values())
        return added

    def _grow(self, choice: Json, given: Json) -> str:
        choice |= {name: each for name, each in given.items() if name not in {"index", "delta", *PIECES} and each}
        text = ""
        if isinstance(delta := given.get("delta"), dict):
            self.begun |= grow(choice.setdefault("message", {}), delta)
            text += text_of(delta.get("content"))
        for name in PIECES & given.keys():
            for piece in as_list(given[name]):
                if isinstance(piece, dict):
                    add_piece(choice.setdefault(name, []), piece)
                    self.begun = True
                    text += text_of(piece.get("content")) if piece.get("phase") in SAID else ""
        return text

    def body(self) -> Json:
        for choice in self.choices.values():
            message = choice.get("message")
            if isinstance(message, dict) and message.get("tool_calls"):
                message["content"] = message.get("content") or None  # as without a stream
        return {"choices": [self.choices[index] for index in sorted(self.choices)]}


#: An agent's messages; which of the two names is used depends on the agent.
PIECES = frozenset({"message", "messages"})
#: What an agent says, and not thinks or does.
SAID = (None, "answer")


def add_piece(messages: list[Json], piece: Json) -> None:
    """Add an agent's piece of a message to the last one, if it is of the same role and phase."""
    last = messages[-1] if messages else {}
    if not messages or {**last, "content": None} != {**piece, "content": None}:
        messages.append(dict(piece))
        return
    before, after = last.get("content"), piece.get("content")
    *parts, end = as_list(before) or [None]
    first, *rest = as_list(after) or [None]
    match end, first:
        case {"type": "text", "text": str(start)}, {"type": "text", "text": str(more)}:
            joined = [*parts, {**end, "text": start + more}, *rest]
        case str(), str():
            joined = [*parts, end + first, *rest]
        case _:
            joined = [each for each in (*parts, end, first, *rest) if each is not None]
    last["content"] = joined if isinstance(before, list) or len(joined) > 1 else joined[0]


def grow(message: Json, delta: Json) -> bool:
    """Add a delta to a message; whether it brought anything that was made: text, thoughts, a tool call."""
    made = False
    for name, value in delta.items():
        if not value:
            message.setdefault(name, value)
            continue
        match name, value:
            case "role", _:
                message[name] = value
                continue
            case "tool_calls", list():
                calls: list[Json] = message.get(name) or []
                for place, call in enumerate(value):
                    grow_call(calls, call, place)
                message[name] = calls
            case "content", dict() | list():
                message[name] = [*as_list(message.get(name) or []), *as_list(value)]
            case _, str() if isinstance(message.get(name) or "", str):
                message[name] = (message.get(name) or "") + value
            case _:
                message[name] = value
        made = True
    return made


def grow_call(calls: list[Json], delta: Any, place: int) -> None:
    """Add a delta to the tool call of its index: the arguments come in pieces, the rest once."""
    if not isinstance(delta, dict):
        return
    index = delta.get("index", place)
    call = next((each for each in calls if each.get("index") == index), None)
    if call is None:
        calls.append(call := {"index": index})
    for name, value in delta.items():
        if name == "function" and isinstance(value, dict):
            known = call.setdefault("function", {})
            arguments = (known.get("arguments") or "") + (value.get("arguments") or "")
            known |= {each: part for each, part in value.items() if part} | {"arguments": arguments}
        elif value is not None:
            call[name] = value


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def text_of(content: Any) -> str:
    """The text of a message's content: a string, one part, or a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(
        each if isinstance(each, str) else str(each.get("text") or "")
        for each in as_list(content)
        if isinstance(each, dict | str)
    )


@dataclass(slots=True)
class AnswerStream:
    """Feed it the bytes of a response; `text` is what was said so far, without thoughts.

    error: an error that came within the stream, with the whole event that told it.
    done: it was said that nothing more comes.
    """

    text: str = ""
    error: Json | None = None
    done: bool = False
    _rest: bytes = b""
    _head: Json = field(default_factory=dict)
    _answer: Transcript | Chat | None = None

    def feed(self, chunk: bytes) -> str:
        """Returns what this chunk adds to the text. Raises BrokenStreamError for what is no event."""
        known = len(self.text)
        # A line may end with either of these or both: after the split an empty line more is nothing.
        *lines, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if (event := line.removeprefix(BOM)).startswith(DATA):
                self._take(event.removeprefix(DATA).strip())
        return self.text[known:]

    def answer(self) -> Json:
        """The body that a call without a stream has; an error, where that came before anything else.

        Raises BrokenStreamError if an error came later, or the end did not.
        """
        if self._rest:
            self.feed(b"\n")
        answer = self._answer
        if self.error is not None:
            if answer is None or not answer.begun:
                return self.error
            found = find_error(self.error)
            assert found is not None
            raise BrokenStreamError(
                f"an error came after {len(self.text)} characters: {found.message}", found.code or "stream_error"
            )
        if not (self.done or (answer is not None and answer.ended)):
            raise BrokenStreamError(f"the stream ended after {len(self.text)} characters, before its end")
        return {**self._head, **(answer.body() if answer else {})}

    def _take(self, data: bytes) -> None:
        if data == DONE:
            self.done = True
            return
        try:
            event: Any = json.loads(data)
        except (ValueError, RecursionError):
            raise BrokenStreamError(f"an event is no JSON: {data[:80]!r}") from None
        if not isinstance(event, dict):
            raise BrokenStreamError(f"an event is no JSON object: {data[:80]!r}")
        if find_error(event) is not None:
            self.error = event
            return
        self._head |= {name: each for name, each in event.items() if name not in OWN and each is not None}
        spoken = str(event.get("type")).startswith("transcript.")
        if self._answer is None and (spoken or "choices" in event):
            self._answer = Transcript() if spoken else Chat()
        if isinstance(self._answer, Transcript if spoken else Chat):
            self.text += self._answer.take(event)


#: Of one event alone.
OWN = frozenset({"type", "delta", "text", "choices", "error"})
