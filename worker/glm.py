"""The language models: what they cost by tokens, and how many they write where nobody says. Pure.

Prices: docs.z.ai/guides/overview/pricing, copies of 2025-11 to 2026-07. No concurrency is published.
Tokens written without max_tokens: docs.z.ai/guides/overview/concept-param.
"""

from decimal import Decimal

from provider.wire import Json
from worker.kind import Model
from worker.tariff import TokenPrice, Tokens


def usage(answer: Json) -> Tokens | None:
    """What `usage` counts; None where it is not there."""
    found = answer.get("usage")
    if not isinstance(found, dict) or not any(count(found, name) for name in ("prompt_tokens", "total_tokens")):
        return None
    details = found.get("prompt_tokens_details")
    read_, written = count(found, "prompt_tokens"), count(found, "completion_tokens")
    cached = min(count(details, "cached_tokens") if isinstance(details, dict) else 0, read_)
    # Some agents tell the sum alone; their tokens cost the same whichever way they go.
    return Tokens(input=read_, cached=cached, output=written or max(count(found, "total_tokens") - read_, 0))


def count(found: Json, name: str) -> int:
    value = found.get(name)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


def price(read_: str, cached: str, written: str) -> TokenPrice:
    return TokenPrice(input=Decimal(read_), cached=Decimal(cached), output=Decimal(written))


#: Believed: bytes of text that a token has at the least. A Chinese character has three, and is a token or less;
#: English has four or five a token.
BYTES_A_TOKEN = 3


def tokens_in(said: str) -> int:
    """How many tokens a text has at most, as is believed."""
    return -(-len(said.encode("utf-8", "replace")) // BYTES_A_TOKEN)


FREE = price("0", "0", "0")
DEFAULT_TOKENS = 65536
TEXT = {
    "glm-5.2": Model(price("1.4", "0.26", "4.4"), output_tokens=DEFAULT_TOKENS),
    "glm-5.1": Model(price("1.4", "0.26", "4.4"), output_tokens=DEFAULT_TOKENS),
    "glm-5-turbo": Model(price("1.2", "0.24", "4"), output_tokens=DEFAULT_TOKENS),
    "glm-5": Model(price("1", "0.2", "3.2"), output_tokens=DEFAULT_TOKENS),
    "glm-5-code": Model(price("1.2", "0.3", "5"), output_tokens=DEFAULT_TOKENS),
    "glm-4.7": Model(price("0.6", "0.11", "2.2"), output_tokens=DEFAULT_TOKENS),
    "glm-4.7-flashx": Model(price("0.07", "0.01", "0.4"), output_tokens=DEFAULT_TOKENS),
    "glm-4.7-flash": Model(FREE, output_tokens=DEFAULT_TOKENS),
    "glm-4.6": Model(price("0.6", "0.11", "2.2"), output_tokens=DEFAULT_TOKENS),
    "glm-4.5": Model(price("0.6", "0.11", "2.2"), output_tokens=DEFAULT_TOKENS),
    "glm-4.5-x": Model(price("2.2", "0.45", "8.9"), output_tokens=DEFAULT_TOKENS),
    "glm-4.5-air": Model(price("0.2", "0.03", "1.1"), output_tokens=DEFAULT_TOKENS),
    "glm-4.5-airx": Model(price("1.1", "0.22", "4.5"), output_tokens=DEFAULT_TOKENS),
    "glm-4.5-flash": Model(FREE, output_tokens=DEFAULT_TOKENS),
    "glm-4-32b-0414-128k": Model(price("0.1", "0.1", "0.1"), output_tokens=16384),
}
VISION = {
    "glm-5v-turbo": Model(price("1.2", "0.24", "4"), output_tokens=DEFAULT_TOKENS),
    "glm-4.6v": Model(price("0.3", "0.05", "0.9"), output_tokens=16384),
    "glm-4.6v-flashx": Model(price("0.04", "0.004", "0.4"), output_tokens=16384),
    "glm-4.6v-flash": Model(FREE, output_tokens=16384),
    "glm-4.5v": Model(price("0.6", "0.11", "1.8"), output_tokens=16384),
}
MODELS = {**TEXT, **VISION}
