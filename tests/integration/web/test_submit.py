"""Work comes in over HTTP: all of a manifest or nothing, however it is sent, and once however often."""

import csv
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.tones import speak, wav
from tests.support.api import API, Api
from tests.support.stack import wait_until
from tests.support.webserver import serving
from worker.keys import Role
from worker.settings import Settings

ROWS: list[dict[str, Any]] = [{"key": "a", "prompt": "a paper boat"}, {"key": "b", "prompt": "two paper boats", "n": 2}]


def as_csv(rows: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    table = csv.DictWriter(file, sorted({name for row in rows for name in row}))
    table.writeheader()
    table.writerows(rows)
    return file.getvalue()


def as_jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def ways(rows: list[dict[str, Any]], **options: Any) -> dict[str, dict[str, Any]]:
    """The same submission in each way that there is to send it."""
    query = {name: str(value) for name, value in options.items()}
    return {
        "json": {"json": {**options, "rows": rows}},
        "csv": {"content": as_csv(rows), "params": query, "headers": {"Content-Type": "text/csv; charset=utf-8"}},
        "jsonl": {"content": as_jsonl(rows), "params": query, "headers": {"Content-Type": "application/jsonl"}},
        "a form": {"files": {"file": ("x.csv", as_csv(rows))}, "data": query},
        "a form and a query": {"files": {"file": ("x.jsonl", as_jsonl(rows))}, "params": query},
    }


WAYS = list(ways([]))


@pytest.mark.parametrize("way", WAYS)
def test_a_manifest_in_each_way(api: Api, way: str) -> None:
    asked = ways(ROWS, kind="image", batch="boats", priority=3, budget=2)[way]
    done = api.ask("POST", "/batches", Role.OPERATOR, **asked)
    assert done.status_code == 201, done.text
    body = done.json()
    assert (body["batch"], body["added"], body["already"], body["problems"]) == ("boats", 3, 0, [])
    rows = api.sql("select key, row, priority, state, args ->> 'prompt' as prompt from jobs order by id")
    assert [tuple(row) for row in rows] == [
        ("a", 1, 3, "queued", "a paper boat"), ("b#1", 2, 3, "queued", "two paper boats"),
        ("b#2", 2, 3, "queued", "two paper boats"),
    ]  # fmt: skip
    assert api.get("/budgets")[0]["amount"] == 2
    again = api.ask("POST", "/batches", **asked).json()
    assert (again["added"], again["already"]) == (0, 3)
    [_, entry] = api.get("/audit")["items"]
    assert (entry["who"], entry["action"], entry["subject"], entry["jobs"], entry["cost"]) == (
        "operator", "submit", "batch boats", 3, 0.03,
    )  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_with_a_bad_row_nothing_is_there(api: Api, way: str) -> None:
    rows = [*ROWS, {"key": "c", "prompt": "x", "size": "huge"}, {"key": "a", "prompt": "again"}]
    refused = api.ask("POST", "/batches", **ways(rows, kind="image", batch="boats")[way])
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["bad_rows"]) == (422, "bad_rows", 2)
    assert [(each["row"], each["field"]) for each in problem["problems"]] == [(3, "size"), (4, "key")]
    assert "huge" in problem["problems"][0]["message"]
    assert api.sql("select 1 from batches union all select 1 from jobs") == []
    taken = api.ask("POST", "/batches", **ways(rows, kind="image", batch="boats", skip_invalid=True)[way]).json()
    assert (taken["added"], taken["skipped"], len(taken["problems"])) == (3, 2, 2)


def test_a_dry_run_says_what_it_would_come_to(api: Api) -> None:
    rows = [*ROWS, {"prompt": ""}]
    found = api.post("/batches", {"kind": "image", "rows": rows, "dry_run": True})
    assert (found["jobs"], found["cost"], found["bad_rows"]) == (3, 0.03, 1)
    assert found["took_s"] > 0
    assert api.sql("select 1 from batches union all select 1 from jobs") == []


