"""A process dies at each commit and at each call to the outside; the next one goes on, and the books agree."""

import re
import signal
from pathlib import Path

import pytest

from sandbox.tones import speak, wav
from tests.support.core import Core
from tests.support.stack import wait_until
from tests.support.talk import recording
from worker.failpoints import EXIT_CODE, JOBS, NAMES

ROOT = Path(__file__).parents[2]


def enqueue_mixed(core: Core) -> int:
    """Images, videos and a transcription, one call each; returns how many. And a recording, of several."""
    core.enqueue("image", *({"prompt": f"picture {number}"} for number in range(4)), batch="images")
    core.enqueue("video", *({"prompt": f"clip {n}", "model": "viduq1-text"} for n in range(2)), batch="videos")
    (core.folder / "a.wav").write_bytes(wav(speak(["amber", "basil"])))
    recording(core, 40)
    core.enqueue("transcription", {"file": "a.wav"}, {"file": "long.wav"}, batch="audio")
    return 7


@pytest.mark.parametrize("name", [*JOBS, *(pytest.param(f"{each}@3", marks=pytest.mark.soak) for each in JOBS)])
def test_a_crash_loses_nothing_and_buys_nothing_in_silence(core: Core, name: str) -> None:
    jobs = enqueue_mixed(core)
    code = core.work(MEDIAJOBS_FAILPOINT=name)
    assert code == EXIT_CODE or (code == 0 and name.endswith("@3")), core.log()
    assert core.work() == 0, core.log()
    assert core.audit() == []
    doubtful = core.rows("select count(*) as n from attempts where outcome = 'unknown'")[0].n
    for _ in range(3):  # what is held is decided by a person: once more
        if not core.resolve_held():
            break
        assert core.work() == 0, core.log()
    assert set(core.states().values()) == {"succeeded"}
    assert core.audit() == []
    charged = sum(bool(entry["charged"]) for entry in core.stand_in.ledger())
    jobs += core.rows("select count(*) as n from pieces")[0].n
    assert jobs <= charged <= jobs + doubtful


def test_a_worker_that_stood_still_since_its_claim_sends_nothing_more(core: Core) -> None:
    core.enqueue("image", {"prompt": "p"})
    sleeper = core.start(MEDIAJOBS_FAILPOINT="stop:run.sending")
    try:
        wait_until(lambda: "running" in core.states().values(), what=core.log())
        assert core.work() == 0, core.log()  # another process: the lease ends, and the job runs there
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(timeout=30) == 0, core.log()
    finally:
        sleeper.kill()
        sleeper.wait()
    assert len(core.stand_in.ledger()) == 1
    outcomes = core.rows("select outcome, possibly_charged from attempts order by number")
    assert [tuple(row) for row in outcomes] == [("interrupted", False), ("answered", False)]
    assert core.rows("select from jobs where state = 'succeeded' and not possibly_charged")
    assert core.audit() == []


@pytest.mark.parametrize("name", ["settle.committing", "claim.committing"])
def test_a_worker_that_stands_still_in_a_transaction_holds_nobody_up_and_loses_nothing(core: Core, name: str) -> None:
    """It has locks that all others need; it gets its session cut off, and writes anew when it wakes."""
    jobs = enqueue_mixed(core)
    sleeper = core.start(MEDIAJOBS_FAILPOINT=f"stop:{name}")
    try:
        wait_until(lambda: stopped(sleeper.pid), what=core.log())
        assert core.work() == 0, core.log()  # another process, while the first still stands
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(timeout=30) == 0, core.log()
    finally:
        sleeper.kill()
        sleeper.wait()
    core.resolve_held()
    assert core.work() == 0, core.log()  # what the sleeper brought at last goes on from there
    assert set(core.states().values()) == {"succeeded"}
    assert core.audit() == []
    assert jobs <= sum(bool(entry["charged"]) for entry in core.stand_in.ledger())


def test_a_paid_answer_whose_session_was_cut_off_is_written_after_all(core: Core) -> None:
    """Alone in its transaction: what is written with others is tried again one by one anyway."""
    core.enqueue("image", {"prompt": "p"})
    sleeper = core.start(MEDIAJOBS_FAILPOINT="stop:settle.committing")
    try:
        wait_until(lambda: stopped(sleeper.pid), what=core.log())
        assert core.work() == 0, core.log()  # meanwhile another buys it again, as policy says
        sleeper.send_signal(signal.SIGCONT)
        wait_until(lambda: not core.rows("select from attempts where outcome = 'unknown'"), what=core.log(),
                   timeout_s=20)  # fmt: skip
    finally:
        sleeper.kill()
        sleeper.wait()
    assert [row.outcome for row in core.rows("select outcome from attempts")] == ["answered", "answered"]
    assert sum(bool(entry["charged"]) for entry in core.stand_in.ledger()) == 2
    assert core.audit() == []


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_every_failpoint_is_somewhere() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "worker").rglob("*.py") if path.name != "failpoints.py")
    written = set(re.findall(r'failpoint\("([a-z_.]+)"\)', code))
    grouped = {f"{name}.{point}" for name in re.findall(r'\(\w+, "(\w+)"\)', code.partition("def passes(")[2][:400])
               for point in ("committing", "committed")}  # fmt: skip
    assert written | grouped == set(NAMES)
