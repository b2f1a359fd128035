"""What makes two pieces the same purchase, and what a piece is told of the one before it. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from worker.audio.sound import Samples

#: The API takes fewer than 8000 characters; a recogniser looks at the last few sentences only.
CONTEXT_CHARS = 600


def cache_key(samples: Samples, asked: Mapping[str, Any]) -> str:
    """The same sound asked about in the same way has the same key, whatever it was coded as.

    `asked`: model, language, prompt and whatever else the API is told.
    """
    digest = hashlib.sha256(json.dumps(dict(asked), sort_keys=True, ensure_ascii=False).encode())
    digest.update(b"\0")
    digest.update(samples.astype("<i2", copy=False).tobytes())
    return digest.hexdigest()


def context(prompt: str | None, before: str, *, most: int = CONTEXT_CHARS) -> str | None:
    """The prompt for a piece: what the user says, then the end of the previous piece's text, in whole words."""
    end = before
    if len(before) > most:
        end = before[-most - 1 :].partition(" ")[2] or before[-most:]
    return " ".join(part for part in (prompt, end.strip()) if part) or None
