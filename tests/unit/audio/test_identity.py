import numpy as np
import pytest

from worker.audio.identity import cache_key, context
from worker.audio.sound import silence

ASKED = {"model": "glm-asr-2512", "language": "en", "prompt": None}


def test_the_same_sound_asked_about_alike_is_the_same_purchase() -> None:
    assert cache_key(silence(10), ASKED) == cache_key(silence(10), dict(reversed(ASKED.items())))


@pytest.mark.parametrize("change", [{"model": "other"}, {"language": "de"}, {"prompt": "names"}])
def test_another_question_is_another_purchase(change: dict[str, str]) -> None:
    assert cache_key(silence(10), ASKED) != cache_key(silence(10), ASKED | change)


def test_another_sound_is_another_purchase() -> None:
    assert cache_key(silence(10), ASKED) != cache_key(silence(11), ASKED)
    assert cache_key(silence(10), ASKED) != cache_key(np.ones(10, np.int16), ASKED)


CONTEXTS = {
    "no text yet": ("names", "", 9, "names"),
    "neither": (None, "", 9, None),
    "the end of the text": ("names", "one two three", 9, "names two three"),
    "all of a short text": (None, "one two", 9, "one two"),
    "no spaces to cut at": (None, "今天天气很好", 3, "气很好"),
}


@pytest.mark.parametrize(("prompt", "before", "most", "expected"), CONTEXTS.values(), ids=CONTEXTS)
def test_context(prompt: str | None, before: str, most: int, expected: str | None) -> None:
    assert context(prompt, before, most=most) == expected
