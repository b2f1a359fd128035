"""The HTTP API: what it shows, what it does, and who may."""

import csv
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import API, Api
from web.app import make_app
from worker.export import export
from worker.keys import Role
from worker.settings import Settings
from worker.storage import Storage
from worker.trail import entries

IMAGE = "cogview-4-250304"


# -- who may -------------------------------------------------------------------------------------------

#: What each takes. A route that is not here is one that nobody thought about.
ROLES = {
    "POST /batches": Role.OPERATOR,
    "POST /uploads": Role.OPERATOR,
    "POST /jobs": Role.OPERATOR,
    "POST /calls": Role.OPERATOR,
    "GET /doctor": Role.OPERATOR,
    "POST /jobs/retry": Role.OPERATOR,
    "POST /jobs/cancel": Role.OPERATOR,
    "POST /jobs/resolve": Role.OPERATOR,
    "POST /limits/{model}/pause": Role.OPERATOR,
    "POST /limits/{model}/resume": Role.OPERATOR,
    "POST /schedules/{schedule}/pause": Role.OPERATOR,
    "POST /schedules/{schedule}/resume": Role.OPERATOR,
    "POST /schedules/{schedule}/runs": Role.OPERATOR,
    "DELETE /schedules/{schedule}": Role.ADMIN,
    "POST /messages/replay": Role.OPERATOR,
    "POST /webhooks": Role.ADMIN,
    "DELETE /webhooks/{webhook}": Role.ADMIN,
    "PUT /limits/{model}": Role.ADMIN,
    "DELETE /limits/{model}": Role.ADMIN,
    "PUT /budgets/{of}/{subject}": Role.ADMIN,
    "DELETE /budgets/{of}/{subject}": Role.ADMIN,
    "GET /keys": Role.ADMIN,
    "POST /keys": Role.ADMIN,
    "DELETE /keys/{name}": Role.ADMIN,
}


def routes(config: Settings) -> dict[str, Role]:
    found = {}
    for path, methods in make_app(config).openapi()["paths"].items():
        for method in methods:
            name = f"{method.upper()} {path.removeprefix(API)}"
            found[name] = ROLES.get(name, Role.VIEWER if method == "get" else Role.ADMIN)
    return found


def test_each_route_takes_its_role(api: Api, config: Settings) -> None:
    wanted = routes(config)
    assert ROLES.items() <= wanted.items()
    changing = {name for name in wanted if not name.startswith("GET ")}
    assert changing <= ROLES.keys(), "a new route that changes something needs a role of its own here"
    for name, needed in wanted.items():
        method, path = name.split()
        for part in ("{batch}", "{job}", "{index}", "{model}", "{subject}", "{name}", "{schedule}", "{webhook}"):
            path = path.replace(part, "1")
        path = path.replace("{of}", "model")
        for role in Role:
            status = api.ask(method, path, role, json={} if method in {"POST", "PUT"} else None).status_code
            assert (status == 403) == (not role.may(needed)), f"{name} as {role}: {status}"
        assert api.http.request(method, f"{API}{path}").status_code == 401, name


def test_me(api: Api) -> None:
    assert api.get("/me", role=Role.OPERATOR) == {"name": "operator", "role": "operator"}


# -- jobs and batches ----------------------------------------------------------------------------------


def test_jobs_page_by_page_and_by_every_filter(api: Api) -> None:
    ids = api.enqueue("red", "blue", "green")
    other = api.enqueue("a clip", batch="clips", kind="video", model="viduq1-text")
    api.end(ids[0], "failed", "1301")
    first = api.get("/jobs", params={"limit": 3})
    assert [each["job"] for each in first["items"]] == [*other, *reversed(ids[1:])]
    last = api.get("/jobs", params={"limit": 3, "before": first["next"]})
    assert [each["job"] for each in last["items"]] == ids[:1]
    assert last["next"] is None
    queued = first["items"][-1]
    assert (queued["batch"], queued["subject"], queued["waiting_for"]) == ("boats", "blue", "dispatch")
    filters: dict[str, tuple[str, list[int]]] = {
        "batch": ("boats", ids[::-1]), "state": ("failed", ids[:1]), "kind": ("video", other),
        "model": (IMAGE, ids[::-1]), "code": ("1301", ids[:1]), "search": ("green", ids[2:]),
        "since": ("2020-01-01", [*other, *ids[::-1]]), "until": ("2020-01-01T00:00Z", []),
    }  # fmt: skip
    for name, (value, wanted) in filters.items():
        assert [each["job"] for each in api.get("/jobs", params={name: value})["items"]] == wanted, name


