"""No secret survives in what is kept or shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.redact import EXCERPT_CHARS, HIDDEN, excerpt, redact, redact_bytes

TOKEN = "at_s3cret-TOKEN.1"
LEAKS = [
    f"https://api.example/zai/x?api_token={TOKEN}&id=1",
    f'{{"logging": {{"query": {{"api_token": "{TOKEN}"}}}}}}',
    f"Authorization: Bearer {TOKEN}",
    f'"authorization": "Bearer {TOKEN}"',
    f"plain {TOKEN} in words",
]


@pytest.mark.parametrize("text", LEAKS)
@pytest.mark.parametrize("known", [TOKEN, ""])
def test_redact(text: str, known: str) -> None:
    assert TOKEN not in redact(text, known)


def test_the_rest_is_left() -> None:
    assert redact("a cat, id=7 & more", TOKEN) == "a cat, id=7 & more"


@given(st.text(), st.integers(0, 60))
def test_a_token_at_any_place_is_gone_and_the_text_can_be_stored(text: str, place: int) -> None:
    found = redact(text[:place] + TOKEN + text[place:], TOKEN)
    assert TOKEN not in found
    assert "\x00" not in found
    found.encode()


def test_an_excerpt_is_capped_after_redacting() -> None:
    body = b"x" * (EXCERPT_CHARS - 5) + TOKEN.encode() + b"y" * 100
    found = excerpt(body, TOKEN)
    assert len(found) == EXCERPT_CHARS
    assert "at_s" not in found


def test_raw_answers_lose_the_token_alone() -> None:
    assert redact_bytes(b"a" + TOKEN.encode() + b"\xff", TOKEN) == b"a" + HIDDEN.encode() + b"\xff"
    assert redact_bytes(b"\x00", "") == b"\x00"
