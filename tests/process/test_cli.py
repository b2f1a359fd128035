"""The commands, as the contract has them, on a running stack."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.tones import speak, wav
from tests.support.ram import short_folder
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """One stack for all of these tests."""
    with short_folder() as folder:
        made = Stack(folder, "--speed", "40")
        made.start()
        yield made
        made.stop()


@pytest.fixture
def stack(running: Stack) -> Iterator[Stack]:
    """The running stack, without jobs."""
    environment = dict(running.environment)
    with running.database() as conn:
        # Row by row: to lock whole tables is to deadlock with the stack that runs.
        for table in ("jobs", "batches", "limits"):
            conn.execute(f"delete from {table}")
    httpx.post(f"{running.sandbox_url}/_reset", timeout=60).raise_for_status()
    yield running
    running.environment = environment


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return path.name


def test_the_main_job_from_manifest_to_files(stack: Stack) -> None:
    rows = '{"key": "fox", "prompt": "a fox", "n": 3}\n\n{"prompt": "a bear", "size": "1344x768"}\n'
    name = write(stack.folder / "m.jsonl", rows)
    shutil.rmtree(stack.folder / "out-m", ignore_errors=True)
    batch_id = stack.run("submit", name, "--kind", "image", "--batch", "m", "--quiet", "--wait").rstrip("\n")
    assert batch_id.isdigit()
    lines = stack.manifest("m")
    assert [(line["row"], line["key"], line["state"], line["attempts"]) for line in lines] == [
        (1, "fox#1", "succeeded", 1), (1, "fox#2", "succeeded", 1), (1, "fox#3", "succeeded", 1),
        (2, None, "succeeded", 1),
    ]  # fmt: skip
    assert set(lines[0]) >= {
        "row",
        "key",
        "job",
        "kind",
        "state",
        "error",
        "attempts",
        "cost",
        "possibly_charged",
        "outputs",
    }
    assert all(line["cost"] == 0.01 and line["error"] is None for line in lines)
    status = stack.status(batch_id)
    assert status == {
        "batch": "m", "total": 4, "counts": {"succeeded": 4}, "cost": 0.04, "possibly_charged": 0, "waiting_for": {},
    }  # fmt: skip
    again = stack.run("submit", name, "--kind", "image", "--batch", "m")
    assert "0 jobs enqueued, 4 were there already" in again
    assert "4 were there already" in stack.run("export", "m", "out-m")
    assert "cannot use /dev/null/x" in stack.run("export", "m", "/dev/null/x", code=2)
    stack.run("export", "m", "out-m", "--format", "csv")
    with (stack.folder / "out-m" / "manifest.csv").open() as file:
        assert [row["key"] for row in csv.DictReader(file)] == ["fox#1", "fox#2", "fox#3", ""]
    assert "4/4 ended (4 succeeded), $0.04" in stack.run("watch", "m")
    job = json.loads(stack.run("show", str(lines[0]["job"]), "--json"))
    assert [step["state"] for step in job["history"]] == ["queued", "dispatched", "running", "storing", "succeeded"]
    assert [request["outcome"] for request in job["requests"]] == ["answered"]
    listed = json.loads(stack.run("jobs", "--batch", "m", "--search", "bear", "--json"))
    assert [each["row"] for each in listed] == [2]


def test_failures_say_why_and_can_be_retried(stack: Stack) -> None:
    name = write(stack.folder / "m.csv", "key,prompt\ngood,a cat\nbad,a cat [[fault:content]]\n")
    stack.run("submit", name, "--kind", "image", "--batch", "m")
    said = stack.run("watch", "m", code=1)
    assert "1 of 2 did not succeed" in said
    bad = stack.manifest("m")[1]
    assert bad["error"] == {
        "code": "1301",
        "message": "System detected potentially unsafe or sensitive content in input or generation",
    }
    assert (bad["cost"], bad["outputs"], bad["attempts"]) == (0, [], 1)
    assert "1 job retried (now 1 queued); it may cost $0.01" in stack.run("retry", "--batch", "m", "--state", "failed")
    stack.run("watch", "m", code=1)
    assert stack.manifest("m")[1]["attempts"] == 1
    assert "no job was retried" in stack.run("retry", str(stack.manifest("m")[0]["job"]), code=1)


def test_one_off_jobs(stack: Stack) -> None:
    image = stack.run("image", "a lighthouse", "--size", "768x1344").strip()
    assert Path(image).read_bytes().startswith(b"\x89PNG")
    video, cover = stack.run("video", "waves").split()
    assert video.endswith(".mp4")
    assert cover.endswith(".png")
    (stack.folder / "a.wav").write_bytes(wav(speak(["delta", "ivory"])))
    assert stack.run("transcribe", "a.wav").splitlines()[0] == "delta ivory"
    assert "cannot be read: No such file" in stack.run("transcribe", "none.wav", code=2)
    assert "size: 1x1 is not offered" in stack.run("image", "x", "--size", "1x1", code=2)
    assert "image_url: takes 'output', but the row comes after none" in stack.run(
        "video", "x", "--image-url", "{{ output }}", code=2
    )
    assert "failed: 1214: Invalid parameter" in stack.run("image", "x [[fault:bad_parameter]]", code=1)


def test_bad_rows_are_named_and_nothing_is_enqueued(stack: Stack) -> None:
    rows = [
        "key,prompt,size,n,modle,model",
        "a,fine,1024x1024,1,,",
        "b,,1024x1024,,,",
        "c,fine,1x1,,,",
        "d,fine,,many,,",
        "e,fine,,,x,",
        "f,fine,,,,cogvideox-3",
        "a,fine,,,,",
    ]
    name = write(stack.folder / "bad.csv", "\n".join(rows) + "\n")
    said = stack.run("submit", name, "--kind", "image", "--batch", "bad", code=2)
    for part in (
        "row 2 (line 3): prompt: is missing",
        "row 3 (line 4): size: 1x1 is not offered by cogview-4-250304",
        "row 4 (line 5): n: 'many' is no whole number; write it in digits",
        "row 5 (line 6): modle: is no field of this kind (it holds 'x'); did you mean model?",
        "row 6 (line 7): model: 'cogvideox-3' is a model for video jobs",
        "row 7 (line 8): key: 'a' is in row 1 already",
        "6 bad rows; nothing was enqueued",
    ):
        assert part in said
    assert "no batch has the name or id 'bad'" in stack.run("status", "bad", code=2)
    skipped = stack.run("submit", name, "--kind", "image", "--batch", "bad", "--skip-invalid")
    assert "skipped 6 bad rows" in skipped
    assert stack.status("bad")["total"] == 1


def test_a_dry_run_tells_the_cost_and_does_nothing(stack: Stack) -> None:
    name = write(stack.folder / "m.csv", "prompt,n\na,2\nb,\n")
    assert "3 jobs would be enqueued, for about $0.03" in stack.run("submit", name, "--kind", "image", "--dry-run")
    assert "no batch" in stack.run("status", "m", code=2)


def test_rows_that_come_after_others(stack: Stack) -> None:
    rows = [
        {"key": "fox", "kind": "image", "prompt": "a fox"},
        {"key": "film", "kind": "video", "prompt": "it runs", "image_url": "{{ output }}", "after": "fox"},
        {"key": "said", "kind": "chat", "prompt": "Of {{ text of told }}", "after": ["told", "fox"]},
        {"key": "told", "kind": "chat", "prompt": "Tell me of fog."},
    ]
    name = write(stack.folder / "m.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert "4 jobs would be enqueued" in stack.run("submit", name, "--dry-run")
    stack.run("pause", "cogview-4-250304", "--reason", "looking at it")
    stack.run("submit", name, "--batch", "m")
    assert stack.status("m")["waiting_for"]["after: the jobs that they come after"] in (2, 3)
    job = next(line["job"] for line in json.loads(stack.run("jobs", "--batch", "m", "--json")) if line["key"] == "film")
    assert "after: fox (queued)" in stack.run("show", str(job))
    stack.run("resume", "cogview-4-250304")
    assert "4 succeeded" in stack.run("watch", "m")
    assert [(line["key"], line.get("after")) for line in stack.manifest("m")] == [
        ("fox", None), ("film", ["fox"]), ("said", ["told", "fox"]), ("told", None),
    ]  # fmt: skip
    more = {"key": "shout", "kind": "chat", "prompt": "Shout {{ text }}", "after": "said"}
    name = write(stack.folder / "more.jsonl", json.dumps(more) + "\n")
    stack.run("submit", name, "--batch", "m", "--quiet", "--wait")
    assert "5 succeeded" in stack.run("watch", "m")


def test_rows_that_cannot_come_after_what_they_name(stack: Stack) -> None:
    rows = [
        {"key": "a", "prompt": "a", "after": "b"},
        {"key": "b", "prompt": "b"},
        {"key": "c", "prompt": "c", "after": "bb"},
        {"key": "d", "kind": "video", "prompt": "d", "image_url": "{{ video }}", "after": "b"},
    ]
    name = write(stack.folder / "m.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    for option in ("--quiet", "--dry-run"):
        said = stack.run("submit", name, "--kind", "image", "--batch", "m", option, code=2)
        assert "row 3: after: 'bb' is the key of no good row of this file, nor of its batch" in said
        assert "row 4: image_url: takes 'video' of 'b', a job of kind image, which makes image" in said
    assert "no batch has the name or id 'm'" in stack.run("status", "m", code=2)
    assert "skipped 2 bad rows" in stack.run("submit", name, "--kind", "image", "--batch", "m", "--skip-invalid")
    assert "2 succeeded" in stack.run("watch", "m")
    rows[1]["after"] = "a"
    name = write(stack.folder / "circle.jsonl", "".join(json.dumps(row) + "\n" for row in rows[:2]))
    for option in ("--quiet", "--dry-run"):
        said = stack.run("submit", name, "--kind", "image", "--batch", "c", option, code=2)
        assert "after: goes in a circle: " in said


def test_retry_of_what_comes_after_a_failure(stack: Stack) -> None:
    rows = [
        {"key": "a", "prompt": "a [[fault:bad_parameter]]"},
        {"key": "b", "prompt": "b", "after": "a"},
    ]
    name = write(stack.folder / "m.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    stack.run("submit", name, "--kind", "image", "--batch", "m", "--quiet", "--wait", code=1)
    first, second = stack.manifest("m")
    assert second["error"]["code"] == "earlier_failed"
    assert "or they come after one that failed: retry that one" in stack.run("retry", str(second["job"]), code=1)
    assert "2 jobs retried (now 2 queued); it may cost $0.02" in stack.run("retry", str(first["job"]))
    stack.run("watch", "m", code=1)


def test_pause_waits_with_its_reason_and_resume_goes_on(stack: Stack) -> None:
    stack.run("pause", "cogview-4-250304", "--reason", "looking at it")
    name = write(stack.folder / "m.csv", "prompt\na\n")
    stack.run("submit", name, "--kind", "image", "--batch", "m")
    assert stack.status("m")["waiting_for"] == {"cogview-4-250304 is paused until resumed: looking at it": 1}
    stack.run("resume", "cogview-4-250304")
    assert "1 succeeded" in stack.run("watch", "m")
    with stack.database() as conn:  # as published, although it was paused before its first job
        assert conn.execute("select concurrency, slot_scope from limits").fetchall() == [(5, "task")]


def test_a_cancelled_batch_makes_no_more_calls(stack: Stack) -> None:
    name = write(stack.folder / "m.csv", "prompt\n" + "".join(f"p{number}\n" for number in range(2000)))
    stack.run("submit", name, "--kind", "image", "--batch", "m")
    stack.wait_for("m", "succeeded", 3)
    stack.run("cancel", "--batch", "m")
    stack.run("watch", "m", code=1)
    counts = stack.counts("m")
    assert set(counts) == {"succeeded", "cancelled"}
    charged = [entry for entry in stack.ledger() if entry["charged"]]
    with stack.database() as conn:
        [[slots]] = conn.execute("select concurrency from limits where model = 'cogview-4-250304'").fetchall()
        [[answered]] = conn.execute("select count(*) from jobs where answered_at is not null").fetchall()
    # Beside what was answered by then: at most what was in its call.
    assert len(charged) <= answered + slots < counts["succeeded"] + counts["cancelled"]


def test_the_logs_do_not_grow_with_every_message(stack: Stack) -> None:
    stack.run("image", "a lighthouse")
    logs = [(stack.data_dir / "logs" / f"{name}.log").read_text() for name in ("run1", "store", "upkeep")]
    assert all("ready." in log for log in logs)  # at its level our own lines are there
    assert not [line for log in logs for line in log.splitlines() if "mediajobs." in line and "Task " in line]


def test_wrong_use_is_told(stack: Stack) -> None:
    assert "Did you mean status?" in stack.run("statsu", code=2)
    assert "cannot tell the format" in stack.run(
        "submit", write(stack.folder / "m.txt", "x"), "--kind", "image", code=2
    )
    assert "is a folder, no manifest; `mediajobs transcribe` takes" in stack.run("submit", ".", code=2)
    assert "the file has no rows" in stack.run("submit", write(stack.folder / "e.csv", ""), "--kind", "image", code=2)
    assert "name jobs by id, or a batch" in stack.run("cancel", code=2)
    assert "there is no job 99" in stack.run("show", "99", code=2)
    stack.environment["MEDIAJOBS_DATA_DIR"] = str(stack.folder / "elsewhere")
    assert "no database: MEDIAJOBS_DATABASE_URL is not set" in stack.run("status", code=3)
    assert "PROBLEM" in stack.run("doctor", code=3)
    stack.environment["MEDIAJOBS_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/x"
    assert "cannot reach the database" in stack.run("status", code=3)
