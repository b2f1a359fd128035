"""Schedules on a running stack: from the clock's tick to transcripts beside their recordings."""

import json
from pathlib import Path
from typing import Any

from tests.support.schedules import say, write
from tests.support.stack import Stack, wait_until

WORDS = {"a.wav": "amber basil", "talks/b.wav": "cedar", "talks/c.wav": "delta ember"}


def come(stack: Stack, name: str) -> None:
    """Its tick is this minute, and then in a year."""
    with stack.database() as conn:
        [[minute]] = conn.execute("select date_trunc('minute', now()) at time zone 'UTC'").fetchall()
        conn.execute(
            "update schedules set cron = %s, timezone = 'UTC', next_at = %s at time zone 'UTC' where name = %s",
            [f"{minute:%-M %-H %-d %-m} *", minute, name],
        )


def shown(stack: Stack, name: str) -> Any:
    return json.loads(stack.run("schedule", "show", name, "--json"))


def transcripts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder).with_suffix(".wav")): path.read_text() for path in folder.rglob("*.txt")}


def test_what_comes_into_a_folder_is_transcribed_beside_it(shared: Stack) -> None:
    stack, source = shared, shared.folder / "in"
    for path, words in WORDS.items():
        write(source, path, say(*words.split()))
    said = stack.run("schedule", "add", "talks", "--cron", "0 2 * * *", "--source", "in", "--out", "beside")
    assert "3 files in" in said
    come(stack, "talks")
    wait_until(lambda: transcripts(source) == WORDS, what=stack.run("schedule", "show", "talks"))
    [run] = shown(stack, "talks")["runs"]
    assert (run["state"], run["found"], run["added"]) == ("done", 3, 3)
    assert "3/3 ended (3 succeeded)" in stack.run("watch", run["batch"])
    assert [line["key"] for line in stack.manifest(run["batch"])] == sorted(WORDS)
    # Everything is killed; what comes meanwhile is taken by the next run, and nothing else is.
    stack.kill()
    write(source, "later.wav", say("ember"))
    stack.start(MEDIAJOBS_LEASE_S="3", MEDIAJOBS_HINT_LEASE_S="2")
    assert "1 new of 4 files" in stack.run("schedule", "run", "talks", "--wait")
    wait_until(lambda: transcripts(source) == {**WORDS, "later.wav": "ember"}, what="the transcript of what came later")
    assert sum(bool(entry["charged"]) for entry in stack.ledger()) == 4
    assert stack.audit() == []


def test_a_source_that_is_gone_is_told(shared: Stack) -> None:
    (shared.folder / "gone").mkdir()
    shared.run("schedule", "add", "nothing", "--cron", "0 2 * * *", "--source", "gone")
    (shared.folder / "gone").rmdir()
    said = shared.run("schedule", "run", "nothing", "--wait", code=1)
    assert f"there is no folder {shared.folder}/gone" in said
    assert "tries again at" in said