REFUSED: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no kind": ({"json": {"rows": ROWS}}, 422, "bad_rows", "2 bad rows"),
    "another kind": ({"json": {"kind": "song", "rows": ROWS}}, 422, "invalid_request", "kinds are agent, chat"),
    "an option that is none": ({"json": {"kind": "image", "rows": ROWS, "bacth": "x"}}, 422, "invalid_request",
                              "bacth"),
    "no rows": ({"json": {"kind": "image"}}, 422, "invalid_request", "rows: is missing"),
    "an empty list": ({"json": {"kind": "image", "rows": []}}, 422, "bad_manifest", "the file has no rows"),
    "no JSON": ({"content": "{", "headers": {"Content-Type": "application/json"}}, 400, "invalid_json", "is no JSON"),
    "no webhook": ({"json": {"kind": "image", "rows": ROWS, "webhook": "ftp://x"}}, 422, "invalid_request",
                   "webhook: "),
    "a type that tells nothing": ({"content": "x", "params": {"kind": "image"}}, 415, "unknown_format", "text/csv"),
    "a form without a file": ({"files": {"data": ("x.csv", "a")}, "params": {"kind": "image"}}, 422,
                              "invalid_request", "file: is missing"),
    "a header that is empty": ({"files": {"file": ("x.csv", "\n")}, "params": {"kind": "image"}}, 422, "bad_manifest",
                               "header is empty"),
    "a priority that is none": ({"json": {"kind": "image", "rows": ROWS, "priority": 10**6}}, 422, "invalid_request",
                                "priority: 1000000 "),
    "an option of the wrong type": ({"json": {"kind": "image", "rows": ROWS, "dry_run": "maybe"}}, 422,
                                    "invalid_request", "dry_run: 'maybe' is neither true nor false"),
    "rows that are no objects": ({"json": {"kind": "image", "rows": ["x"]}}, 422, "bad_rows", "1 bad row"),
}  # fmt: skip


def test_a_file_for_openai_that_is_not_said_to_be_one(api: Api) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/images/generations", "body": {"prompt": "a boat"}}
    sent: dict[str, Any] = {"content": as_jsonl([line]), "headers": {"Content-Type": "application/jsonl"}}
    [problem] = api.ask("POST", "/batches", params={"kind": "image"}, **sent).json()["problems"]
    assert (problem["field"], "its format is `openai`" in problem["message"]) == ("custom_id", True)
    assert api.ask("POST", "/batches", params={"kind": "image", "format": "openai"}, **sent).status_code == 201


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(api: Api, case: tuple[dict[str, Any], int, str, str]) -> None:
    asked, status, code, said = case
    found = api.ask("POST", "/batches", **asked)
    problem = found.json()
    assert (found.status_code, problem["code"]) == (status, code), problem
    assert said in problem["detail"]
    assert "Value error" not in found.text
    assert api.sql("select 1 from batches") == []


def test_the_same_key_with_other_input(api: Api) -> None:
    api.post("/batches", {"kind": "image", "batch": "b", "rows": [{"key": "a", "prompt": "x"}]}, 201)
    taken = api.post("/batches", {"kind": "image", "batch": "b", "rows": [{"key": "a", "prompt": "y"}]}, 409)
    assert (taken["code"], taken["taken"]) == ("key_taken", [{"row": 1, "key": "a"}])


@pytest.mark.parametrize("way", WAYS)
def test_a_submission_again_under_its_idempotency_key(api: Api, way: str) -> None:
    """Without a name each submission is a batch of its own: here the key alone keeps it to one."""
    asked = ways(ROWS, kind="image")[way]
    headers = {**asked.pop("headers", {}), "Idempotency-Key": "k"}

    def ask(_: int) -> httpx.Response:
        return api.ask("POST", "/batches", headers=headers, **asked)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(ask, range(4)))
    assert [each.status_code for each in answers] == [201] * 4, answers[0].text
    assert len({each.content for each in answers}) == 1
    assert len(api.sql("select from batches")) == 1
    other = ways([*ROWS, {"key": "z", "prompt": "more"}], kind="image")[way]
    other["headers"] = {**other.get("headers", {}), "Idempotency-Key": "k"}
    reused = api.ask("POST", "/batches", **other)
    assert (reused.status_code, reused.json()["code"]) == (422, "key_reused")


