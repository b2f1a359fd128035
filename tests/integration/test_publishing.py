"""Outputs are put where a schedule wants them: once, and over nothing that is somebody else's."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from models import publishing
from models.publishing import Publisher
from tests.support.schedules import Idle, Scheduler, aged, say, write
from worker.storage import Storage
from worker.upkeep.publish import Publication


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    write(folder, "a.wav", say("amber"))
    write(folder, "talks/b.wav", say("basil"))
    return folder


@pytest.fixture
def scheduler(engine: Engine, tmp_path: Path) -> Scheduler:
    return Scheduler(engine, Storage.open((tmp_path / "outputs").as_uri()))


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*.txt"))}


def states(scheduler: Scheduler) -> dict[str, str]:
    return {Path(row.target).name: row.state for row in scheduler.rows("select target, state from published_files")}


def left(scheduler: Scheduler) -> int:
    return len(scheduler.rows("select from jobs where finished_at is not null and published_fence < fence"))


def test_outputs_are_put_beside_their_sources(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("s", source, out="beside", patterns=["**/*"])
    scheduler.run("s")
    scheduler.publish()
    assert texts(source) == {}  # nothing has ended yet
    scheduler.end_jobs()
    scheduler.publish()
    assert texts(source) == {"a.txt": "text of a.wav", "talks/b.txt": "text of talks/b.wav"}
    assert (source / "talks/b.srt").read_text().endswith("text of talks/b.wav")
    assert set(states(scheduler).values()) == {"done"}
    assert left(scheduler) == 0
    assert scheduler.show("s")["runs"][0]["outputs"] == {"done": 4}
    # What we put there ourselves is no source, whatever the pattern.
    for each in source.rglob("*"):
        if each.is_file():
            aged(each, 100)
    run = scheduler.run("s")
    assert (run["added"], run["problems"], run["known"]) == (0, 0, 2)


def test_outputs_go_to_a_folder_in_the_same_order(scheduler: Scheduler, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    scheduler.add("s", source, out=str(out))
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    assert texts(out) == {"a.txt": "text of a.wav", "talks/b.txt": "text of talks/b.wav"}
    assert texts(source) == {}


def test_without_a_place_they_stay_in_the_store(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("s", source)
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    assert scheduler.rows("select from published_files") == []
    assert left(scheduler) == 0


def test_a_file_that_is_there_is_left_as_it_is_until_it_is_gone(scheduler: Scheduler, source: Path) -> None:
    (source / "a.txt").write_text("my own notes")
    scheduler.add("s", source, out="beside")
    run = scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    assert texts(source) == {"a.txt": "my own notes", "talks/b.txt": "text of talks/b.wav"}
    assert states(scheduler) == {"a.txt": "out_exists", "a.srt": "done", "b.txt": "done", "b.srt": "done"}
    shown = scheduler.show("s")
    assert shown["runs"][0]["outputs"] == {"out_exists": 1, "done": 3}
    [told] = shown["not_put"]
    assert (told["target"], told["message"]) == (
        str(source / "a.txt"), "a file is there that is not this recording's",
    )  # fmt: skip
    # Not again and again, but with each run.
    scheduler.publish()
    (source / "a.txt").unlink()
    scheduler.publish()
    assert "a.txt" not in texts(source)
    assert run["batch"]
    scheduler.run("s")
    scheduler.publish()
    assert texts(source)["a.txt"] == "text of a.wav"


def test_a_changed_recording_replaces_its_transcript_but_none_that_was_edited(
    scheduler: Scheduler, source: Path
) -> None:
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    (source / "talks/b.txt").write_text("corrected by hand")
    write(source, "a.wav", say("cedar"), age_s=100)
    write(source, "talks/b.wav", say("delta"), age_s=100)
    scheduler.run("s")
    scheduler.end_jobs(**{"a.wav": "second", "talks/b.wav": "second"})
    scheduler.publish()
    assert texts(source) == {"a.txt": "second", "talks/b.txt": "corrected by hand"}
    assert states(scheduler)["b.txt"] == "out_exists"
    assert states(scheduler)["b.srt"] == "done"


def test_two_recordings_of_one_name_do_not_overwrite_each_others(scheduler: Scheduler, source: Path) -> None:
    write(source, "a.mp3", say("cedar"))
    scheduler.add("s", source, out="beside", patterns=["a.*"])
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    found = scheduler.rows("select path, state from published_files where target like '%a.txt' order by path")
    assert sorted(row.state for row in found) == ["done", "out_exists"]
    [first] = [row.path for row in found if row.state == "done"]
    assert texts(source) == {"a.txt": f"text of {first}"}


def test_a_copy_gets_its_transcript_too_without_a_job(scheduler: Scheduler, source: Path) -> None:
    write(source, "copy.wav", (source / "a.wav").read_bytes())
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    assert texts(source)["copy.txt"] == "text of a.wav"
    # Long after the job ended: a file was moved.
    (source / "talks/b.wav").rename(source / "moved.wav")
    assert scheduler.run("s")["known"] == 1
    scheduler.publish()
    assert texts(source)["moved.txt"] == "text of talks/b.wav"
    assert len(scheduler.rows("select from jobs")) == 2


def test_what_failed_with_a_part_of_its_outputs_and_is_mended_later(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs("failed", **{"a.wav": "a part", "talks/b.wav": "a part"})
    scheduler.publish()
    assert texts(source) == {"a.txt": "a part", "talks/b.txt": "a part"}
    scheduler.do("update jobs set state = 'storing', finished_at = null, next_fetch_at = now(), fence = fence + 1")
    scheduler.publish()
    scheduler.end_jobs(**{"a.wav": "all of it", "talks/b.wav": "all of it"})
    scheduler.publish()
    assert texts(source) == {"a.txt": "all of it", "talks/b.txt": "all of it"}


def test_what_was_cancelled_has_nothing_to_put(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs("cancelled")
    scheduler.publish()
    assert texts(source) == {}
    assert left(scheduler) == 0


def test_a_place_that_is_away_is_told_and_tried_again(scheduler: Scheduler, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "disk" / "out"
    scheduler.add("s", source, out=str(out))
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    assert not out.exists()  # a disk that is not mounted is no reason to fill another
    assert left(scheduler) == 0
    [one, *_] = scheduler.show("s")["not_put"]
    assert one["message"] == f"there is no folder {out}"
    waits = "select distinct round(extract(epoch from again_at - now()) / 60) as minutes, tries from published_files"
    assert scheduler.rows(waits) == [(1, 1)]
    scheduler.do("update published_files set again_at = now()")
    scheduler.publish()
    assert scheduler.rows(waits) == [(2, 2)]
    out.mkdir(parents=True)
    scheduler.do("update published_files set again_at = now()")
    scheduler.publish()
    assert texts(out) == {"a.txt": "text of a.wav", "talks/b.txt": "text of talks/b.wav"}


def test_one_file_that_cannot_be_put_keeps_no_other_back(scheduler: Scheduler, source: Path) -> None:
    (source / "a.txt").mkdir()
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    assert (source / "talks/b.txt").is_file()
    [told] = scheduler.show("s")["not_put"]
    assert (told["state"], told["message"]) == ("failed", "cannot be read: Is a directory")


def test_two_processes_at_once_put_the_same(scheduler: Scheduler, source: Path) -> None:
    for number in range(30):
        write(source, f"{number}.wav", say("amber") + bytes(number + 1))
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs()
    [row] = scheduler.rows("select id, name, source, out from schedules")
    barrier = threading.Barrier(3)

    def work() -> None:  # each as if the others were dead
        barrier.wait()
        Publication(scheduler.engine, scheduler.storage, Publisher(*row), Idle()).work()  # type: ignore[arg-type]

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(states(scheduler).values()) == {"done"}
    assert len(texts(source)) == 32
    assert not list(source.rglob(".*"))


def test_while_one_process_is_at_a_schedule_another_leaves_it(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs()
    [row] = scheduler.rows("select id from schedules")
    with scheduler.engine.begin() as conn:
        assert publishing.claim_publishing(conn, row.id, lease_s=30.0)
    scheduler.publish()
    assert texts(source) == {}
    scheduler.do("update schedules set publishing_until = now() - interval '1 s'")
    scheduler.publish()
    assert len(texts(source)) == 2


def test_a_removed_schedule_puts_nothing_and_one_that_is_added_again_knows_its_own(
    scheduler: Scheduler, source: Path
) -> None:
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs()
    scheduler.publish()
    write(source, "c.wav", say("cedar"))
    scheduler.run("s")
    scheduler.do("delete from schedules")
    scheduler.end_jobs()
    scheduler.publish()
    assert left(scheduler) == 0
    assert sorted(texts(source)) == ["a.txt", "talks/b.txt"]
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs(**{"a.wav": "again"})
    scheduler.publish()
    assert texts(source) == {"a.txt": "again", "c.txt": "text of c.wav", "talks/b.txt": "text of talks/b.wav"}


def test_an_output_that_the_store_has_lost_is_told(scheduler: Scheduler, source: Path) -> None:
    scheduler.add("s", source, out="beside")
    scheduler.run("s")
    scheduler.end_jobs()
    [row] = scheduler.rows("select location from outputs o join jobs j on j.id = o.job_id "
                           "where j.key = 'a.wav' and index = 0")  # fmt: skip
    local = scheduler.storage.local_path(row.location)
    assert local is not None
    local.unlink()
    scheduler.publish()
    [told] = scheduler.show("s")["not_put"]
    assert "cannot read the stored output: FileNotFoundError" in told["message"]
    assert sorted(texts(source)) == ["talks/b.txt"]