def test_a_job_with_all_that_happened(api: Api) -> None:
    [job] = api.enqueue("red")
    api.store(job, b"\x89PNG")
    api.end(job)
    found = api.get(f"/jobs/{job}")
    assert (found["batch"], found["args"]["prompt"], found["state"]) == ("boats", "red", "succeeded")
    assert [each["state"] for each in found["history"]] == ["queued", "succeeded"]
    [output] = found["outputs"]
    assert api.ask("GET", output["url"].removeprefix(API)).content == b"\x89PNG"


WRONG = {
    "an unknown job": ("/jobs/99", {}, 404, "unknown_job", "no job 99"),
    "an unknown batch": ("/batches/none", {}, 404, "unknown_batch", "'none'"),
    "jobs of an unknown batch": ("/jobs", {"batch": "none"}, 404, "unknown_batch", "'none'"),
    "no state": ("/jobs", {"state": "broken"}, 422, "invalid_request", "'failed'"),
    "no time": ("/jobs", {"since": "soon"}, 422, "invalid_request", "since: "),
    "a filter that is none": ("/jobs", {"stat": "failed"}, 422, "invalid_request", "stat: "),
    "no output": ("/jobs/1/outputs/0", {}, 404, "unknown_output", "job 1 has no output 0"),
    "a number that is too large": ("/jobs/99999999999999999999", {}, 422, "invalid_request", "job: "),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_cannot_be_had_is_told(api: Api, case: tuple[str, dict[str, str], int, str, str]) -> None:
    path, params, status, code, said = case
    found = api.ask("GET", path, params=params)
    assert found.headers["Content-Type"] == "application/problem+json"
    problem = found.json()
    assert (found.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert said in problem["detail"]


def test_batches(api: Api) -> None:
    ids = api.enqueue("red", "blue")
    api.enqueue("x", batch="odd/name")
    api.end(ids[0], "failed", "1301")
    found = api.get("/batches", params={"limit": 1})
    [odd] = found["items"]
    assert odd["name"] == "odd/name"
    assert api.get(f"/batches/{odd['id']}")["total"] == 1
    [older] = api.get("/batches", params={"before": found["next"]})["items"]
    assert (older["name"], older["counts"]) == ("boats", {"failed": 1, "queued": 1})
    boats = api.get("/batches/boats")
    assert boats["failures"] == [{"code": "1301", "message": "1301", "jobs": 1}]
    assert boats["waiting_for"] == {"dispatch": 1}
    assert api.get("/status")["counts"] == {"failed": 1, "queued": 2}


# -- acting --------------------------------------------------------------------------------------------


def test_retry_by_id_by_batch_and_by_what_they_have_in_common(api: Api) -> None:
    ids = api.enqueue("a", "b", "c", "d")
    for job in ids:
        api.end(job, "failed", "1301" if job == ids[3] else "500")
    foreseen = api.post("/jobs/retry", {"batch": "boats", "dry_run": True})
    assert (foreseen["jobs"], foreseen["cost"], foreseen["dry_run"]) == (4, 0.04, True)
    assert set(api.states().values()) == {"failed"}
    assert api.post("/jobs/retry", {"ids": ids[:1]})["states"] == {"queued": 1}
    assert api.post("/jobs/retry", {"code": "1301", "kind": "image", "model": IMAGE})["jobs"] == 1
    done = api.post("/jobs/retry", {"batch": "boats", "state": "failed"}, role=Role.OPERATOR)
    assert (done["jobs"], done["cost"]) == (2, 0.02)
    assert set(api.states().values()) == {"queued"}
    noted = api.get("/audit", params={"action": "retry"})["items"]
    assert [(each["who"], each["via"], each["subject"], each["jobs"]) for each in noted] == [
        ("operator", "api", "batch boats", 2), ("admin", "api", None, 1), ("admin", "api", f"job {ids[0]}", 1),
    ]  # fmt: skip


def test_cancel_says_what_is_thrown_away(api: Api) -> None:
    ids = api.enqueue("a", "b")
    api.sql("update jobs set state = 'storing', cost = 0.01 where id = :job", job=ids[0])
    done = api.post("/jobs/cancel", {"batch": "boats"})
    assert (done["states"], done["thrown_away"]) == ({"cancelled": 2}, {"jobs": 1, "cost": 0.01})


def test_resolve(api: Api) -> None:
    ids = api.enqueue("a", "b")
    api.sql("update jobs set state = 'held' where id = :job", job=ids[0])
    assert api.post("/jobs/resolve", {"ids": ids, "how": "fail"})["states"] == {"failed": 1}
    assert api.states() == {ids[0]: "failed", ids[1]: "queued"}


def test_nobody_means_all_jobs_by_saying_nothing(api: Api) -> None:
    api.enqueue("a")
    for action in ("retry", "cancel"):
        assert api.post(f"/jobs/{action}", {}, 422)["code"] == "nothing_named"
    missing = api.post("/jobs/cancel", {"ids": [1, 77]}, 404)
    assert (missing["code"], missing["ids"]) == ("unknown_job", [77])
    assert set(api.states().values()) == {"queued"}


def test_what_changes_nothing_says_why(api: Api) -> None:
    [job] = api.enqueue("a")
    for path, body, allowed in (
        ("/jobs/retry", {"ids": [job]}, "failed or cancelled"),
        ("/jobs/resolve", {"ids": [job], "how": "wait"}, "held with a task at the provider"),
    ):
        found = api.post(path, body)
        assert (found["jobs"], found["note"]) == (0, f"no job was changed: none of those named is {allowed}")
    assert api.post("/jobs/cancel", {"ids": [job]})["note"] is None
    assert "open" in api.post("/jobs/cancel", {"ids": [job]})["note"]


def test_limits_and_pauses(api: Api) -> None:
    api.enqueue("a")
    assert api.ask("PUT", f"/limits/{IMAGE}", json={"concurrency": 3, "per_minute": 60}).json()["concurrency"] == 3
    api.post(f"/limits/{IMAGE}/pause", {"reason": "too dear"}, role=Role.OPERATOR)
    [limit] = api.get("/limits")["items"]
    assert (limit["concurrency"], limit["per_minute"], limit["pause_reason"]) == (3, 60, "too dear")
    assert "too dear" in api.get("/jobs")["items"][0]["waiting_for"]
    api.post(f"/limits/{IMAGE}/resume")
    api.post("/limits/*/pause", {"until": "2099-01-01"})
    found = api.get("/limits")
    assert (found["items"][0]["pause_reason"], found["account_paused"]) == (None, "paused by an operator")
    assert found["account_paused_until"].startswith("2099-01-01T00:00:00")
    assert "is over" in api.post("/limits/*/pause", {"until": "2020-01-01"}, 422)["detail"]
    assert api.post("/limits/none/resume", status=404)["code"] == "unknown_model"
    assert api.ask("PUT", f"/limits/{IMAGE}", json={}).status_code == 422
    assert api.ask("PUT", f"/limits/{IMAGE}", json={"concurrency": 2, "start": 5}).status_code == 422
    assert api.ask("DELETE", f"/limits/{IMAGE}").status_code == 204
    assert api.get("/limits")["items"][0]["per_minute"] is None


def test_a_model_that_nobody_knows_is_warned_of(api: Api) -> None:
    wrong = IMAGE.replace("view", "veiw")
    assert IMAGE in api.post(f"/limits/{wrong}/pause", {})["warning"]
    assert IMAGE in api.ask("PUT", f"/budgets/model/{wrong}0", json={"amount": 1}).json()["warning"]
    assert api.post(f"/limits/{IMAGE}/pause", {})["warning"] is None
    assert api.ask("DELETE", f"/limits/{wrong}").status_code == 204
    assert [each["model"] for each in api.get("/limits")["items"]] == [IMAGE]
    assert api.ask("DELETE", f"/limits/{wrong}").json()["code"] == "unknown_model"


def test_budgets(api: Api) -> None:
    api.enqueue("a")
    api.ask("PUT", "/budgets/batch/boats", json={"amount": 1.5}).raise_for_status()
    api.ask("PUT", "/budgets/day/-", json={"amount": "9.99"}).raise_for_status()
    found = {(each["scope"], each["name"]): each["left"] for each in api.get("/budgets")}
    assert found == {("batch", "batch 'boats'"): 1.5, ("day", "the day (UTC)"): 9.99}
    assert api.ask("DELETE", "/budgets/day/-").status_code == 204
    assert api.ask("DELETE", "/budgets/day/-").status_code == 404
    assert api.ask("PUT", "/budgets/day/x", json={"amount": 1}).status_code == 422
    assert api.ask("PUT", "/budgets/model/x", json={"amount": -1}).status_code == 422


def test_keys(api: Api) -> None:
    made = api.post("/keys", {"name": "bob", "role": "viewer"}, 201)
    assert api.http.get(f"{API}/me", headers={"Authorization": f"Bearer {made['key']}"}).json()["name"] == "bob"
    assert api.post("/keys", {"name": "bob"}, 409)["code"] == "name_taken"
    assert {each["name"]: each["used_at"] is not None for each in api.get("/keys")} == {
        "admin": True, "bob": True, "operator": False, "viewer": False,
    }  # fmt: skip
    assert api.ask("DELETE", "/keys/bob").status_code == 204
    assert api.http.get(f"{API}/me", headers={"Authorization": f"Bearer {made['key']}"}).status_code == 401
    assert made["key"] not in str(api.get("/audit"))


# -- the same request again ----------------------------------------------------------------------------


def test_the_same_request_again_is_answered_the_same_and_done_once(api: Api) -> None:
    [job] = api.enqueue("a")
    api.end(job, "failed")
    again = {"Idempotency-Key": "k1"}
    first = api.ask("POST", "/jobs/retry", json={"ids": [job]}, headers=again)
    api.end(job, "failed")
    second = api.ask("POST", "/jobs/retry", json={"ids": [job]}, headers=again)
    assert (first.content, first.status_code) == (second.content, second.status_code)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert api.states() == {job: "failed"}
    other = api.ask("POST", "/jobs/retry", json={"batch": "boats"}, headers=again)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    elsewhere = api.ask("POST", "/jobs/cancel", json={"ids": [job]}, headers=again)
    assert elsewhere.json()["code"] == "key_reused"
    mine = api.ask("POST", "/jobs/retry", Role.OPERATOR, json={"ids": [job]}, headers=again)
    assert mine.json()["jobs"] == 1, "another caller's key is another key"


def test_what_failed_may_be_tried_again_under_its_key(api: Api) -> None:
    again = {"Idempotency-Key": "k1"}
    assert api.ask("POST", "/jobs/retry", json={"ids": [1]}, headers=again).status_code == 404
    [job] = api.enqueue("a")
    api.end(job, "failed")
    assert api.ask("POST", "/jobs/retry", json={"ids": [job]}, headers=again).json()["jobs"] == 1


def test_the_same_request_at_the_same_moment_is_done_once(api: Api) -> None:
    ids = api.enqueue(*(f"p{number}" for number in range(50)))
    for job in ids:
        api.end(job, "failed")

    def ask(_: int) -> httpx.Response:
        return api.ask("POST", "/jobs/retry", json={"batch": "boats"}, headers={"Idempotency-Key": "same"})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert {each.status_code for each in answers} == {200}
    assert {each.content for each in answers} == {answers[0].content}
    assert answers[0].json()["jobs"] == 50
    assert sum("Idempotency-Replayed" not in each.headers for each in answers) == 1
    with api.engine.connect() as conn:
        assert len(entries(conn, action="retry")) == 1


def test_kept_answers_are_forgotten_in_time(api: Api) -> None:
    api.post("/limits/*/pause", {}, headers={"Idempotency-Key": "old"})
    api.sql("update kept_answers set created_at = now() - interval '25 hours'")
    api.post("/limits/*/pause", {"reason": "x"}, headers={"Idempotency-Key": "new"})
    assert [row.key for row in api.sql("select key from kept_answers")] == ["new"]


def test_the_document_alone_is_enough_to_use_it(config: Settings) -> None:
    document = make_app(config).openapi()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    submit = document["paths"][f"{API}/batches"]["post"]
    assert {"kind", "batch", "budget", "skip_invalid", "dry_run"} <= {each["name"] for each in submit["parameters"]}
    body = submit["requestBody"]["content"]["application/json"]["schema"]
    assert (body["required"], body["properties"]["rows"]["type"]) == (["rows"], "array")
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["security"] == [{"key": []}]
            assert list(operation["responses"]["4XX"]["content"]) == ["application/problem+json"]
            assert len(operation["summary"].split()) > 1, operation["summary"]
    assert "e+18" not in json.dumps(document)


# -- outputs and results -------------------------------------------------------------------------------

DATA = bytes(range(256)) * 20
RANGES: dict[str, tuple[dict[str, str], int, bytes]] = {
    "whole": ({}, 200, DATA),
    "the start": ({"Range": "bytes=0-99"}, 206, DATA[:100]),
    "from there on": ({"Range": "bytes=5000-"}, 206, DATA[5000:]),
    "the end": ({"Range": "bytes=-10"}, 206, DATA[-10:]),
    "beyond": ({"Range": "bytes=9999-"}, 416, b""),
    "of this very file": ({"Range": "bytes=0-9", "If-Range": '"mark"'}, 206, DATA[:10]),
    "of an older file": ({"Range": "bytes=0-9", "If-Range": '"old"'}, 200, DATA),
}  # fmt: skip


@pytest.mark.parametrize(("headers", "status", "content"), RANGES.values(), ids=RANGES)
def test_an_output_in_parts(api: Api, headers: dict[str, str], status: int, content: bytes) -> None:
    [job] = api.enqueue("a")
    api.store(job, DATA, mime="video/mp4")
    found = api.ask("GET", f"/jobs/{job}/outputs/0", headers=headers)
    assert found.status_code == status
    if status != 416:
        assert found.content == content
        assert found.headers["Content-Type"] == "video/mp4"
        assert int(found.headers["Content-Length"]) == len(content)
    else:
        assert found.headers["Content-Range"] in {f"bytes */{len(DATA)}", f"*/{len(DATA)}"}


def test_an_output_that_is_known_is_not_sent_again(api: Api) -> None:
    [job] = api.enqueue("a")
    api.store(job, DATA)
    path = f"/jobs/{job}/outputs/0"
    found = api.ask("GET", path)
    assert api.ask("GET", path, headers={"If-None-Match": found.headers["ETag"]}).status_code == 304
    head = api.ask("HEAD", path)
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", str(len(DATA)))
    (api.outputs / f"{job}-0.bin").unlink()
    assert api.ask("GET", path).json()["code"] == "output_gone"


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html", "application/pdf"])
def test_nothing_that_could_run_here_is_shown(api: Api, mime: str) -> None:
    [job] = api.enqueue("a")
    api.store(job, b"<script>alert(1)</script>", mime=mime)
    headers = api.ask("GET", f"/jobs/{job}/outputs/0").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    shown = headers["Content-Disposition"].startswith("inline")
    assert not shown or headers["Content-Type"].startswith("text/plain")


def test_results_as_an_export_has_them(api: Api) -> None:
    ids = api.enqueue("a", "b")
    api.store(ids[0], b"\x89PNG")
    api.end(ids[0])
    api.end(ids[1], "failed", "1301")
    lines = [json.loads(line) for line in api.ask("GET", "/batches/boats/results").text.splitlines()]
    assert [(each["row"], each["key"], each["state"]) for each in lines] == [
        (1, "a-key", "succeeded"), (2, "b-key", "failed"),
    ]  # fmt: skip
    assert lines[1]["error"]["code"] == "1301"
    [output] = lines[0]["outputs"]
    assert output["url"] == str(api.http.base_url.join(f"{API}/jobs/{ids[0]}/outputs/0"))
    rows = list(csv.DictReader(io.StringIO(api.ask("GET", "/batches/boats/results?format=csv").text)))
    assert [(row["key"], row["state"]) for row in rows] == [("a-key", "succeeded"), ("b-key", "failed")]


def test_a_batch_as_a_zip_is_its_export(api: Api, tmp_path: Path) -> None:
    first, second, _ = api.enqueue("a", "b", "c")
    large = bytes(range(256)) * 10_000
    api.store(first, b"one")
    api.store(second, large)
    api.store(second, b"cover", index=1, role="cover")
    api.end(first)
    api.end(second)
    found = api.ask("GET", "/batches/boats/files")
    assert found.headers["Content-Disposition"].startswith('attachment; filename="batch-')
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        assert archive.testzip() is None
        lines = [json.loads(line) for line in archive.read("manifest.jsonl").splitlines()]
        kept = {name: archive.read(name) for name in archive.namelist() if name != "manifest.jsonl"}
    assert [line["state"] for line in lines] == ["succeeded", "succeeded", "queued"]
    paths = [each["path"] for line in lines for each in line["outputs"]]
    assert [kept[path] for path in paths] == [b"one", large, b"cover"]
    storage = Storage.open(api.outputs.as_uri())
    export(api.engine, storage, 1, tmp_path / "out", form="jsonl", on_job=lambda: None)
    assert [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()] == lines
    assert {str(each.relative_to(tmp_path / "out")) for each in (tmp_path / "out" / "files").iterdir()} == set(paths)


def test_results_of_many_jobs_come_in_order_whether_they_have_rows_or_not(api: Api) -> None:
    api.sql("insert into batches (name) values ('big')")
    api.sql(
        "insert into jobs (batch_id, row, kind, model, args, dedupe) select (select id from batches), "
        "case when n <= 2500 then 2501 - n end, 'image', 'm', '{}', n from generate_series(1, 3700) n"
    )
    lines = [json.loads(line) for line in api.ask("GET", "/batches/big/results").text.splitlines()]
    assert [each["row"] for each in lines[:2500]] == list(range(1, 2501))
    assert {each["row"] for each in lines[2500:]} == {None}
    assert len({each["job"] for each in lines}) == 3700


def test_results_as_openais_batch_api_has_them(api: Api) -> None:
    one, *two = api.enqueue("one"), *api.enqueue("two", batch="other", n=2)
    for job in (*one, *two):
        api.store(job, b"\x89PNG")
        api.end(job)
    chat = api.enqueue("hi", batch="chats", kind="chat")[0]
    api.store(chat, b'{"choices": []}', role="json", mime="application/json")
    api.end(chat)
    failed, open_ = api.enqueue("bad", "open", batch="mixed")
    api.end(failed, "failed", "1301")

    def lines(batch: str) -> list[Any]:
        answer = api.ask("GET", f"/batches/{batch}/results?format=openai")
        return [json.loads(line) for line in answer.text.splitlines()]

    [image] = lines("boats")
    assert (image["custom_id"], image["error"], image["response"]["status_code"]) == ("one-key", None, 200)
    assert len(image["response"]["body"]["data"]) == 1
    [both] = lines("other")
    assert both["custom_id"] == "two-key"
    assert [each["url"].rpartition("/jobs/")[2] for each in both["response"]["body"]["data"]] == [
        f"{job}/outputs/0" for job in two
    ]
    assert lines("chats")[0]["response"]["body"] == {"choices": []}
    [error] = lines("mixed")
    assert (error["response"], error["error"]["code"]) == (None, "1301"), f"{open_} has not ended"


def test_openais_lines_go_in_and_come_out(api: Api, tmp_path: Path) -> None:
    lines = [
        {"custom_id": f"ask-{n}", "method": "POST", "url": "/v1/chat/completions",
         "body": {"model": "glm-4.6", "max_tokens": 9, "messages": [{"role": "user", "content": f"{n}?"}]}}
        for n in range(2)
    ]  # fmt: skip
    content = "".join(json.dumps(line) + "\n" for line in lines)
    asked = {"kind": "chat", "batch": "asks", "format": "openai"}
    api.ask("POST", "/batches", params=asked, content=content).raise_for_status()
    for row in api.sql("select id from jobs"):
        api.store(row.id, b'{"choices": [1]}', role="json", mime="application/json")
        api.end(row.id)
    found = api.ask("GET", "/batches/asks/results?format=openai").text.splitlines()
    assert [json.loads(line)["custom_id"] for line in found] == ["ask-0", "ask-1"]
    [batch] = api.sql("select id from batches")
    storage = Storage.open(api.outputs.as_uri())
    export(api.engine, storage, batch.id, tmp_path / "out", form="openai", on_job=lambda: None)
    assert (tmp_path / "out/manifest.openai.jsonl").read_text().splitlines() == found
