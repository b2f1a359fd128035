"""What rows may say of rows before them, and what is made of it."""

import re
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.wire import Json
from worker.kinds import KINDS
from worker.pipeline import Follower, Made, NoOutputError, Use, circles, filled, left_out, left_without, pick, uses_of
from worker.references import is_reference, references

VIDEO, CHAT, TRANSCRIPTION = KINDS["video"], KINDS["chat"], KINDS["transcription"]
ROLES = {name: kind.makes for name, kind in KINDS.items()}

REFERENCES: dict[str, tuple[str, list[tuple[str, str | None]]]] = {
    "a role": ("{{ image }}", [("image", None)]),
    "of a key": ("see {{ text of talk 7 }} and {{json of a}}", [("text", "talk 7"), ("json", "a")]),
    "a key with odd signs": ("{{ output of a/b#1 of c }}", [("output", "a/b#1 of c")]),
    "over lines": ("{{\n text of\n talk }}", [("text", "talk")]),
    "none": ("{ text } }}", []),
}


@pytest.mark.parametrize(("text", "found"), REFERENCES.values(), ids=REFERENCES)
def test_references(text: str, found: list[tuple[str, str | None]]) -> None:
    assert [(each.role, each.key) for each in references(text)] == found
    assert all(text[each.start : each.end].startswith("{{") for each in references(text))


@pytest.mark.parametrize("text", ["{{}}", "{{ Text of x }}", "{{ text of }}", "{{ x y }}", "{{ 'a' }}"])
def test_braces_that_are_none(text: str) -> None:
    assert not is_reference(text)
    with pytest.raises(ValueError, match="which names no output; write it as"):
        list(references(text))


def video(image_url: Any, prompt: str = "it runs") -> Json:
    return {"model": "cogvideox-3", "prompt": prompt, "image_url": image_url}


def chat(text: str, image: str | None = None) -> Json:
    part = [{"type": "image_url", "image_url": {"url": image}}] if image else []
    return {"model": "glm-4.6v", "messages": [{"role": "user", "content": [*part, {"type": "text", "text": text}]}]}


USES: dict[str, tuple[Json, Any, tuple[str, ...], list[Use]]] = {
    "an image to begin with": (video("{{ output }}"), VIDEO, ("fox",), [Use("image_url", "output", "fox", True)]),
    "two frames": (
        video(["{{ image of a }}", "{{ image of b }}"]), VIDEO, ("a", "b"),
        [Use("image_url", "image", "a", True), Use("image_url", "image", "b", True)],
    ),
    "text within text": (chat("Sum up: {{ text }}"), CHAT, ("talk",), [Use("messages", "text", "talk", False)]),
    "an image in a message": (
        chat("What is it?", "{{ image of fox }}"), CHAT, ("fox", "x"), [Use("messages", "image", "fox", True)],
    ),
    "only after": (video("https://h/a.png"), VIDEO, ("fox",), []),
    "braces of a row that comes after nothing": (chat("Use {{ name }} here"), CHAT, (), []),
}  # fmt: skip


@pytest.mark.parametrize(("args", "kind", "after", "uses"), USES.values(), ids=USES)
def test_what_a_row_takes(args: Json, kind: Any, after: tuple[str, ...], uses: list[Use]) -> None:
    assert uses_of(args, kind, after) == uses


WRONG: dict[str, tuple[Json, Any, tuple[str, ...], str]] = {
    "after nothing": (video("{{ output }}"), VIDEO, (), "image_url: takes 'output', but the row comes after none;"),
    "of which": (chat("{{ text }}"), CHAT, ("a", "b"), "messages: takes 'text', but the row comes after several;"),
    "a key that after does not name": (chat("{{ text of c }}"), CHAT, ("a",), "takes 'text' of 'c', which `after`"),
    "a file beside words": (video("{{ image }} now"), VIDEO, ("a",), "an output that is a file stands alone"),
    "two files in one": (video("{{ image }}{{ image }}"), VIDEO, ("a",), "an output that is a file stands alone"),
    "a model": ({"model": "{{ text }}"}, CHAT, ("a",), "model: is '{{ text }}'; name it here"),
    "braces that are not closed": (chat("{{ text of a }"), CHAT, ("a",), "whose braces end nowhere"),
    "no reference": (chat("{{ What? }}"), CHAT, ("a",), "messages: has '{{ What? }}', which names no output"),
}  # fmt: skip