def test_a_manifest_that_is_sent_slowly_holds_no_transaction(api: Api) -> None:
    def none_is_open() -> bool:
        [row] = api.sql(
            "select count(*) from pg_stat_activity where application_name = 'mediajobs-web' "
            "and state like 'idle in%' and datname = current_database()"
        )
        return bool(row[0] == 0)

    def slowly() -> Iterator[bytes]:
        for number in range(3):
            yield json.dumps({"prompt": f"p{number}"}).encode() + b"\n"
            # Who asks is looked up in one that ends by itself; the body ends only when we have seen that.
            wait_until(none_is_open, what="the end of the transactions")

    done = api.ask(
        "POST", "/batches", params={"kind": "image"}, headers={"Content-Type": "application/jsonl"}, content=slowly()
    )
    assert done.json()["added"] == 3


def test_what_is_too_large_is_refused_whether_it_says_so_or_not(
    config: Settings, held: dict[Role, str], tmp_path: Path
) -> None:
    small = config.model_copy(update={"web_max_upload_bytes": 1000, "outputs_url": tmp_path.as_uri()})
    with serving(small) as http:
        headers = {"Authorization": f"Bearer {held[Role.ADMIN]}", "Content-Type": "application/jsonl"}
        for content in (b" " * 1001, (b" " * 501 for _ in range(2))):
            found = http.post(f"{API}/batches?kind=image", headers=headers, content=content)
            assert (found.status_code, found.json()["code"]) == (413, "too_large")


# -- one job -------------------------------------------------------------------------------------------


def test_one_job(api: Api) -> None:
    made = api.post("/jobs", {"kind": "image", "input": {"prompt": "x", "n": 2}, "key": "k", "batch": "b"}, 201)
    rows = api.sql("select id, key, row from jobs order by id")
    assert [tuple(row) for row in rows] == [(made["jobs"][0], "k#1", None), (made["jobs"][1], "k#2", None)]
    assert api.post("/jobs", {"kind": "image", "input": {"prompt": "x", "n": 2}, "key": "k", "batch": "b"}, 201) == made
    assert api.post("/jobs", {"kind": "image", "input": {"prompt": "y"}, "key": "k#1", "batch": "b"}, 409)
    wrong = api.post("/jobs", {"kind": "image", "input": {"prompt": "x", "size": "huge"}, "priority": 9999}, 422)
    assert (wrong["code"], {each["field"] for each in wrong["errors"]}) == ("invalid_input", {"size", "priority"})


