"""Answers as server-sent events: pieces, the end, [DONE]. None has a wrapper: the proxy passes them as they are."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Body = dict[str, Any]
DONE = "data: [DONE]\n\n"
#: Words of a text that one event carries.
WORDS = 4


class Events(Response):
    """A stream whose events go out over `pace_s` seconds. Whoever changes its body sends it at once."""

    def __init__(self, events: list[Body], pace_s: float = 0.0) -> None:
        self._lines = [
            f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode(errors="replace") for event in events
        ]
        self._lines.append(DONE.encode())
        self._pause_s = pace_s / len(self._lines)
        super().__init__(b"".join(self._lines), media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._pause_s:
            await super().__call__(scope, receive, send)
            return
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        for line in self._lines:
            await send({"type": "http.response.body", "body": line, "more_body": True})
            await asyncio.sleep(self._pause_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def pieces(text: str) -> list[str]:
    """A text in pieces of some words each; put together they are the text."""
    words = re.findall(r"\s*\S+|\s+$", text)
    return ["".join(words[at : at + WORDS]) for at in range(0, len(words), WORDS)]


def transcript(answer: Body, _fields: Body) -> list[Body]:
    shared = {name: answer.get(name) for name in ("id", "created", "model")}
    words = str(answer.get("text", "")).split(" ")
    events = [
        {**shared, "type": "transcript.text.delta", "delta": word if first else f" {word}"}
        for first, word in zip([True, *[False] * len(words)], words, strict=False)
    ]
    return [*events, {**shared, "type": "transcript.text.done", "text": answer.get("text")}]


def chat(answer: Body, fields: Body) -> list[Body]:
    """Thoughts, then words, then calls of functions; the last event says why it ended, and counts the tokens."""
    shared = {name: answer.get(name) for name in ("id", "created", "model")}
    deltas: list[Body] = []
    end = {"index": 0, "finish_reason": "stop"}
    for choice in answer.get("choices") or []:
        message = choice.get("message") or {}
        end["finish_reason"] = choice.get("finish_reason")
        deltas += [{"reasoning_content": piece} for piece in pieces(message.get("reasoning_content") or "")]
        deltas += [{"content": piece} for piece in pieces(message.get("content") or "")]
        for call in message.get("tool_calls") or []:
            deltas += call_pieces(call, split=fields.get("tool_stream") is True)
    events = [{**shared, "choices": [{"index": 0, "delta": {"role": "assistant", **delta}}]} for delta in deltas]
    last = {**shared, "choices": [{**end, "delta": {"role": "assistant", "content": ""}}], "usage": answer.get("usage")}
    extra = {name: answer[name] for name in ("web_search", "content_filter") if name in answer}
    return [*events, {**last, **extra}]


def call_pieces(call: Body, *, split: bool) -> list[Body]:
    """One delta or, with `tool_stream`, the name and then the arguments in parts."""
    if not split:
        return [{"tool_calls": [call]}]
    function = call["function"]
    arguments = function["arguments"]
    half = len(arguments) // 2
    head = {**call, "function": {"name": function["name"], "arguments": ""}}
    rest = [{"index": call["index"], "function": {"arguments": part}} for part in (arguments[:half], arguments[half:])]
    return [{"tool_calls": [each]} for each in (head, *rest)]


def agent(answer: Body, _fields: Body) -> list[Body]:
    """Each event a piece of the answer, with a number that grows; the last one counts the tokens."""
    shared: Body = {name: answer[name] for name in ("id", "agent_id", "conversation_id") if name in answer}
    events: list[Body] = []
    reason = "stop"
    for choice in answer.get("choices") or []:
        reason = choice.get("finish_reason") or reason
        name = "messages" if "messages" in choice else "message"
        for message in choice.get(name) or []:
            for content in message["content"] if isinstance(message["content"], list) else [message["content"]]:
                for part in content_pieces(content):
                    inside: Any = [part] if isinstance(message["content"], list) else part
                    said = [{**message, "content": inside}]
                    events.append({**shared, "choices": [{"index": len(events), name: said}]})
    end = {"index": len(events), "finish_reason": reason, "messages": []}
    return [*events, {**shared, "choices": [end], "usage": answer.get("usage")}]


def content_pieces(content: Body) -> list[Body]:
    if content.get("type") != "text":
        return [content]
    return [{**content, "text": piece} for piece in pieces(content["text"])]


#: A body and the request's fields → the events.
Streamed = Callable[[Body, Body], list[Body]]
