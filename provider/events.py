"""Server-sent events of a streamed transcript, read as they come. Pure: bytes in, text out.

The events (docs.z.ai, audio): `transcript.text.delta` with a `delta`, then `transcript.text.done`, then [DONE].
"""

import json
from dataclasses import dataclass, field
from typing import Any

from provider.unwrap import find_error
from provider.wire import Json

DATA = b"data:"
DONE = "[DONE]"


class BrokenStreamError(Exception):
    """What came is no stream of events, or it ended before its end: the answer is lost, but paid for."""


@dataclass(slots=True)
class TranscriptStream:
    """Feed it the bytes of a response; `text` is what was said so far.

    error: an error that came in the middle of the stream, with the whole event that told it.
    """

    text: str = ""
    error: Json | None = None
    _rest: bytes = b""
    _head: Json = field(default_factory=dict)
    _ended: bool = False

    def feed(self, chunk: bytes) -> str:
        """Returns what this chunk adds to the text. Raises BrokenStreamError for what is no event."""
        known = len(self.text)
        # A line may end with either of these or both: after the split an empty line more is nothing.
        *lines, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if line.startswith(DATA):
                self._take(line.removeprefix(DATA).strip())
        return self.text[known:]

    def answer(self) -> Json:
        """The body that a call without a stream has. Raises BrokenStreamError if the end did not come."""
        if self._rest:
            self.feed(b"\n")
        if not self._ended:
            raise BrokenStreamError(f"the stream ended after {len(self.text)} characters, before its end")
        return {**self._head, "text": self.text}

    def _take(self, data: bytes) -> None:
        if data == DONE.encode():
            self._ended = True
            return
        try:
            event: Any = json.loads(data)
        except ValueError:
            raise BrokenStreamError(f"an event is no JSON: {data[:80]!r}") from None
        if not isinstance(event, dict):
            raise BrokenStreamError(f"an event is no JSON object: {data[:80]!r}")
        if find_error(event) is not None:
            self.error = event
            return
        self._head |= {name: event[name] for name in ("id", "created", "request_id", "model") if event.get(name)}
        match event.get("type"):
            case "transcript.text.delta":
                self.text += str(event.get("delta") or "")
            case "transcript.text.done":
                self._ended = True
                # It may repeat the whole; where it has none, the deltas are all there is.
                whole = event.get("text")
                if isinstance(whole, str) and whole.startswith(self.text):
                    self.text = whole
