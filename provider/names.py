"""Fields that the seed and Z.AI call by other names: callers may use either. Pure.

The proxy hands on whatever it gets, so Z.AI's own names are what counts; the seed's go along, for a gateway
that knows no others. Z.AI itself gets only its own.
"""

from typing import Any

from provider.endpoints import Endpoint
from provider.wire import Json

#: A field that Z.AI requires and the seed does not know → the only value that docs.z.ai has for it.
DEFAULTS: dict[str, Json] = {"web_search": {"search_engine": "search-prime"}}


def as_sent(name: str, endpoint: Endpoint, body: Json, *, direct: bool) -> Json:
    """The body under the names that this side of the API is to hear."""
    if not endpoint.names and name not in DEFAULTS:
        return body
    sent = {**DEFAULTS.get(name, {}), **body}
    for seeds, real in endpoint.names.items():
        if sent.get(real) is None and sent.get(seeds) is not None:
            sent[real] = to_real(real, sent[seeds])
        if direct:
            sent.pop(seeds, None)
        elif sent.get(seeds) is None and sent.get(real) is not None:
            sent[seeds] = to_seeds(real, sent[real])
    return sent


def to_real(real: str, value: Any) -> Any:
    """A text alone is a user's message."""
    return [{"role": "user", "content": value}] if real == "messages" and isinstance(value, str) else value


def to_seeds(real: str, value: Any) -> Any:
    """Messages as one text."""
    if real != "messages" or not isinstance(value, list):
        return value
    contents = [each.get("content") for each in value if isinstance(each, dict)]
    texts = [part for content in contents for part in (content if isinstance(content, list) else [content])]
    return "\n".join(str(part.get("text") or "") if isinstance(part, dict) else str(part or "") for part in texts)
