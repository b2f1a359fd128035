"""Two hours of speech, and workers that are killed all the time."""

import json
import random
import signal
import subprocess

import pytest

from tests.support.core import Core
from tests.support.stack import wait_until
from tests.support.talk import charged, recording, said_in

HOURS = 2.0
KILLS, CUT_KILLS = 12, 3


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_two_hours_lose_no_word_and_no_finished_piece_is_paid_for_again(core: Core) -> None:
    spoken = recording(core, HOURS * 3600, "talk.flac")
    core.stand_in.change("config", times={"glm-asr-2512": [0.3, 0.5]})
    [job] = core.enqueue("transcription", {"file": "talk.flac"})
    chance = random.Random(5)
    for number in range(KILLS):
        process = core.start()
        try:
            if number >= CUT_KILLS:  # the first die while they cut, the others while pieces are heard
                wait_until(lambda: bool(core.rows("select from pieces limit 1")), what="the cut", timeout_s=300)
            process.wait(timeout=chance.uniform(2, 6))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert core.work(timeout_s=900) == 0, core.log()
    pieces = core.rows("select begins, ends, seam from pieces where parent_id = :job order by index", job=job)
    doubtful = core.rows("select count(*) as n from attempts where outcome = 'unknown'")[0].n
    bought = charged(core)
    print(f"\n{len(pieces)} pieces, {bought} charged, {doubtful} flagged as possibly charged")  # noqa: T201 - for who reads a soak
    assert core.rows("select state from jobs where id = :job", job=job)[0].state == "succeeded"
    assert len(pieces) <= bought <= len(pieces) + doubtful
    assert said_in(core, job).split() == [each.word for each in spoken]
    words = json.loads(said_in(core, job, "json"))["words"]
    worst = max(abs(heard["start"] - true.start_s) for heard, true in zip(words, spoken, strict=True))
    print(f"{len(words)} words, all right; the start of one is off by {worst:.2f} s at most")  # noqa: T201 - for who reads a soak
    assert worst < 0.5
    assert core.audit() == []
