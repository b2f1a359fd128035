"""Transcripts as server-sent events: deltas, then the whole, then [DONE]."""

import json
from typing import Any

from starlette.responses import Response


def streamed(answer: dict[str, Any]) -> Response:
    """The proxy passes what is not JSON as it is, so this has no wrapper."""
    shared = {name: answer.get(name) for name in ("id", "created", "model")}
    words = str(answer.get("text", "")).split(" ")
    events = [
        {**shared, "type": "transcript.text.delta", "delta": word if first else f" {word}"}
        for first, word in zip([True, *[False] * len(words)], words, strict=False)
    ]
    events.append({**shared, "type": "transcript.text.done", "text": answer.get("text")})
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events]
    return Response("".join([*lines, "data: [DONE]\n\n"]).encode(errors="replace"), media_type="text/event-stream")
