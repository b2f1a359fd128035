"""Workers that are stopped, woken, ended or killed: no job is lost, and none is bought twice in silence."""

import signal

from sqlalchemy import text

from models import slots
from tests.support.fleet import IMAGE, SHORT_LEASE, SLOW_IMAGE, VIDEO, Fleet
from worker.reasons import waiting_for

ATTEMPTS = "select count(*) as n from attempts where "


def attempts(fleet: Fleet, where: str) -> int:
    return int(fleet.rows(ATTEMPTS + where)[0].n)


def test_a_worker_that_wakes_after_its_lease_changes_nothing_and_its_paid_answers_are_kept(fleet: Fleet) -> None:
    fleet.environment = SHORT_LEASE
    fleet.stand_in.change("config", times={IMAGE: 3.0, "submit": 3.0})
    jobs = fleet.enqueue_mixed(images=12, videos=4)
    fleet.launch("zombie", "beat")
    fleet.until(lambda: len(fleet.stand_in.ledger()) == 9, "calls of all that may run")
    fleet.signal("zombie", signal.SIGSTOP)
    fleet.launch("second")
    fleet.until(lambda: attempts(fleet, "error_code = 'worker_lost'") == 9, "the rescue of all nine")
    fleet.until(lambda: fleet.counts().get("succeeded", 0) >= 5, "work of the second")
    assert attempts(fleet, "outcome = 'unknown' and possibly_charged") == 9
    fleet.signal("zombie", signal.SIGCONT)
    fleet.wait_until_ended()
    assert fleet.audit() == []
    # The answers that the zombie brought are on the record: nothing is in doubt any more.
    assert attempts(fleet, "outcome = 'unknown'") == 0
    # A video is held when its worker is lost: its late answer is put to use, and it is not bought again.
    videos = [entry for entry in fleet.stand_in.ledger() if entry["model"] == VIDEO]
    assert len(videos) == 4
    assert len(fleet.rows("select from events where source = 'held' and target = 'waiting'")) == 4
    assert jobs <= fleet.charged() == attempts(fleet, "outcome = 'answered'") <= jobs + 5
    assert fleet.ended == []


def test_two_workers_and_two_beats_at_once_do_nothing_twice(fleet: Fleet) -> None:
    fleet.launch("first", "second", "beat-1", "beat-2")
    jobs = fleet.enqueue_mixed(images=30, videos=4, sounds=6)
    fleet.wait_until_ended()
    assert fleet.audit() == []
    assert fleet.charged() == jobs == attempts(fleet, "true")
    assert fleet.ended == []


def test_a_worker_told_to_stop_ends_what_it_can_flags_what_it_cuts_and_leaves_the_rest(fleet: Fleet) -> None:
    fleet.stand_in.change("config", times={IMAGE: 1.0, VIDEO: 60.0, SLOW_IMAGE: 60.0})
    slow = fleet.enqueue("image", *({"prompt": "slow", "model": SLOW_IMAGE} for _ in range(2)), batch="slow")
    jobs = fleet.enqueue_mixed(images=45, videos=3) + len(slow)
    fleet.launch("first", "beat", MEDIAJOBS_GRACE_S="3")
    fleet.wait_for("waiting", 3)
    fleet.wait_for("succeeded", 2)
    fleet.wait_for("running", 4)
    assert fleet.end("first") == 0
    counts = fleet.counts()
    assert "running" not in counts
    assert counts["waiting"] == 3
    cut = "outcome = 'unknown' and error_code = 'interrupted' and possibly_charged"
    assert attempts(fleet, cut) == len(slow)
    assert attempts(fleet, f"not ({cut}) and outcome is distinct from 'answered'") == 0
    fleet.stand_in.change("config", times={IMAGE: 0.3})
    fleet.stand_in.change("clock", advance_s=60)  # the videos are done
    fleet.launch("second")
    fleet.wait_until_ended()
    assert fleet.audit() == []
    assert fleet.charged() == jobs + len(slow) == attempts(fleet, "true")
    tries = {row.id: row.attempt for row in fleet.rows("select id, attempt from jobs")}
    assert {tries[each] for each in tries.keys() - set(slow)} == {1}


def test_a_job_that_kills_its_worker_again_and_again_is_set_aside(fleet: Fleet) -> None:
    fleet.environment = SHORT_LEASE
    with fleet.engine.begin() as conn:  # one at a time: what is in hand with it dies with it
        slots.add_limit(conn, IMAGE, concurrency=1, slot_scope="answer")
    fleet.stand_in.change("config", times={IMAGE: 0.3})
    [poison] = fleet.enqueue("image", {"prompt": "[[fault:hang_before]]", "key": "poison", "priority": 5}, batch="p")
    fleet.enqueue_mixed(images=5, videos=0)
    fleet.launch("worker", "beat")
    for _ in range(2):
        name = fleet.until(lambda: fleet.runner(poison), "the poison's run")
        fleet.kill(name)
        fleet.launch(name)
    fleet.until(lambda: fleet.counts() == {"failed": 1, "succeeded": 5}, "the end of all")
    [row] = fleet.rows("select * from jobs where state = 'failed'")
    assert (row.id, row.error_code, row.crashes, row.possibly_charged) == (poison, "worker_lost", 2, True)
    assert "phase: running" in row.error_message
    assert fleet.audit() == []


def test_a_full_disk_stops_calls_says_so_and_goes_on_when_there_is_room(fleet: Fleet) -> None:
    fleet.launch("worker", "beat", MEDIAJOBS_MIN_FREE_BYTES=str(1 << 60))
    paused = "select from limits where pause_code = 'disk'"
    fleet.until(lambda: fleet.rows(paused), "the pause")
    fleet.enqueue_mixed(images=6, videos=1)
    with fleet.engine.connect() as conn:
        fleet.until(lambda: "disk" in " ".join(waiting_for(conn, None)), "the reason")
        before = conn.execute(text("select paused_until from limits where pause_code = 'disk'")).scalar_one()
        conn.rollback()
    renewed = "select from limits where paused_until > cast(:before as timestamptz)"
    fleet.until(lambda: fleet.rows(renewed, before=before), "two looks at the disk")
    assert fleet.counts() == {"queued": 7}
    assert fleet.stand_in.ledger() == []
    assert fleet.end("worker") == 0
    fleet.launch("worker")
    fleet.wait_until_ended()
    assert fleet.audit() == []


def test_a_worker_that_cannot_begin_says_why_and_ends(fleet: Fleet) -> None:
    """It would take messages, and drop them."""
    fleet.launch("worker", MEDIAJOBS_OUTPUTS_URL="file:///dev/null/outputs")
    assert fleet.running.pop("worker").wait(timeout=60) == 1
    assert "cannot start: " in fleet.logs()
