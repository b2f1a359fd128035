import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.tones import WORDS
from worker.audio.stitch import Gap, Part, stitch
from worker.audio.words import joined

OVERLAP_S = 3.0
#: What a piece hears of a word that is cut at its edge.
HALVES: list[Callable[[str], list[str]]] = [lambda _: [], lambda word: [f"{word[:2]}-"], lambda word: [word]]


@dataclass(frozen=True)
class Said:
    word: str
    start_s: float
    end_s: float


def say(words: list[str], rnd: random.Random, *, steady: bool) -> list[Said]:
    """Words one after another, with pauses now and then. `steady`: each letter takes as long as any other."""
    said, at = [], 0.0
    for word in words:
        length_s = 0.06 * (len(word) + 1) * (1 if steady else rnd.uniform(0.7, 1.4))
        said.append(Said(word, at, at + length_s))
        at += length_s + (rnd.uniform(0.15, 0.6) if rnd.random() < 0.1 else 0.0)
    return said


def hear(said: list[Said], start_s: float, end_s: float, half: Callable[[str], list[str]]) -> Part:
    """What is heard of a stretch of the recording."""
    heard: list[str] = []
    speech: list[list[float]] = []
    for each in said:
        first, last = max(each.start_s, start_s) - start_s, min(each.end_s, end_s) - start_s
        if first >= last:
            continue
        whole = start_s <= each.start_s and each.end_s <= end_s
        heard += [each.word] if whole else half(each.word)
        if speech and first - speech[-1][1] < 0.12:
            speech[-1][1] = last
        else:
            speech.append([first, last])
    spans = [(span[0], span[1]) for span in speech]
    return Part(start_s=start_s, end_s=end_s, text=" ".join(heard), speech=spans)


def overlapping(said: list[Said], rnd: random.Random) -> list[Part]:
    """Any cuts, wherever they fall: each piece overlaps the next."""
    parts, start_s, end_s = [], 0.0, said[-1].end_s
    while end_s - start_s > 29.5:
        cut_s = start_s + rnd.uniform(18, 29.5)
        parts.append(hear(said, start_s, cut_s, rnd.choice(HALVES)))
        start_s = cut_s - OVERLAP_S
    return [*parts, hear(said, start_s, end_s, rnd.choice(HALVES))]


def text_of(parts: list[Part]) -> list[str]:
    return [word.text for word in stitch(parts).words]


words_of_all_kinds = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=10), min_size=1, max_size=200, unique=True
)


@given(words_of_all_kinds, st.randoms(use_true_random=False))
def test_nothing_is_lost_or_doubled_wherever_the_cuts_fall(words: list[str], rnd: random.Random) -> None:
    parts = overlapping(say(words, rnd, steady=False), rnd)
    assert text_of(parts) == words


@pytest.mark.parametrize("seed", range(30))
def test_words_that_come_again_and_again_are_told_apart_by_their_times(seed: int) -> None:
    rnd = random.Random(seed)
    words = [rnd.choice(WORDS) for _ in range(400)]
    assert text_of(overlapping(say(words, rnd, steady=True), rnd)) == words


@given(st.lists(st.lists(st.sampled_from(["yes", "no"]), max_size=9), min_size=1, max_size=9))
def test_pieces_cut_in_pauses_are_put_one_after_another(texts: list[list[str]]) -> None:
    parts = [
        Part(start_s=20 * place, end_s=20 * place + 20, text=" ".join(text), speech=[(0, 20)])
        for place, text in enumerate(texts)
    ]
    assert text_of(parts) == [word for text in texts for word in text]
    assert joined(stitch(parts).words) == " ".join(word for text in texts for word in text)


def pair(first: str, second: str) -> list[Part]:
    """Two pieces of ten words a piece, one a second; the last three seconds of the first are in the second."""
    return [
        Part(start_s=0, end_s=10, text=first, speech=[(0, 10)]),
        Part(start_s=7, end_s=17, text=second, speech=[(0, 10)]),
    ]


