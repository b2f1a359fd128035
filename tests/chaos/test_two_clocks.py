"""Two clocks and two workers at schedules: a tick is one run, and a run makes one batch."""

from pathlib import Path

from tests.support.fleet import Fleet
from tests.support.schedules import Scheduler, say, write
from worker.storage import Storage


def test_two_clocks_and_two_workers_run_each_tick_once(fleet: Fleet) -> None:
    source = fleet.folder / "in"
    for number in range(6):
        write(source, f"{number:02}.wav", say("amber") + bytes(number))
    scheduler = Scheduler(fleet.engine, Storage.open((fleet.folder / "outputs").as_uri()))
    for name in ("one", "two", "three"):
        scheduler.add(name, source, out=str(fleet.folder / name))
        (fleet.folder / name).mkdir()
    fleet.launch("first", "second", "beat-1", "beat-2")
    scheduler.come()

    def put() -> int:
        return sum(len(list(Path(fleet.folder / name).glob("*.txt"))) for name in ("one", "two", "three"))

    fleet.until(lambda: put() == 18, "all transcripts", timeout_s=120)
    fleet.until(lambda: {row.state for row in fleet.rows("select state from published_files")} == {"done"}, "the end")
    assert len(fleet.rows("select from schedule_runs")) == 3
    assert len(fleet.rows("select from batches")) == 3
    assert fleet.charged() == len(fleet.rows("select from jobs")) == 18
    assert fleet.audit() == []
    assert fleet.ended == []
