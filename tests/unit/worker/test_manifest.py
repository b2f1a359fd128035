"""Manifests: every mistake is named by row and field."""

import contextlib
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.kinds import KINDS
from worker.manifest import Format, Good, ManifestError, Problem, format_of, read
from worker.submission import Sieve

IMAGE = KINDS["image"]
HERE = Path("/")


def outcomes(text: str | bytes, form: Format = "csv", model: str | None = None) -> list[Good | Problem]:
    data = text.encode() if isinstance(text, str) else text
    return list(read(io.BytesIO(data), form, IMAGE, HERE, model=model))


def told(text: str | bytes, form: Format = "csv") -> list[str]:
    return [str(each) for each in outcomes(text, form) if isinstance(each, Problem)]


CASES: dict[str, tuple[Format, str | bytes, str]] = {
    "unknown column": (
        "csv", "prompt,sise\na,1x1\n",
        "row 1 (line 2): sise: is no field of this kind (it holds '1x1'); did you mean size?",
    ),
    "missing field": ("csv", "key,prompt\nk,\n", "row 1 (line 2): prompt: is missing; give it a value"),
    "missing in JSON": ("jsonl", '{"prompt": null}\n', "row 1 (line 1): prompt: is missing; give it a value"),
    "wrong type": ("jsonl", '{"prompt": 5}\n', "row 1 (line 1): prompt: 5 is no text; give one, in quotes"),
    "wrong number": ("csv", "prompt,n\na,1.5\n", "row 1 (line 2): n: '1.5' is no whole number; write it in digits"),
    "too many": ("csv", "prompt,n\na,500\n", "row 1 (line 2): n: '500' is too large; at most 100 is allowed"),
    "model of another kind": (
        "csv", "prompt,model\na,glm-asr-2512\n",
        "row 1 (line 2): model: 'glm-asr-2512' is a model for transcription jobs, not for image",
    ),
    "size": ("csv", "prompt,size\na,99x99\n", "row 1 (line 2): size: 99x99 is not offered by cogview-4-250304"),
    "size without form": ("csv", "prompt,size\na,big\n", "row 1 (line 2): size: 'big' must be WIDTHxHEIGHT"),
    "short user_id": ("csv", "prompt,user_id\na,bob\n", "user_id: has 3 characters; at least 6 are needed"),
    "request_id is ours": ("csv", "prompt,request_id\na,x\n", "request_id: is made by mediajobs"),
    "duplicate key": ("csv", "key,prompt\nk,a\nk,b\n", "row 2 (line 3): key: 'k' is in row 1 already"),
    "a key like one of several": (
        "jsonl", '{"prompt": "a", "key": "z", "n": 2}\n{"prompt": "b", "key": "z#1"}\n',
        "row 2 (line 2): key: 'z#1' is in row 1 already",
    ),
    "a field twice": ("jsonl", '{"prompt": "a", "prompt": "b"}\n', "the field 'prompt' is there twice"),
    "blank prompt": ("csv", "prompt\n   \n", "row 1 (line 2): prompt: '   ' is blank"),
    "true for a number": ("jsonl", '{"prompt": "a", "n": true}\n', "n: true is no number; write it in digits"),
    "priority": ("csv", "prompt,priority\na,high\n", "row 1 (line 2): priority: 'high' is no whole number"),
    "run_at": ("csv", "prompt,run_at\na,soon\n", "row 1 (line 2): run_at: 'soon' is no time"),
    "not UTF-8": ("csv", b"prompt\nok\ncaf\xe9\n", "row 2 (line 3): is not UTF-8 (byte 0xe9 at place 4)"),
    "not UTF-8 in JSON": ("jsonl", b'{"prompt": "\xff"}\n', "row 1 (line 1): is not UTF-8"),
    "broken JSON": ("jsonl", '{"prompt": "a"\n', "is no JSON: Expecting ',' delimiter at place 15; write"),
    "no object": ("jsonl", "[1]\n", "row 1 (line 1): is no JSON object but [1]"),
    "deep JSON": ("jsonl", "[" * 100_000 + "\n", "row 1 (line 1): is"),
    "ragged row": ("csv", "prompt,size\na\n", "row 1 (line 2): has 1 cells, the header 2"),
    "open quote": (
        "csv", 'prompt\nok\n"a\nb\n', "row 2 (line 3): is no valid CSV: unexpected end of data; a cell that begins",
    ),
    "NUL": ("jsonl", '{"prompt": "a\\u0000b"}\n', "prompt: 'a\\x00b' has a character that cannot be stored"),
    "lone surrogate in a key": ("jsonl", '{"prompt": "a", "key": "\\ud800"}\n', "key: '\\ud800' is no key"),
    "lone surrogate": ("jsonl", '{"prompt": "\\ud800"}\n', "'\\ud800' has a character that is none; take it out"),
    "huge line": ("jsonl", '{"prompt": "' + "a" * 8_000_001 + '"}\n', "line 1): is longer than 8 MB; give large"),
    "long prompt": ("csv", "prompt\n" + "a" * 4001 + "\n", "prompt: has 4001 characters; at most 4000 are allowed"),
}  # fmt: skip