@pytest.mark.parametrize(("args", "kind", "after", "message"), WRONG.values(), ids=WRONG)
def test_what_a_row_cannot_take(args: Json, kind: Any, after: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        uses_of(args, kind, after)


def row(place: int, key: str | None, *after: str, use: Use | None = None) -> Follower:
    return Follower(place=place, row=place, key=key, after=after, uses=(use,) if use else ())


KNOWN = {"fox": "image", "run": "video", "talk": "transcription", "said": "chat"}
TOGETHER: dict[str, tuple[list[Follower], list[str]]] = {
    "well": ([row(1, "b", "fox"), row(2, "c", "b", "talk")], []),
    "an unknown key": (
        [row(1, "b", "fix")],
        ["row 1: after: 'fix' is the key of no good row of this file, nor of its batch"],
    ),
    "a row of several jobs": (
        [row(1, "b", "many")],
        ["row 1: after: 'many' is several jobs; name one of them, such as many#1"],
    ),
    "itself": ([row(1, "b", "b")], ["row 1: after: goes in a circle: 'b' after 'b'"]),
    "an output that is not made": (
        [row(1, "b", "fox", use=Use("image_url", "video", "fox", True))],
        ["row 1: image_url: takes 'video' of 'fox', a job of kind image, which makes image"],
    ),
    "text for a file": (
        [row(1, "b", "talk", use=Use("image_url", "output", "talk", True))],
        ["row 1: image_url: takes 'text' of 'talk', which is text; here goes a file"],
    ),
    "a file for text": (
        [row(1, "b", "run", use=Use("prompt", "output", "run", False))],
        ["row 1: prompt: takes 'video' of 'run', which is a file; here goes text"],
    ),
    "everything at once": (
        [
            row(1, "b", "fix"), row(2, "c", "fox", use=Use("prompt", "image", "fox", False)), row(3, "d", "e"),
            row(4, "e", "d"), row(5, "f", "f"), row(6, "g", "f", "e"),
        ],
        [
            "row 1: after: 'fix' is the key of no good row of this file, nor of its batch",
            "row 2: prompt: takes 'image' of 'fox', which is a file; here goes text",
            "row 3: after: goes in a circle: 'd' after 'e' after 'd'",
            "row 5: after: goes in a circle: 'f' after 'f'",
        ],
    ),
    "subtitles as text": ([row(1, "b", "talk", use=Use("messages", "srt", "talk", False))], []),
}  # fmt: skip


@pytest.mark.parametrize(("followers", "said"), TOGETHER.values(), ids=TOGETHER)
def test_rows_together(followers: list[Follower], said: list[str]) -> None:
    kinds = {**KNOWN, **{str(each.key): "image" for each in followers}}
    assert [str(each) for each in left_out(followers, kinds, {"many"}, ROLES).wrong] == said


def test_a_circle_is_told_from_wherever_it_is_found() -> None:
    rows = [row(1, "b", "d"), row(2, "c", "b"), row(3, "d", "c"), row(4, "e", "d")]
    (found,) = circles(rows)
    way = found.message.removeprefix("goes in a circle: ").split(" after ")
    assert way[0] == way[-1] == repr(found.key)
    after = {repr(each.key): repr(each.after[0]) for each in rows}
    assert [after[each] for each in way[:-1]] == way[1:]


def test_a_long_chain_is_no_circle() -> None:
    chain = [row(n, f"k{n}", f"k{n - 1}") for n in range(1, 20_000)]
    assert circles(chain) == []


KEYS = st.sampled_from("abcdefg")


@given(st.dictionaries(KEYS, st.lists(KEYS, unique=True, min_size=1), min_size=1))
def test_without_the_circles_that_are_told_there_is_none(after: dict[str, list[str]]) -> None:
    rows = [row(place, key, *keys) for place, (key, keys) in enumerate(after.items())]
    told = circles(rows)
    ways = [re.findall(r"'(.)'", each.message) for each in told]
    assert all(later in after[earlier] for way in ways for earlier, later in pairwise(way))
    met = [key for way in ways for key in way[1:]]
    assert len(met) == len(set(met))
    left = {key: set(keys) for key, keys in after.items() if key not in met}
    TopologicalSorter(left).prepare()  # raises where there is one


def test_what_comes_after_a_bad_row_is_not_to_blame() -> None:
    rows = [row(1, "b", "bad"), row(2, "c", "b"), row(3, "d", "bad#2", "fix"), row(4, "e", "fox"), row(5, "f", "fox#1")]
    found = left_out(rows, {**KNOWN, "b": "image", "c": "image"}, (), ROLES, {"bad", "fox"})
    assert [str(each) for each in found.wrong] == [
        "row 3: after: 'fix' is the key of no good row of this file, nor of its batch"
    ]
    assert [(each.row, each.message) for each in found.along] == [
        (1, "comes after a row that is left out"), (2, "comes after a row that is left out"),
        (5, "comes after a row that is left out"),
    ]  # fmt: skip
    assert found.places == {1, 2, 3, 5}


def test_what_comes_after_a_row_that_is_left_out_is_left_out_too() -> None:
    rows = [row(1, "a", "x"), row(2, "b", "a"), row(3, "c", "b", "y"), row(4, "d", "y"), row(5, None, "c")]
    assert left_without(rows, {1}) == {1, 2, 3, 5}


MADE = [
    Made("fox", "image", "1.png", None),
    Made("talk", "text", "2.txt", "good morning"),
    Made("talk", "srt", "3.srt", None),
]


def test_outputs_are_put_in_their_places() -> None:
    after = ("fox", "talk")

    def value(use: Use) -> str:
        found = pick(use, MADE)
        return f"/out/{found.location}" if use.file else found.text or "00:00 good morning"

    args = chat("Sum up {{ text of talk }}, as in {{srt of talk}}.", " {{ output of fox }} ")
    assert filled(args, CHAT, after, value) == chat("Sum up good morning, as in 00:00 good morning.", "/out/1.png")
    sound = {"model": "glm-asr-2512", "file": "{{ image of fox }}", "prompt": "{{ text of talk }}"}
    assert filled(sound, TRANSCRIPTION, after, value) == {**sound, "file": "/out/1.png", "prompt": "good morning"}
    with pytest.raises(NoOutputError, match="'talk' has no vtt; it made text, srt"):
        pick(Use("messages", "vtt", "talk", False), MADE)
    with pytest.raises(NoOutputError, match="'gone' has no text; it made nothing"):
        pick(Use("messages", "text", "gone", False), MADE)
