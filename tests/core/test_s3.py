"""Outputs and inputs in a bucket instead of on this machine."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sandbox.tones import speak, wav
from sandbox.valkey import free_port
from tests.support.core import Core
from tests.support.stack import MEDIAJOBS, wait_until
from tests.support.talk import recording
from worker import doctor
from worker.settings import Settings
from worker.storage import Storage


def test_what_is_no_recording_makes_no_call(core: Core, aws: dict[str, str], bucket: Any) -> None:
    objects = {
        "page": (b"<html>" * 50, "is no readable audio"),
        "empty": (b"", "is empty"),
    }
    for key, (data, _) in objects.items():
        bucket.put_object(Key=f"in/{key}.wav", Body=data)
    core.environment = aws
    core.enqueue("transcription", *({"file": f"s3://media/in/{key}.wav", "key": key} for key in objects))
    assert core.work() == 0, core.log()
    for row in core.rows("select key, state, error_message from jobs"):
        assert row.state == "failed"
        assert f"s3://media/in/{row.key}.wav {objects[row.key][1]}" in row.error_message
    assert core.stand_in.ledger() == []


def test_a_bucket_that_is_away_for_a_while_fails_nothing(core: Core, aws: dict[str, str], bucket: Any) -> None:
    bucket.put_object(Key="in/a.wav", Body=wav(speak(["amber", "ocean"])))
    [job] = core.enqueue("transcription", {"file": "s3://media/in/a.wav"})
    away = core.start(**aws | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"})
    try:
        wait_until(lambda: core.rows("select from jobs where error_code = 'source_away' and state = 'queued'"),
                   what="a try")  # fmt: skip
    finally:
        away.kill()
        away.wait()
    with core.engine.begin() as conn:
        conn.execute(text("update jobs set run_at = now()"))
    core.environment = aws
    assert core.work() == 0, core.log()
    [row] = core.rows(
        "select state, text from jobs join outputs on job_id = id where id = :job and role = 'text'", job=job
    )
    assert (row.state, row.text) == ("succeeded", "amber ocean")
    assert core.audit() == []


def test_files_come_from_a_bucket_and_go_to_one(core: Core, aws: dict[str, str], bucket: Any) -> None:
    bucket.put_object(Key="in/a.wav", Body=wav(speak(["amber", "ocean"])))
    spoken = recording(core, 70, "long.ogg")
    bucket.put_object(Key="in/long.ogg", Body=(core.folder / "long.ogg").read_bytes())
    core.environment = {**aws, "MEDIAJOBS_OUTPUTS_URL": "s3://media/out"}
    core.enqueue("image", {"prompt": "a fox", "key": "fox"})
    core.enqueue("video", {"prompt": "a fox", "key": "run", "model": "viduq1-text"})
    core.enqueue("transcription", {"file": "s3://media/in/a.wav", "key": "said"},
                 {"file": "s3://media/in/long.ogg", "key": "talk"},
                 {"file": "s3://media/in/none.wav", "key": "gone"})  # fmt: skip
    assert core.work() == 0, core.log()
    assert core.states() == {
        "fox": "succeeded",
        "run": "succeeded",
        "said": "succeeded",
        "talk": "succeeded",
        "gone": "failed",
    }
    texts = {row.key: row.text.split() for row in core.rows(
        "select key, text from jobs join outputs on job_id = id where role = 'text' and parent_id is null"
    )}  # fmt: skip
    assert texts == {"said": ["amber", "ocean"], "talk": [each.word for each in spoken]}
    [gone] = core.rows("select error_code, error_message from jobs where state = 'failed'")
    assert gone.error_code == "input_unreadable"
    assert gone.error_message == "there is no s3://media/in/none.wav"
    for row in core.rows("select location, bytes, sha256 from outputs"):
        data = bucket.Object(f"out/{row.location}").get()["Body"].read()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (row.bytes, row.sha256)
    exported = core.folder / "exported"
    export(core, exported)
    lines = [json.loads(line) for line in (exported / "manifest.jsonl").read_text().splitlines()]
    files = [exported / each["path"] for line in lines for each in line["outputs"]]
    assert len(files) >= 4
    assert all(file.stat().st_size for file in files)


def test_what_comes_after_takes_its_input_from_the_bucket(core: Core, aws: dict[str, str], bucket: Any) -> None:
    bucket.put_object(Key="in/a.wav", Body=wav(speak(["amber", "ocean"])))
    core.environment = {**aws, "MEDIAJOBS_OUTPUTS_URL": "s3://media/out"}
    core.enqueue(
        "image",
        {"key": "fox", "prompt": "a fox", "size": "768x1344"},
        {"key": "film", "kind": "video", "prompt": "it runs", "image_url": "{{ output }}", "after": "fox"},
        {"key": "talk", "kind": "transcription", "file": "s3://media/in/a.wav"},
        {"key": "said", "kind": "chat", "model": "glm-4.6v", "max_tokens": 500, "after": ["fox", "talk"],
         "prompt": "What of {{ srt of talk }}?", "images": "{{ output of fox }}"},
    )  # fmt: skip
    assert core.work() == 0, core.log()
    assert set(core.states().values()) == {"succeeded"}, core.rows("select key, error_message from jobs")
    [said] = core.rows("select text from outputs o join jobs j on j.id = job_id where key = 'said' and role = 'text'")
    assert "amber ocean" in said.text
    assert "768x1344" in said.text


def test_the_doctor_writes_to_the_bucket(aws: dict[str, str], bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    [good] = doctor.outputs(Settings(outputs_url="s3://media/probe"))
    assert good.ok
    assert not list(bucket.objects.filter(Prefix="probe"))
    [bad] = doctor.outputs(Settings(outputs_url="s3://nobucket/x"))
    assert (bad.ok, bad.unreachable) == (False, True)
    assert bad.found.startswith("cannot write to s3://nobucket/x: ")
    assert "AWS_SECRET_ACCESS_KEY" in bad.mend


def export(core: Core, folder: Path) -> None:
    environment = {**os.environ, **core.environment, "MEDIAJOBS_DATABASE_URL": core.url}
    subprocess.run([MEDIAJOBS, "export", "b", str(folder)], env=environment, cwd=core.folder, check=True, timeout=60)


def test_files_are_removed_from_a_bucket(aws: dict[str, str], bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    for key in ("out/a.png", "out/b c.png", "out/d.png"):
        bucket.put_object(Key=key, Body=b"x")
    Storage.open("s3://media/out").remove(["a.png", "b c.png", "gone.png"])
    assert [each.key for each in bucket.objects.all()] == ["out/d.png"]
