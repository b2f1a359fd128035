"""Which URL format to try, and when to try the other: the seed's rule, read with care for money.

New first, then old. But a repeat of a paid POST is a second purchase, so it falls back only on
proof that nothing was delivered; a GET may fall back on any sign of a wrong route.
"""

from dataclasses import dataclass
from typing import Protocol

from provider.endpoints import Endpoint

NEW, OLD = "new", "old"


class FormatMemory(Protocol):
    """Remembers, per endpoint of one provider, which format worked."""

    async def get(self, endpoint: str) -> str | None: ...

    async def remember(self, endpoint: str, url_format: str, evidence: str) -> None: ...


class Forgetful:
    """A memory for as long as the process lives."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    async def get(self, endpoint: str) -> str | None:
        return self._known.get(endpoint)

    async def remember(self, endpoint: str, url_format: str, evidence: str) -> None:  # noqa: ARG002 - nobody reads it
        self._known[endpoint] = url_format


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a try. `answered`: there was an HTTP answer; `from_provider`: Z.AI itself spoke in it."""

    answered: bool
    sent: bool
    status: int | None = None
    code: str | None = None
    from_provider: bool = False
    json: bool = True


def may_fall_back(endpoint: Endpoint, seen: Seen) -> bool:
    """Whether the other format may be tried after this."""
    if endpoint.old_path is None or seen.from_provider:
        return False  # one URL, or the route is right
    if not seen.answered:
        # Nothing went out: the connection, not the route, is at fault, but asking is harmless.
        return endpoint.idempotent or not seen.sent
    gateway_says_no = seen.status in (404, 405) or 300 <= (seen.status or 0) < 400
    if not endpoint.idempotent:
        return gateway_says_no and seen.code is None
    refused = seen.status in (400, 422) and seen.code is None
    return gateway_says_no or refused or (seen.status or 0) >= 500 or not seen.json
