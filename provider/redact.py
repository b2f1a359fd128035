"""Takes secrets out of whatever is kept or shown."""

import re

HIDDEN = "[hidden]"
EXCERPT_CHARS = 2000

# The proxy's own errors echo the query and the headers of the call.
PATTERNS = [
    re.compile(r"(api_token=)[^&\s\"'\\]+", re.IGNORECASE),
    re.compile(r"(\"?(?:api_token|authorization|x-api-key)\"?\s*[:=]\s*\"?(?:bearer\s+)?)[^\"',}\s&]+", re.IGNORECASE),
    re.compile(r"(bearer\s+)[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE),
    re.compile(r"()\bat_[A-Za-z0-9._-]{4,}"),
]


def redact(text: str, token: str = "") -> str:
    """The text without the token, and without whatever looks like one; no NUL and no lone surrogate in it."""
    if token:
        text = text.replace(token, HIDDEN)
    for pattern in PATTERNS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def excerpt(body: bytes, token: str = "") -> str:
    """The start of a body, redacted before it is cut, so that no half of a token remains."""
    return redact(body[: EXCERPT_CHARS * 4].decode("utf-8", "replace"), token)[:EXCERPT_CHARS]


def redact_bytes(body: bytes, token: str) -> bytes:
    """A raw answer without our token."""
    return body.replace(token.encode(), HIDDEN.encode()) if token else body