def test_one_job_again_under_its_idempotency_key(api: Api) -> None:
    asked = {"kind": "image", "input": {"prompt": "x"}}
    first, second = (api.post("/jobs", asked, 201, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first == second
    assert len(api.states()) == 1


# -- files ---------------------------------------------------------------------------------------------

SECRETS = {
    "a path": ("transcription", {"file": "/etc/passwd"}),
    "a path that climbs": ("transcription", {"file": "../../../../etc/passwd"}),
    "a URL of a file": ("transcription", {"file": "file:///etc/passwd"}),
    "an upload that climbs": ("transcription", {"file": "upload:../../../../etc/passwd"}),
    "an image": ("video", {"prompt": "x", "image_url": "/etc/passwd"}),
    "one of several images": ("video", {"prompt": "x", "model": "viduq1-start-end", "image_url": ["/etc/passwd"]}),
    "an image of a chat": ("chat", {"prompt": "x", "model": "glm-4.5v", "images": ["file:///etc/passwd"]}),
    "an image of a message": ("chat", {"model": "glm-4.5v", "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "/etc/passwd"}}]}]}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "given"), SECRETS.values(), ids=SECRETS)
def test_files_of_the_server_cannot_be_named(api: Api, kind: str, given: dict[str, Any]) -> None:
    """Nor can anybody learn from the answer whether they are there, or how they begin."""
    wrong = api.post("/jobs", {"kind": kind, "input": given}, 422)
    message = wrong["detail"]
    assert "no files of the server can be named" in message or "no upload is called" in message, message
    assert "root" not in message
    batch = api.post("/batches", {"kind": kind, "rows": [given]}, 422)
    assert batch["code"] == "bad_rows"


@pytest.mark.parametrize("as_form", [False, True], ids=["as the body", "as a form"])
def test_an_upload_is_named_by_rows(api: Api, as_form: bool) -> None:
    sound = wav(speak(["amber"]))
    if as_form:
        made = api.ask("POST", "/uploads", files={"file": ("Talk One.WAV", sound)})
    else:
        made = api.ask("POST", "/uploads", params={"name": "Talk One.WAV"}, content=sound)
    assert made.status_code == 201, made.text
    file = made.json()["file"]
    assert file.endswith(".wav")
    job = api.post("/jobs", {"kind": "transcription", "input": {"file": file}}, 201)["jobs"][0]
    [row] = api.sql("select args from jobs where id = :job", job=job)
    assert Path(row.args["file"]).read_bytes() == sound
    assert row.args["seconds"] > 0
    missing = "upload:" + "0" * 64 + ".wav"
    assert "No such file" in api.post("/jobs", {"kind": "transcription", "input": {"file": missing}}, 422)["detail"]


# -- by the page -----------------------------------------------------------------------------------------


def by_page(api: Api, files: list[tuple[str, tuple[str, bytes]]], **fields: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {api.keys[Role.OPERATOR]}", "Mediajobs-Part": "action"}
    return api.http.post("/submit", data={"do": "submit", **fields}, files=files, headers=headers)


def test_recordings_come_along_with_their_rows_or_without(api: Api) -> None:
    sound = wav(speak(["amber", "basil"]))
    alone = by_page(
        api, [("files", ("one.wav", sound)), ("files", ("two.wav", sound))], kind="transcription", batch="a"
    )
    assert alone.status_code == 200, alone.text
    rows = b'{"key": "x", "file": "one.wav"}\n'
    named = by_page(api, [("file", ("m.jsonl", rows)), ("files", ("one.wav", sound))], kind="transcription", batch="b")
    assert named.status_code == 200, named.text
    found = api.sql("select key, args ->> 'file' as file from jobs order by id")
    assert [row.key for row in found] == ["one.wav", "two.wav", "x"]
    assert {Path(row.file).read_bytes() for row in found} == {sound}
    twice = by_page(api, [("files", ("one.wav", sound)), ("files", ("one.wav", sound[:-2]))], kind="transcription")
    assert (twice.status_code, "two files are called" in twice.text) == (422, True)
    other = by_page(api, [("file", ("m.jsonl", b'{"file": "three.wav"}\n'))], kind="transcription", batch="c")
    assert other.status_code == 422
    assert "no files of the server can be named" in other.text


def test_a_file_and_typed_prompts_are_not_taken_for_one_another(api: Api) -> None:
    found = by_page(api, [("file", ("m.csv", b"prompt\na\n"))], kind="image", typed="b", batch="a")
    assert found.status_code == 422
    assert "leave one of them out" in found.text


def test_the_check_says_what_it_would_wait_for(api: Api) -> None:
    api.post("/limits/cogview-4-250304/pause", {"reason": "too dear"})
    found = by_page(api, [], kind="image", typed="a\nb\nc", budget="0.02", do="check")
    assert "cogview-4-250304 is paused until resumed: too dear" in found.text
    assert "the budget, $0.02, is less than $0.03" in found.text