HEARD = {
    "alike": (
        "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9",
        "a7 a8 a9 b0 b1 b2 b3 b4 b5 b6",
        "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 b0 b1 b2 b3 b4 b5 b6",
    ),
    "case and stops differ": (
        "a0 a1 a2 a3 a4 a5 a6 we are here.",
        "We are here, b0 b1 b2 b3 b4 b5 b6",
        "a0 a1 a2 a3 a4 a5 a6 we are here, b0 b1 b2 b3 b4 b5 b6",
    ),
    "halves of words at the edges": (
        "a0 a1 a2 a3 a4 a5 a6 a7 a8 nin",
        "ven a8 nine b0 b1 b2 b3 b4 b5 b6",
        "a0 a1 a2 a3 a4 a5 a6 a7 a8 nine b0 b1 b2 b3 b4 b5 b6",
    ),
    "one word misheard": (
        "a0 a1 a2 a3 a4 a5 a6 a7 fog a9",
        "a7 frog a9 b0 b1 b2 b3 b4 b5 b6",
        None,
    ),
    "nothing alike: by time": (
        "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9",
        "x7 x8 x9 b0 b1 b2 b3 b4 b5 b6",
        "a0 a1 a2 a3 a4 a5 a6 a7 x8 x9 b0 b1 b2 b3 b4 b5 b6",
    ),
    "the first heard nothing": ("", "x7 x8 x9 b0 b1 b2 b3 b4 b5 b6", "x7 x8 x9 b0 b1 b2 b3 b4 b5 b6"),
    "the second heard nothing": ("a0 a1 a2 a3 a4 a5 a6 a7 a8 a9", "", "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9"),
}


@pytest.mark.parametrize(("first", "second", "expected"), HEARD.values(), ids=HEARD)
def test_what_two_pieces_heard(first: str, second: str, expected: str | None) -> None:
    text = joined(stitch(pair(first, second)).words)
    if expected is None:
        assert text in {f"a0 a1 a2 a3 a4 a5 a6 a7 {heard} a9 b0 b1 b2 b3 b4 b5 b6" for heard in ("fog", "frog")}
    else:
        assert text == expected


def test_chinese_is_joined_by_its_characters() -> None:
    text = "我们昨天去了北京看朋友"
    parts = [
        Part(start_s=0, end_s=7, text=text[:7], speech=[(0, 7)]),
        Part(start_s=4, end_s=11, text=text[4:], speech=[(0, 7)]),
    ]
    assert joined(stitch(parts).words) == text


def test_a_failed_piece_leaves_a_gap_that_its_neighbours_overlap() -> None:
    parts = [
        Part(start_s=0, end_s=10, text="one", speech=[(0, 9)]),
        Part(start_s=7, end_s=20, text=None, error="content refused"),
        Part(start_s=17, end_s=30, text="two", speech=[(0, 13)]),
    ]
    transcript = stitch(parts)
    assert transcript.gaps == (Gap(10, 17, "content refused"),)
    assert joined(transcript.words) == "one two"


def test_failed_neighbours_are_one_gap_if_they_failed_alike() -> None:
    failed = [Part(start_s=at, end_s=at + 10, text=None, error="x" if at < 20 else "y") for at in (0, 10, 20)]
    assert stitch(failed).gaps == (Gap(0, 20, "x"), Gap(20, 30, "y"))


def test_a_recogniser_that_repeats_itself_ends_all_the_same() -> None:
    """Thousands of words in half a minute: nothing of them is fitted or aligned, and none is dropped but by time."""
    babble = "yes " * 20_000
    parts = [
        Part(start_s=0.0, end_s=29.0, text=babble, speech=((0.0, 9.0), (10.0, 19.0), (20.0, 29.0))),
        Part(start_s=26.0, end_s=55.0, text="and then it went on", speech=((0.0, 29.0),)),
    ]
    made = stitch(parts)
    assert len(made.words) > 15_000
    assert [word.text for word in made.words[-3:]] == ["it", "went", "on"]


def test_nothing_at_all() -> None:
    assert stitch([]).words == ()


@given(words_of_all_kinds, st.randoms(use_true_random=False))
def test_times_never_go_back(words: list[str], rnd: random.Random) -> None:
    transcript = stitch(overlapping(say(words, rnd, steady=False), rnd))
    times = [time for word in transcript.words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= transcript.length_s + 0.001
