"""When the other URL format may be tried: never where that might buy twice."""

import pytest

from provider.endpoints import ENDPOINTS, Endpoint
from provider.formats import NEW, OLD, Seen, may_fall_back

POLL = ENDPOINTS["async_result"]
#: Paid, with URLs that differ.
AGENT = ENDPOINTS["agent"]


def answered(status: int, *, code: str | None = None, provider: bool = False, json: bool = True) -> Seen:
    return Seen(answered=True, sent=True, status=status, code=code, from_provider=provider, json=json)


CASES: dict[str, tuple[Endpoint, Seen, bool]] = {
    "poll: gateway 404": (POLL, answered(404), True),
    "poll: gateway 405": (POLL, answered(405), True),
    "poll: redirect": (POLL, answered(302), True),
    "poll: HTML": (POLL, answered(200, json=False), True),
    "poll: 400 without a code": (POLL, answered(400), True),
    "poll: 400 with the gateway's code": (POLL, answered(400, code="BAD_REQUEST"), True),
    "poll: 502": (POLL, answered(502), True),
    "poll: timeout": (POLL, Seen(answered=False, sent=True), True),
    "poll: Z.AI's own code": (POLL, answered(400, code="1233", provider=True), False),
    "poll: 404 from Z.AI": (POLL, answered(404, provider=True), False),
    "poll: 401": (POLL, answered(401), False),
    "poll: 429": (POLL, answered(429), False),
    "paid: gateway 404": (AGENT, answered(404), True),
    "paid: 404 from Z.AI": (AGENT, answered(404, provider=True), False),
    "paid: gateway 404 with a code of its own": (AGENT, answered(404, code="NOT_FOUND"), True),
    "paid: 400 with the gateway's code": (AGENT, answered(400, code="BAD_REQUEST"), False),
    "paid: connect refused": (AGENT, Seen(answered=False, sent=False), True),
    "paid: timeout": (AGENT, Seen(answered=False, sent=True), False),
    "paid: 502": (AGENT, answered(502), False),
    "paid: 400": (AGENT, answered(400), False),
    "paid: HTML with 200": (AGENT, answered(200, json=False), False),
}


@pytest.mark.parametrize(("endpoint", "seen", "allowed"), CASES.values(), ids=CASES)
def test_may_fall_back(endpoint: Endpoint, seen: Seen, allowed: bool) -> None:
    assert may_fall_back(endpoint, seen, NEW) is allowed
    assert may_fall_back(endpoint, seen, OLD) is (allowed or (endpoint is POLL and seen.code == "1233"))


@pytest.mark.parametrize("name", [name for name, endpoint in ENDPOINTS.items() if endpoint.old_path is None])
@pytest.mark.parametrize("seen", [seen for _, seen, _ in CASES.values()])
def test_one_url_is_never_tried_twice(name: str, seen: Seen) -> None:
    assert not may_fall_back(ENDPOINTS[name], seen, NEW)
