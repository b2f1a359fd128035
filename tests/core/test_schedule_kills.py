"""From a file in a source to its transcript beside it, with a process that dies at any moment in between."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.core import TIMEOUT_S, Core
from tests.support.schedules import Scheduler, say, write
from worker.failpoints import EXIT_CODE, SCHEDULES
from worker.storage import Storage

WORDS = {"a.wav": "amber", "talks/b.wav": "basil", "talks/c.wav": "cedar", "copy/a.wav": "amber"}


def scheduler(core: Core) -> Scheduler:
    return Scheduler(core.engine, Storage.open((core.folder / "outputs").as_uri()))


def work(core: Core, **environment: str) -> int:
    """Do what schedules have to do, in a process of its own; returns its exit code."""
    return core.start("tests.support.scheduler", **environment).wait(TIMEOUT_S)


def put_recordings(folder: Path) -> None:
    for path, word in WORDS.items():
        write(folder, path, say(word))


def transcripts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder).with_suffix(".wav")): path.read_text() for path in folder.rglob("*.txt")}


@pytest.mark.parametrize(
    "name", [*SCHEDULES, *(pytest.param(f"{each}@2", marks=pytest.mark.soak) for each in SCHEDULES)]
)
def test_a_kill_at_any_moment_loses_nothing_and_does_nothing_twice(core: Core, name: str) -> None:
    source = core.folder / "in"
    put_recordings(source)
    by_hand = scheduler(core)
    by_hand.add("talks", source, out="beside")
    by_hand.come()
    codes = [work(core, MEDIAJOBS_FAILPOINT=name)]
    if codes[0] == EXIT_CODE:
        assert work(core) == 0, core.log()
    assert core.work() == 0, core.log()
    codes.append(work(core, MEDIAJOBS_FAILPOINT=name))
    assert work(core) == 0, core.log()
    assert set(codes) <= {0, EXIT_CODE}, core.log()
    assert EXIT_CODE in codes or name.endswith("@2")
    assert [run["state"] for run in by_hand.show("talks")["runs"]] == ["done"]
    assert sorted(core.states()) == ["a.wav", "talks/b.wav", "talks/c.wav"]
    assert set(core.states().values()) == {"succeeded"}
    assert transcripts(source) == WORDS
    assert by_hand.rows("select path from source_files order by path") == [(path,) for path in sorted(WORDS)]
    assert Counter(row.state for row in by_hand.rows("select state from published_files")) == {"done": 16}
    assert by_hand.rows("select from run_files") == []
    assert len(by_hand.rows("select from batches")) == 1
    assert sum(bool(entry["charged"]) for entry in core.stand_in.ledger()) == 3
    assert core.audit() == []


def test_from_a_bucket_to_a_bucket(
    core: Core, aws: dict[str, str], bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    core.environment = aws
    for path, word in WORDS.items():
        bucket.put_object(Key=f"in/{path}", Body=say(word))
    bucket.put_object(Key="in/empty.wav", Body=b"")
    bucket.put_object(Key="text/a.txt", Body=b"theirs")
    by_hand = scheduler(core)
    by_hand.add("talks", "s3://media/in/", out="s3://media/text")
    # An object's date is the store's own: as if half a minute had passed.
    assert by_hand.run("talks")["unsettled"] == 5
    monkeypatch.setattr("models.sources.SETTLE_S", -60)
    run = by_hand.run("talks")
    assert (run["found"], run["added"], run["problems"]) == (5, 3, 1)
    assert by_hand.show("talks")["problems"][0]["path"] == "empty.wav"
    assert core.work() == 0, core.log()
    by_hand.publish()
    objects = {each.key: each.get()["Body"].read().decode().strip() for each in bucket.objects.filter(Prefix="text/")}
    texts = {key.removeprefix("text/"): text for key, text in objects.items() if key.endswith(".txt")}
    assert texts == {"a.txt": "theirs", "copy/a.txt": "amber", "talks/b.txt": "basil", "talks/c.txt": "cedar"}
    [told] = by_hand.show("talks")["not_put"]
    assert (told["target"], told["state"]) == ("s3://media/text/a.txt", "out_exists")
    # A changed object is a new job, and its transcript takes the place of the old one.
    bucket.put_object(Key="in/talks/b.wav", Body=say("delta"))
    assert by_hand.run("talks")["added"] == 1
    assert core.work() == 0, core.log()
    by_hand.publish()
    assert bucket.Object("text/talks/b.txt").get()["Body"].read().strip() == b"delta"


def test_a_bucket_that_is_away_is_told(core: Core, aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    by_hand = scheduler(core)
    by_hand.add("talks", "s3://nobucket/in")
    run = by_hand.run("talks")
    assert run["state"] == "due"
    assert run["error"] == "cannot list s3://nobucket/in/: NoSuchBucket: The specified bucket does not exist"
    assert run["again_at"] is not None
