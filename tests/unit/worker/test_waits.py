"""Backoff, polls, reasons and downloads: small decisions, each with its table."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.backoff import backoff_s
from worker.media import BadDownloadError, check_download, sniff, suffix_for
from worker.pollplan import next_poll_s
from worker.waiting import BudgetState, ModelState, later, why

CHANCES = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), CHANCES)
def test_backoff_stays_within_its_cap(tries: int, chance: float) -> None:
    assert 0 <= backoff_s(tries, base_s=2.0, cap_s=60.0, chance=chance) <= min(60.0, 2.0 ** min(tries, 6))


@given(st.integers(0, 10_000), CHANCES)
def test_polls_grow_up_to_their_cap(polls: int, chance: float) -> None:
    assert 4.5 <= next_poll_s(polls, first_s=5.0, max_s=30.0, chance=chance) <= 33.0
    assert next_poll_s(polls, first_s=5.0, max_s=30.0, chance=chance) <= next_poll_s(
        polls + 1, first_s=5.0, max_s=30.0, chance=chance
    )


WHEN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
REASONS: dict[str, tuple[ModelState, str]] = {
    "free": (ModelState(model="m", in_use=0, slots=5, concurrency=5), "dispatch"),
    "full": (ModelState(model="m", in_use=1, slots=1, concurrency=1), "limit: 1 of 1 slots of m in use"),
    "learned": (
        ModelState(model="m", in_use=2, slots=2, concurrency=5),
        "limit: 2 of 2 slots of m in use (learned; 5 are set)",
    ),
    "paused": (
        ModelState(model="m", in_use=0, slots=5, concurrency=5, pause_reason="no balance", paused_until=WHEN),
        "m is paused until 2026-11-24 10:00:00 UTC: no balance",
    ),
    "half open": (
        ModelState(model="m", in_use=1, slots=5, concurrency=5, pause_reason="no balance", probing=True),
        "m is paused, and one job looks whether it goes on: no balance",
    ),
    "account": (
        ModelState(model="m", in_use=0, slots=5, concurrency=5, pause_reason="x", account_reason="locked"),
        "the account is paused until resumed: locked",
    ),
}


FREE = ModelState(model="m", in_use=0, slots=5, concurrency=5)
SPENT = BudgetState("batch b", Decimal("1.500000"), Decimal("1.400000"), Decimal("0.050000"))


def test_a_budget_is_the_reason_where_it_has_too_little() -> None:
    said = "budget: batch b has $1.50, $1.40 is spent, $0.05 reserved"
    assert why(FREE, budgets=(SPENT,), cost=Decimal("0.06")) == said
    assert why(FREE, budgets=(SPENT,), cost=Decimal("0.05")) == "dispatch"


def test_a_rate_and_what_goes_first_are_reasons() -> None:
    paced = ModelState(model="m", in_use=0, slots=5, concurrency=5, per_minute=60, rate_in_s=3.2)
    assert why(paced) == "rate: 60 calls of m a minute; the next in 3 s"
    assert why(FREE, ahead=7) == "dispatch; 7 jobs of higher priority go first, but for every 16th slot"


@pytest.mark.parametrize(("state", "reason"), REASONS.values(), ids=REASONS)
def test_why(state: ModelState, reason: str) -> None:
    assert why(state) == reason


def test_later() -> None:
    assert later(WHEN) == "time: the next runs at 2026-11-24 10:00:00 UTC"


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 50
MP4 = b"\0\0\0\x20ftypisom" + b"\0" * 50
GOOD = {
    "png": ("image", PNG, "image/png"),
    "cover": ("cover", PNG, "image/png"),
    "jpeg for an image": ("image", b"\xff\xd8\xff\xe0" + b"\0" * 50, "image/jpeg"),
    "mp4": ("video", MP4, "video/mp4"),
    "webp": ("image", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
}


@pytest.mark.parametrize(("role", "head", "mime"), GOOD.values(), ids=GOOD)
def test_a_good_download(role: str, head: bytes, mime: str) -> None:
    assert check_download(role, head=head, content_type="text/plain") == mime
    assert sniff(head) == mime
    assert suffix_for(mime)


BAD = {
    "empty": ("image", b"", "an empty file"),
    "HTML": ("image", b"  <html>", "gave a page"),
    "JSON": ("video", b'{"RetCode":-148654}', "gave a page"),
    "an image for a video": ("video", PNG, "is no video"),
    "noise": ("image", b"nothing known", "is no image"),
}


@pytest.mark.parametrize(("role", "head", "message"), BAD.values(), ids=BAD)
def test_a_bad_download(role: str, head: bytes, message: str) -> None:
    with pytest.raises(BadDownloadError, match=message):
        check_download(role, head=head, content_type="text/html")
