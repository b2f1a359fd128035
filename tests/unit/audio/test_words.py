import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.audio.words import joined, placed, spelling, tokens

TOKENS = {
    "words": ("The fog, at last.", ["The", "fog,", "at", "last."]),
    "odd spaces": (" a\u00a0b\n\nc\t", ["a", "b", "c"]),
    "Chinese": ("今天,天气很好。", ["今", "天,", "天", "气", "很", "好。"]),
    "both": ("用Python写 it", ["用", "Python", "写", "it"]),
    "Thai": ("ที่", ["ที่"]),
    "what cannot be shown": ("a\x00b\x07 \u2028c", ["a", "b", "c"]),
    "nothing": (" \n", []),
}


@pytest.mark.parametrize(("text", "expected"), TOKENS.values(), ids=TOKENS)
def test_tokens(text: str, expected: list[str]) -> None:
    assert [token.text for token in tokens(text)] == expected


@pytest.mark.parametrize("text", ["The fog, at last.", "今天,天气很好。", "用Python写 it"])
def test_joined_tokens_are_the_text(text: str) -> None:
    assert joined(tokens(text)) == text


@given(st.text())
def test_no_letter_is_lost_whatever_the_text(text: str) -> None:
    shown = [char for token in tokens(text) for char in token.text]
    assert [char for char in text if char.isalnum()] == [char for char in shown if char.isalnum()]


def test_two_hearings_of_a_word_are_spelled_alike() -> None:
    assert spelling("Don’t") == spelling("don't,") == "dont"
    assert spelling("—") == "—"


def test_words_take_time_by_their_letters() -> None:
    words = placed("a bbb", [(0.0, 3.0)], start_s=10.0, length_s=3.0)
    assert [(word.start_s, word.end_s) for word in words] == [(10.0, 11.0), (11.0, 13.0)]


def test_no_word_is_said_across_a_pause() -> None:
    words = placed("aaaa bbbb cccc", [(1.0, 2.1), (5.0, 7.0)], start_s=0.0, length_s=8.0)
    assert [(word.start_s, word.end_s) for word in words] == [(1.0, 2.1), (5.0, 6.0), (6.0, 7.0)]


spans = st.lists(st.floats(0, 29), min_size=2, max_size=20, unique=True).map(
    lambda edges: list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)


@given(st.text(), spans)
def test_words_are_in_order_and_inside_their_piece(text: str, speech: list[tuple[float, float]]) -> None:
    words = placed(text, speech, start_s=100.0, length_s=29.0)
    assert joined(words) == joined(tokens(text))
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert all(100 <= time <= 129 for time in times)
