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

    async def forget(self, endpoint: str) -> None: ...


class Forgetful:
    """A memory for as long as the process lives."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    async def get(self, endpoint: str) -> str | None:
        return self._known.get(endpoint)

    async def remember(self, endpoint: str, url_format: str, evidence: str) -> None:  # noqa: ARG002 - nobody reads it
        self._known[endpoint] = url_format

    async def forget(self, endpoint: str) -> None:
        self._known.pop(endpoint, None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a try. `answered`: there was an HTTP answer; `from_provider`: Z.AI itself spoke in it.

    A `code` without that is the gateway's own, such as NOT_FOUND, and speaks of its routes.
    """

    answered: bool
    sent: bool
    status: int | None = None
    code: str | None = None
    from_provider: bool = False
    json: bool = True


#: The provider's codes for a task that it does not know.
UNKNOWN_TASK = frozenset({"1232", "1233"})


def may_fall_back(endpoint: Endpoint, seen: Seen, tried: str) -> bool:
    """Whether the other format may be tried after this one. Pure."""
    if endpoint.old_path is None:
        return False  # one URL
    if tried == OLD and endpoint.path_names and endpoint.idempotent and seen.code in UNKNOWN_TASK:
        return True  # a gateway of the new format alone takes `async-result/id?id=X` for the task "id"
    if seen.from_provider:
        return False  # the route is right
    if not seen.answered:
        # Nothing went out: the connection, not the route, is at fault, but asking is harmless.
        return endpoint.idempotent or not seen.sent
    if not endpoint.idempotent:
        return no_such_route(seen)
    refused = seen.status in (400, 422)
    return no_such_route(seen) or refused or (seen.status or 0) >= 500 or not seen.json


def went_nowhere(seen: Seen) -> bool:
    """Whether a second try tells nothing, so that the first one's error stands: it too reached nobody.

    Else it is what counts: it may have been accepted, and paid for.
    """
    return no_such_route(seen) or (not seen.answered and not seen.sent)


def no_such_route(seen: Seen) -> bool:
    """The gateway itself says that nothing is there: what was sent went nowhere."""
    there = seen.status in (404, 405) or 300 <= (seen.status or 0) < 400
    return seen.answered and there and not seen.from_provider
