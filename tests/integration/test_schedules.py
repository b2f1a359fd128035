"""Schedules on the real database: a run a tick, what is new, what is left, what is said."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from models import runs
from models.runs import LostRunError
from tests.support.schedules import AGE_S, Idle, Scheduler, aged, say, write
from worker.storage import Storage
from worker.storage.folder import Folder
from worker.upkeep import intake, schedules


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def scheduler(engine: Engine, tmp_path: Path) -> Scheduler:
    return Scheduler(engine, Storage.open((tmp_path / "outputs").as_uri()))


def counts(run: dict[str, object]) -> dict[str, object]:
    fields = ("state", "found", "added", "known", "unsettled", "problems")
    return {each: run[each] for each in fields if run[each]}


def test_a_run_makes_a_batch_of_what_is_new(scheduler: Scheduler, source: Path) -> None:
    write(source, "b.wav", say("basil"))
    write(source, "talks/a.wav", say("amber"))
    write(source, "talks/a.txt", b"notes")
    scheduler.add("talks", source, args={"language": "de"}, webhook="https://example.org/hook")
    scheduler.do("update schedules set next_at = '2026-11-25T01:00Z', max_age_s = 1e9")
    assert scheduler.tick() == 1
    [run] = scheduler.show("talks")["runs"]
    assert counts(run) == {"state": "done", "found": 2, "added": 2}
    [batch] = scheduler.rows("select * from batches")
    assert (batch.name, batch.webhook) == (run["batch"], "https://example.org/hook")
    jobs = scheduler.rows("select * from jobs order by row")
    assert [(job.row, job.key, job.kind, job.state, job.priority) for job in jobs] == [
        (1, "b.wav", "transcription", "queued", 0), (2, "talks/a.wav", "transcription", "queued", 0),
    ]  # fmt: skip
    given = {"model": "glm-asr-2512", "language": "de", "file": str(source / "talks/a.wav")}
    assert {**jobs[1].args, **given} == jobs[1].args
    assert jobs[0].estimate > 0
    assert scheduler.rows("select from run_files") == []
    assert scheduler.tick() == 0


def test_a_batch_is_named_after_its_tick_by_the_schedules_clock(scheduler: Scheduler, source: Path) -> None:
    write(source, "a.wav", say("amber"))
    scheduler.add("talks", source)
    scheduler.do("insert into batches (name) values ('talks 2026-11-25T02:00')")  # of one that was removed, say
    scheduler.do("insert into schedule_runs (schedule_id, tick) select id, '2026-11-25T01:00Z' from schedules")
    scheduler.tick()
    assert scheduler.show("talks")["runs"][0]["batch"] == "talks 2026-11-25T02:00 (2)"
    assert scheduler.keys("talks 2026-11-25T02:00 (2)") == ["a.wav"]


def test_only_what_is_new_or_changed_is_taken(scheduler: Scheduler, source: Path) -> None:
    kept = write(source, "kept.wav", say("amber"))
    write(source, "changed.wav", say("basil"))
    write(source, "gone.wav", say("cedar"))
    scheduler.add("talks", source)
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 3, "added": 3}
    # The same again: nothing is read, and no batch is made.
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 3}
    assert len(scheduler.rows("select from batches")) == 1
    # A new date alone is no change; nor is a copy, or the same file under another name.
    aged(kept, 60)
    write(source, "copy/kept.wav", kept.read_bytes())
    (source / "gone.wav").rename(source / "moved.wav")
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 4, "known": 3}
    # Changed content is; so is a new file. Copies of each other are one job.
    write(source, "changed.wav", say("delta"), age_s=100)
    write(source, "new.wav", say("ember"))
    write(source, "another.wav", say("ember"))
    run = scheduler.run("talks")
    assert counts(run) == {"state": "done", "found": 6, "added": 2, "known": 1}
    assert scheduler.keys(run["batch"]) == ["another.wav", "changed.wav"]
    by_path = {row.path: row for row in scheduler.rows("select * from source_files")}
    assert by_path["new.wav"].job_id == by_path["another.wav"].job_id
    assert by_path["moved.wav"].job_id == by_path["gone.wav"].job_id
    assert len(scheduler.rows("select from jobs")) == 5


def test_what_was_moved_before_its_turn_is_found_again(scheduler: Scheduler, source: Path) -> None:
    write(source, "early.wav", say("amber"))
    write(source, "late.wav", say("basil"))
    scheduler.add("talks", source)
    scheduler.run("talks")
    fail = "update jobs set state = 'failed', finished_at = now(), error_code = 'input_unreadable' where key = :key"
    # One is moved and its job fails; the other's move is seen by a run before its job fails.
    (source / "early.wav").rename(source / "old-early.wav")
    scheduler.do(fail, key="early.wav")
    (source / "late.wav").rename(source / "old-late.wav")
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 2, "added": 1, "known": 1}
    scheduler.do(fail, key="late.wav")
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 2, "added": 1}
    assert scheduler.keys() == ["early.wav", "late.wav", "old-early.wav", "old-late.wav"]
    # What fails where it lies is left: to try it again is a person's matter.
    scheduler.do(fail, key="old-late.wav")
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 2}
    aged(source / "old-late.wav", 60)
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 2, "added": 1}


def test_what_is_being_written_is_left_for_the_next_run(scheduler: Scheduler, source: Path) -> None:
    write(source, "settled.wav", say("amber"))
    fresh = write(source, "fresh.wav", say("basil"), age_s=1)
    ahead = write(source, "ahead.wav", say("cedar"), age_s=-60)  # the clocks of two machines differ
    write(source, "wrong.wav", say("delta"), age_s=-86400 * 400)  # a recorder whose date was never set
    scheduler.add("talks", source)
    run = scheduler.run("talks")
    assert counts(run) == {"state": "done", "found": 4, "added": 2, "unsettled": 2}
    assert scheduler.keys(run["batch"]) == ["settled.wav", "wrong.wav"]
    aged(fresh, 60)
    aged(ahead, 60)
    assert scheduler.keys(scheduler.run("talks")["batch"]) == ["ahead.wav", "fresh.wav"]


def test_a_file_that_changes_while_it_is_read_is_left(scheduler: Scheduler, source: Path, engine: Engine) -> None:
    """Listed and changed before it is read: its size and date are not those of the listing."""
    file = write(source, "a.wav", say("amber"))
    scheduler.add("talks", source)
    tick = scheduler.ask("talks")
    [ready] = schedules.tick(engine)
    with engine.begin() as conn:
        claim = runs.claim_run(conn, ready.schedule_id, tick, worker="w", lease_s=30)
    assert claim is not None
    one = intake.Intake(engine, claim, Folder(source), Idle())  # type: ignore[arg-type]
    one.list_all()
    aged(file, 50)
    one.read_all()
    one.finish()
    assert counts(scheduler.show("talks")["runs"][0]) == {"state": "done", "found": 1, "unsettled": 1}
    assert scheduler.keys() == []
    assert scheduler.keys(scheduler.run("talks")["batch"]) == ["a.wav"]


def test_what_cannot_be_taken_is_told_and_the_rest_goes_on(scheduler: Scheduler, source: Path) -> None:
    write(source, "good.wav", say("amber"))
    write(source, "text.wav", b"no sound at all")
    write(source, "empty.wav", b"")
    write(source, f"{'d' * 200}/{'d' * 200}/{'d' * 200}/{'d' * 200}/deep.wav", say("basil"))
    (source / "link.wav").symlink_to(source / "nowhere")
    (source / "ring").symlink_to(source)
    (source / "folder.wav").mkdir()
    (source / os.fsdecode(b"\xff.wav")).write_bytes(say("cedar"))
    scheduler.add("talks", source)
    run = scheduler.run("talks")
    assert counts(run) == {"state": "done", "found": 3, "added": 1, "problems": 4}
    assert scheduler.keys(run["batch"]) == ["good.wav"]
    told = {each["path"]: each["problem"] for each in scheduler.show("talks")["problems"]}
    assert told["empty.wav"] == "is empty"
    assert told["text.wav"].startswith("is no readable audio: ")
    assert told["\\xff.wav"] == "its name is no UTF-8; rename it"
    [long] = [problem for path, problem in told.items() if path.startswith("ddd")]
    assert "is longer than 800 bytes" in long
    # It is told again by the next run, until somebody mends it.
    aged(write(source, "text.wav", say("delta")), 50)
    (source / "empty.wav").unlink()
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 2, "added": 1, "problems": 2}


@pytest.fixture
def open_source() -> Iterator[Path]:
    """A folder that others can get at too."""
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may read everything; whoever else runs this may not."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_files_and_folders_without_permission_are_told(scheduler: Scheduler, open_source: Path) -> None:
    source = open_source
    write(source, "good.wav", say("amber"))
    write(source, "secret.wav", say("basil")).chmod(0)
    write(source, "locked/a.wav", say("cedar"))
    (source / "locked").chmod(0)
    scheduler.add("talks", source)
    with as_nobody():
        run = scheduler.run("talks")
    (source / "locked").chmod(0o755)
    assert counts(run) == {"state": "done", "found": 2, "added": 1, "problems": 2}
    told = {each["path"]: each["problem"] for each in scheduler.show("talks")["problems"]}
    assert told["locked/"] == "this folder cannot be read: Permission denied"
    assert "Permission denied" in told["secret.wav"]


def test_a_source_that_is_away_is_looked_at_again_and_the_schedule_goes_on(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("talks", source / "disk")
    for failures, after_s in enumerate((60, 300, 900), 1):
        scheduler.do("update schedule_runs set lease_until = null")
        scheduler.ask("talks") if failures == 1 else None
        scheduler.tick()
        [row] = scheduler.rows(
            "select *, round(extract(epoch from lease_until - now()) / 30) * 30 as s from schedule_runs"
        )
        assert (row.state, row.failures, row.s) == ("due", failures, after_s)
        assert row.error == f"there is no folder {source}/disk"
    assert scheduler.tick() == 0  # not before its time
    scheduler.do("update schedule_runs set lease_until = null")
    scheduler.tick()
    assert scheduler.show("talks")["runs"][0]["state"] == "failed"
    # It is there again: the next run takes what it has; and so does the one that failed, if a person asks.
    write(source, "disk/a.wav", say("amber"))
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 1, "added": 1}


def test_a_run_that_waits_to_try_again_is_woken_by_a_person(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("talks", source / "disk")
    scheduler.ask("talks")
    scheduler.tick()
    scheduler.do("update schedule_runs set tick = tick - interval '1 hour'")
    write(source, "disk/a.wav", say("amber"))
    scheduler.ask("talks")
    scheduler.tick()
    scheduler.tick()
    assert [run["state"] for run in scheduler.show("talks")["runs"]] == ["done", "done"]


def test_one_run_a_tick_however_many_tick(scheduler: Scheduler, source: Path, engine: Engine) -> None:
    for number in range(8):
        scheduler.add(f"s{number}", source)
    scheduler.come()
    barrier = threading.Barrier(4)
    ready: list[list[runs.Ready]] = []

    def tick() -> None:
        barrier.wait()
        ready.append(schedules.tick(engine))

    both(tick, 4)
    told = [(each.name, each.tick) for some in ready for each in some]
    schedules.tick(engine)
    assert len(scheduler.rows("select from schedule_runs")) == 8
    assert len(told) == len(set(told)) == 8
    assert not scheduler.rows("select from schedules where next_at < now()")


def both(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_two_workers_at_one_run_take_it_once(scheduler: Scheduler, source: Path, engine: Engine) -> None:
    for number in range(20):
        write(source, f"{number}.wav", say("amber") + bytes(number))
    scheduler.add("talks", source)
    tick = scheduler.ask("talks")
    [ready] = schedules.tick(engine)
    barrier = threading.Barrier(3)

    def work() -> None:
        barrier.wait()
        scheduler.take_in(ready.schedule_id, tick)

    both(work, 3)
    assert counts(scheduler.show("talks")["runs"][0]) == {"state": "done", "found": 20, "added": 20}
    assert len(scheduler.rows("select from jobs")) == 20


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [("skip", ["skipped"]), ("once", ["done"]), ("all", ["done", "done", "done", "skipped"])],
)
def test_ticks_that_were_missed(scheduler: Scheduler, source: Path, catch_up: str, expected: list[str]) -> None:
    """Nothing ran for four days; what is older than three is not made up for."""
    for day in range(5):
        write(source, f"{day}.wav", say("amber", *["basil"] * day), age_s=day * 86400 + AGE_S)
    scheduler.add("talks", source, cron="0 * * * *", catch_up=catch_up)
    hour = "date_trunc('hour', now())"
    scheduler.do(f"update schedules set cron = '0 ' || extract(hour from {hour} - interval '1 hour') || ' * * *', "
                 f"timezone = 'UTC', next_at = {hour} - interval '73 hours'")  # fmt: skip
    while scheduler.tick():
        pass
    shown = scheduler.show("talks")
    assert [run["state"] for run in shown["runs"]] == expected
    assert shown["next_at"] > datetime.now(UTC)
    missed = [run["error"] for run in shown["runs"] if run["state"] == "skipped"]
    if catch_up == "skip":
        assert "and --catch-up is skip" in missed[0]
    if catch_up == "all":
        assert "more than --max-age" in missed[0]
        # Each run took what was there at its time.
        assert [run["added"] for run in reversed(shown["runs"])][1:] == [2, 1, 1]


def test_a_run_that_comes_before_the_last_one_has_ended(scheduler: Scheduler, source: Path) -> None:
    write(source, "a.wav", say("amber"))
    for overlap in ("skip", "queue"):
        scheduler.add(overlap, source, overlap=overlap)
        scheduler.run(overlap)
    scheduler.do("update schedule_runs set tick = tick - interval '1 hour'")
    scheduler.come()
    scheduler.tick()
    assert scheduler.show("skip")["runs"][0]["error"] == "the batch before it had not ended"
    assert [scheduler.show(each)["runs"][0]["state"] for each in ("skip", "queue")] == ["skipped", "due"]
    # A person who asks is not kept waiting.
    assert scheduler.run("skip")["state"] == "done"
    # What is held waits for a person, and keeps nobody.
    scheduler.do("update jobs set state = 'held'")
    scheduler.tick()
    assert scheduler.show("queue")["runs"][0]["state"] == "done"


def test_a_run_that_comes_while_the_last_one_still_lists(scheduler: Scheduler, source: Path, engine: Engine) -> None:
    for overlap in ("skip", "queue"):
        scheduler.add(overlap, source, overlap=overlap)
        tick = scheduler.ask(overlap)
        [ready] = schedules.tick(engine)
        with engine.begin() as conn:
            assert runs.claim_run(conn, ready.schedule_id, tick, worker="w", lease_s=30)
    scheduler.do("update schedule_runs set tick = tick - interval '1 hour'")
    scheduler.come()
    assert scheduler.tick() == 0
    assert [run["state"] for run in scheduler.show("skip")["runs"]] == ["skipped", "listing"]
    assert scheduler.show("skip")["runs"][0]["error"] == "the run before it had not ended"
    assert [run["state"] for run in scheduler.show("queue")["runs"]] == ["due", "listing"]


def test_a_worker_that_wakes_after_its_lease_changes_nothing(
    scheduler: Scheduler, source: Path, engine: Engine
) -> None:
    write(source, "a.wav", say("amber"))
    scheduler.add("talks", source)
    tick = scheduler.ask("talks")
    [ready] = schedules.tick(engine)
    with engine.begin() as conn:
        claim = runs.claim_run(conn, ready.schedule_id, tick, worker="zombie", lease_s=30)
    assert claim is not None
    zombie = intake.Intake(engine, claim, Folder(source), Idle())  # type: ignore[arg-type]
    zombie.list_all()
    zombie.read_all()
    scheduler.do("update schedule_runs set lease_until = now() - interval '1 s'")
    scheduler.tick()
    scheduler.tick()
    assert counts(scheduler.show("talks")["runs"][0]) == {"state": "done", "found": 1, "added": 1}
    with pytest.raises(LostRunError):
        zombie.finish()
    assert len(scheduler.rows("select from jobs")) == 1
    assert len(scheduler.rows("select from batches")) == 1


def test_a_run_whose_workers_die_again_and_again_fails(scheduler: Scheduler, source: Path, engine: Engine) -> None:
    scheduler.add("talks", source)
    tick = scheduler.ask("talks")
    for _ in range(4):
        [ready] = schedules.tick(engine, settle_s=0.0)
        with engine.begin() as conn:
            assert runs.claim_run(conn, ready.schedule_id, tick, worker="w:1", lease_s=-1)
    schedules.tick(engine, settle_s=0.0)
    [run] = scheduler.show("talks")["runs"]
    assert (run["state"], run["error"]) == ("failed", "the worker that had it (w:1) died")


def test_a_worker_that_is_told_to_stop_gives_its_run_back(scheduler: Scheduler, source: Path) -> None:
    write(source, "a.wav", say("amber"))
    scheduler.add("talks", source)
    scheduler.stopping = True
    assert scheduler.run("talks")["state"] == "due"
    assert scheduler.rows("select failures, lease_until from schedule_runs") == [(0, None)]
    scheduler.stopping = False
    scheduler.tick()
    assert counts(scheduler.show("talks")["runs"][0]) == {"state": "done", "found": 1, "added": 1}


def test_more_files_than_one_page_and_one_lot(
    scheduler: Scheduler, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with hundreds of thousands: pages and lots are made small instead."""
    monkeypatch.setattr(intake, "PAGE", 7)
    monkeypatch.setattr(intake, "LOT", 5)
    for number in range(40):
        write(source, f"{number % 4}/{number:03}.wav", say("amber") + bytes(number))
    write(source, "0/text.wav", b"x" * 100)
    scheduler.add("talks", source)
    run = scheduler.run("talks")
    assert counts(run) == {"state": "done", "found": 41, "added": 40, "problems": 1}
    assert scheduler.keys(run["batch"]) == sorted(scheduler.keys(run["batch"]))
    write(source, "new.wav", say("ember"))
    assert counts(scheduler.run("talks")) == {"state": "done", "found": 42, "added": 1, "problems": 1}