def test_an_unknown_column_hides_no_other_mistake_but_what_it_may_be_itself() -> None:
    unknown, wrong = told("promt,n\na,500\n")
    assert "promt: is no field of this kind (it holds 'a'); did you mean prompt?" in unknown
    assert "n: '500' is too large; at most 100 is allowed" in wrong


@pytest.mark.parametrize(("form", "text", "message"), CASES.values(), ids=CASES)
def test_each_mistake_is_named(form: Format, text: str | bytes, message: str) -> None:
    [said] = told(text, form)
    assert message in said


#: Rows of files that are submitted without --kind.
MIXED: dict[str, tuple[Format, str, str]] = {
    "no kind": ("jsonl", '{"prompt": "a"}\n', "row 1 (line 1): kind: is missing; give the row one, or"),
    "an unknown kind": (
        "csv", "kind,prompt\nvidoe,a\n", "kind: 'vidoe' is no kind; kinds are agent, chat, code, image, transcription,",
    ),
    "a kind that is no text": ("jsonl", '{"kind": ["image"], "prompt": "a"}\n', 'kind: ["image"] is no kind'),
    "a field of another kind": (
        "jsonl", '{"kind": "image", "prompt": "a", "fps": 30}\n', "fps: is no field of this kind (it holds 30)",
    ),
    "no list": ("csv", 'kind,prompt,after\nchat,a,"[b"\n', "after: '[b' starts like a JSON list but is none"),
    "a key that is a list": ("jsonl", '{"kind": "image", "prompt": "a", "key": ["a"]}\n', 'key: ["a"] is no key; use'),
    "a key that is no text": ("jsonl", '{"kind": "image", "prompt": "a", "key": true}\n', "key: true is no key"),
    "an object to come after": (
        "jsonl", '{"kind": "image", "prompt": "a", "after": {"x": 1}}\n', 'after: {"x": 1} is no key; use a text',
    ),
    "lists to come after": ("jsonl", '{"kind": "image", "prompt": "a", "after": [["b"]]}\n', 'after: ["b"] is no key'),
    "a blank in after": ("jsonl", '{"kind": "chat", "prompt": "a", "after": ["b", " "]}\n', "after: ' ' is no key"),
    "too many": (
        "jsonl", json.dumps({"kind": "chat", "prompt": "a", "after": [f"k{n}" for n in range(101)]}) + "\n",
        "after: names 101 keys; a row may come after 100 others",
    ),
    "after none": (
        "csv", "kind,prompt,image_url\nvideo,a,{{ output }}\n",
        "row 1 (line 2): image_url: takes 'output', but the row comes after none; name one in `after`",
    ),
    "in the system's words": (
        "csv", "kind,prompt,system,after\nchat,a,{{ What }},b\n", "system: has '{{ What }}', which names no output",
    ),
    "an image of two outputs": (
        "jsonl", '{"kind": "agent", "prompt": "a", "images": ["{{ image }}{{ image }}"], "after": "b"}\n',
        "images: image 1, '{{ image }}{{ image }}', is neither an http(s) URL",
    ),
    "an image of which": (
        "jsonl", '{"kind": "chat", "prompt": "a", "model": "glm-4.6v", "images": "{{ image }}", "after": ["b", "c"]}\n',
        "images: takes 'image', but the row comes after several",
    ),
    "an agent from a row": (
        "jsonl", '{"kind": "agent", "agent_id": "{{ text }}", "prompt": "a", "after": "b"}\n',
        "agent_id: is '{{ text }}'; name it here",
    ),
    "no such form": (
        "csv", "kind,prompt,after\nchat,{{ What }},b\n", "prompt: has '{{ What }}', which names no output",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("form", "text", "message"), MIXED.values(), ids=MIXED)
def test_each_mistake_of_rows_with_kinds_of_their_own_is_named(form: Format, text: str, message: str) -> None:
    [said] = [str(each) for each in read(io.BytesIO(text.encode()), form, None, HERE)]
    assert message in said


def test_rows_of_several_kinds_that_come_after_each_other() -> None:
    text = (
        "key,kind,prompt,image_url,after\n"
        "fox,,a fox,,\n"
        "film,video,it runs,{{ output }},fox\n"
        'said,chat,"Of {{ image_url }}",,\n'
        'both,code,Write {{ text of said }},,"[""fox"", ""said""]"\n'
    )
    found = list(read(io.BytesIO(text.encode()), "csv", IMAGE, HERE, model="glm-image"))
    rows = [row for each in found if isinstance(each, Good) for row in each.rows]
    assert [(row.key, row.kind, row.args["model"], row.after) for row in rows] == [
        ("fox", "image", "glm-image", ()), ("film", "video", "cogvideox-3", ("fox",)),
        ("said", "chat", KINDS["chat"].default_model, ()),
        ("both", "code", KINDS["code"].default_model, ("fox", "said")),
    ]  # fmt: skip
    assert [(use.field, use.role, use.key, use.file) for row in rows for use in row.uses] == [
        ("image_url", "output", "fox", True), ("prompt", "text", "said", False),
    ]  # fmt: skip


FILES = {
    "empty file": ("", "the file has no rows"),
    "header alone": ("prompt\n", "the file has no rows"),
    "column without a name": ("prompt,,size\n", "column 2 has no name"),
    "column twice": ("prompt,size,prompt\n", "the column 'prompt' is there twice"),
    "empty header": ("\na\n", "the header is empty"),
    "semicolons": ("prompt;size\na;1024x1024\n", "the columns are separated by ';'; save the file with commas"),
}


@pytest.mark.parametrize(("text", "message"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        outcomes(text)


def test_a_row_that_has_a_priority_keeps_it() -> None:
    found = outcomes("prompt,priority\na,\nb,0\nc,9\n")
    assert [row.priority for row in Sieve(found, priority=5)] == [5, 0, 9]


def test_a_bad_row_does_not_hide_the_good_ones() -> None:
    found = outcomes("key,prompt\na,x\nb,\nc,y\n")
    assert [type(each) for each in found] == [Good, Problem, Good]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_images_as_base64_come_through_and_do_not_hide_the_rows_after(form: Format) -> None:
    images = ["data:image/png;base64,iVBORw0KGgo" + "A" * size for size in (6_900_001, 7_900_001)]
    rows = [{"prompt": "a", "image_url": image} for image in [*images, "https://a/1.png"]]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if form == "csv":
        text = "prompt,image_url\n" + "".join(f'{row["prompt"]},"{row["image_url"]}"\n' for row in rows)
    found = list(read(io.BytesIO(text.encode()), form, KINDS["video"], HERE))
    assert [type(each) for each in found] == [Good, Problem, Good]
    assert "holds an image of 5.7 MB; cogvideox-3 takes 5 MB at most" in str(found[1])


def test_rows_are_numbered_as_people_count_and_n_is_split() -> None:
    text = '\ufeffkey,prompt,n\n\n"a","two\nlines",2\n\n,plain,\n'
    rows = [row for each in outcomes(text) if isinstance(each, Good) for row in each.rows]
    assert [(row.row, row.key, row.named, row.args["prompt"]) for row in rows] == [
        (1, "a#1", True, "two\nlines"), (1, "a#2", True, "two\nlines"), (2, None, False, "plain"),
    ]  # fmt: skip
    assert all("n" not in row.args for row in rows)


def test_a_model_for_rows_that_name_none() -> None:
    found = outcomes("prompt,model\na,\nb,glm-image\n", model="cogview-4")
    assert [each.rows[0].args["model"] for each in found if isinstance(each, Good)] == ["cogview-4", "glm-image"]


def test_unknown_models_pass_with_a_warning() -> None:
    [found] = outcomes("prompt,model,size\na,next-year,9x9\n")
    assert isinstance(found, Good)
    assert found.warnings == ["model 'next-year' is not known here; its limits are not checked"]


@pytest.mark.parametrize(("name", "form"), [("a.csv", "csv"), ("a.JSONL", "jsonl"), ("a.ndjson", "jsonl"), ("-", None)])
def test_the_name_tells_the_format(name: str, form: Format | None) -> None:
    assert format_of(name) == form


@given(st.binary(max_size=400), st.sampled_from(["csv", "jsonl"]))
def test_no_bytes_break_the_reading(data: bytes, form: Format) -> None:
    with contextlib.suppress(ManifestError):
        for each in outcomes(data, form):
            assert isinstance(each, Good | Problem)


STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


@given(st.lists(st.text(STORABLE, min_size=1, max_size=50).filter(str.strip), min_size=1))
def test_every_good_row_comes_through_as_it_was(prompts: list[str]) -> None:
    text = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts)
    found = outcomes(text, "jsonl")
    assert [each.rows[0].args["prompt"] for each in found if isinstance(each, Good)] == prompts
