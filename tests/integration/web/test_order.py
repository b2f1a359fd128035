"""Rows of several kinds that come after each other, by HTTP and in the browser, as by the command line."""

import json
from typing import Any

import pytest

from tests.support.api import Api
from worker.keys import Role
from worker.waiting import FOLLOWS

FOX = {"key": "fox", "kind": "image", "prompt": "a fox"}
FILM = {"key": "film", "kind": "video", "prompt": "it runs", "image_url": "{{ output }}", "after": "fox"}
SONG = {"key": "song", "kind": "chat", "prompt": "sing", "after": ["fox", "film"]}
LOST = {"key": "lost", "kind": "image", "prompt": "x", "after": "nobody"}
ASTRAY = {"key": "astray", "kind": "chat", "prompt": "x", "after": "lost"}


def keys(api: Api) -> set[str]:
    return {row.key for row in api.sql("select key from jobs")}


def test_a_job_tells_what_is_before_it_and_after_it(api: Api) -> None:
    done = api.post("/batches", {"batch": "foxes", "rows": [FOX, FILM, SONG]}, 201)
    assert (done["added"], done["problems"]) == (3, [])
    fox, film, song = (row.id for row in api.sql("select id from jobs order by id"))
    told = api.get(f"/jobs/{film}")
    assert [each["key"] for each in told["earlier"]] == ["fox"]
    assert [each["key"] for each in told["later"]] == ["song"]
    assert told["waiting_for"] == "after: fox (queued)"
    waits = {each["key"]: each["waiting_for"] for each in api.get("/jobs")["items"]}
    assert waits["song"] == "after: fox (queued), film (queued)"
    assert api.get("/batches/foxes")["waiting_for"][FOLLOWS] == 2
    page = api.http.get(f"/jobs/{film}", headers={"Authorization": f"Bearer {api.keys[Role.VIEWER]}"}).text
    assert f'href="/jobs/{fox}">fox</a>' in page
    assert f'href="/jobs/{song}">song</a>' in page


MISPLACED = {
    "what is not there": ([FOX, LOST, ASTRAY], {"lost": "'nobody' is the key of no good row"}),
    "what nobody makes": ([FOX, {**FILM, "image_url": "{{ text }}"}], {"film": "takes 'text' of 'fox'"}),
}


@pytest.mark.parametrize(("rows", "said"), MISPLACED.values(), ids=MISPLACED)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_cannot_come_after_what_it_names_is_refused(
    api: Api, rows: list[dict[str, Any]], said: dict[str, str], dry_run: bool
) -> None:
    found = api.post("/batches", {"batch": "b", "rows": rows, "dry_run": dry_run}, 200 if dry_run else 422)
    for key, message in said.items():
        place = [row["key"] for row in rows].index(key) + 1
        assert message in next(each["message"] for each in found["problems"] if each["row"] == place)
    assert keys(api) == set()


def test_it_is_left_out_where_that_was_asked_for(api: Api) -> None:
    done = api.post("/batches", {"batch": "b", "rows": [FOX, LOST, ASTRAY], "skip_invalid": True}, 201)
    assert (done["added"], done["skipped"], keys(api)) == (1, 2, {"fox"})
    none = api.post("/batches", {"batch": "c", "rows": [LOST, ASTRAY], "skip_invalid": True}, 422)
    assert none["code"] == "bad_rows"
    assert api.sql("select from batches where name = 'c'") == []


def test_one_job_after_another(api: Api) -> None:
    first = {"kind": "image", "input": {"prompt": "a fox"}, "key": "fox", "batch": "b"}
    [fox] = api.post("/jobs", first, 201)["jobs"]
    later = {"kind": "video", "input": {"prompt": "runs", "image_url": "{{ output }}"}, "batch": "b", "after": ["fox"]}
    [film] = api.post("/jobs", later, 201)["jobs"]
    assert [each["job"] for each in api.get(f"/jobs/{film}")["earlier"]] == [fox]
    wrong = api.post("/jobs", {**later, "after": ["nobody"], "key": "other"}, 422)
    assert (wrong["code"], {each["field"] for each in wrong["errors"]}) == ("invalid_input", {"after"})
    assert len(api.states()) == 2


def test_what_goes_along_is_counted_before_it_is_done(api: Api) -> None:
    api.post("/batches", {"batch": "foxes", "rows": [FOX, FILM, SONG]}, 201)
    [fox, *_] = (row.id for row in api.sql("select id from jobs order by id"))
    for action in ("cancel", "retry"):
        shown = api.post(f"/jobs/{action}", {"ids": [fox], "dry_run": True})
        assert (shown["jobs"], api.post(f"/jobs/{action}", {"ids": [fox]})["jobs"]) == (3, 3), action


def test_by_the_form_each_row_says_what_it_is(api: Api) -> None:
    manifest = "".join(json.dumps(row) + "\n" for row in (FOX, FILM))
    files = {"file": ("foxes.jsonl", manifest)}
    form = {"kind": "", "batch": "foxes"}
    headers = {"Authorization": f"Bearer {api.keys[Role.OPERATOR]}"}
    checked = api.http.post("/submit", headers=headers, data=form, files=files)
    assert "2 jobs" in checked.text
    assert keys(api) == set()
    done = api.http.post("/submit", headers=headers, data={**form, "do": "submit"}, files=files)
    assert "2 jobs enqueued" in done.text
    assert keys(api) == {"fox", "film"}


def test_a_list_shows_what_was_said_to_a_chat(api: Api) -> None:
    rows = [
        {"kind": "chat", "prompt": "a plain question"},
        {"kind": "chat", "model": "glm-4.5v", "prompt": "what is this?", "images": ["https://pictures.example/a.png"]},
    ]
    api.post("/batches", {"rows": rows}, 201)
    assert [each["subject"] for each in api.get("/jobs")["items"]] == ["what is this?", "a plain question"]
