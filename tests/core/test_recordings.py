"""Recordings longer than a call: cut, heard piece by piece, put together; what is paid for is not bought again."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import slots
from sandbox.recordings import record
from sandbox.tones import quiet, speak, wav
from tests.support.core import Core
from tests.support.talk import charged, recording, said_in
from worker import report
from worker.actions import Selection, cancel, retry
from worker.costs import costs
from worker.failpoints import EXIT_CODE

MODEL = "glm-asr-2512"


def test_a_long_recording_is_cut_heard_and_put_together(core: Core) -> None:
    spoken = recording(core, 100)
    [job] = core.enqueue("transcription", {"file": "long.wav"})
    assert core.work() == 0, core.log()
    assert core.rows("select state from jobs where id = :job", job=job)[0].state == "succeeded", core.reasons()
    assert said_in(core, job).split() == [each.word for each in spoken]
    found = json.loads(said_in(core, job, "json"))
    assert found["complete"]
    assert found["problems"] == []
    for heard, true in zip(found["words"], spoken, strict=True):
        assert abs(heard["start"] - true.start_s) < 0.5, (heard, true)
    assert said_in(core, job, "vtt").startswith("WEBVTT\n")
    assert "-->" in said_in(core, job, "srt")
    pieces = core.rows("select begins, ends from pieces where parent_id = :job order by index", job=job)
    assert charged(core) == len(pieces) >= 4
    assert max(each.ends - each.begins for each in pieces) <= 30 * 16000
    assert core.audit() == []
    with core.engine.connect() as conn:
        stands = report.status(conn, "b")
        [listed] = report.jobs(conn, report.Filter())
        sent = report.jobs(conn, report.Filter(pieces_of=job))
        shown = report.show(conn, job)
        [spent] = costs(conn, "model")
        [result] = report.results(core.engine, report.find_batch(conn, "b"))
    assert (stands.total, stands.counts) == (1, {"succeeded": 1})
    assert stands.pieces == {"total": len(pieces), "done": len(pieces), "failed": 0}
    assert stands.cost == listed["cost"] == spent.cost == result.cost == sum(each["cost"] for each in sent) > 0
    assert (listed["job"], listed["model"], spent.subject) == (job, MODEL, MODEL)
    assert shown is not None
    assert " ".join(each["text"] for each in shown["pieces"]).split() == [each.word for each in spoken]
    assert [each["role"] for each in result.outputs] == ["text", "json", "srt", "vtt"]


def test_any_container_will_do_and_what_is_silent_costs_nothing(core: Core) -> None:
    spoken = recording(core, 40, "a.m4a")
    record(core.folder / "silent.flac", [quiet(50, 16000)])
    heard, silent = core.enqueue("transcription", {"file": "a.m4a", "pieces": "mp3"}, {"file": "silent.flac"})
    assert core.work() == 0, core.log()
    assert said_in(core, heard).split() == [each.word for each in spoken]
    assert said_in(core, silent) == ""
    assert json.loads(said_in(core, silent, "json"))["problems"] == [
        "has nothing in it that is loud enough to be heard"
    ]
    assert core.rows("select from jobs where parent_id = :job", job=silent) == []
    with core.engine.connect() as conn:
        shown = report.show(conn, silent)
        told = [each.problems for each in report.results(core.engine, report.find_batch(conn, "b"))]
    assert shown is not None
    assert told == [[], shown["problems"]] == [[], ["has nothing in it that is loud enough to be heard"]]
    assert core.audit() == []


def test_a_failed_piece_leaves_a_gap_and_retry_buys_only_that(core: Core) -> None:
    spoken = recording(core, 100)
    core.stand_in.play({"fault": "content", "times": 1, "match": {"endpoint": "transcription"}})
    [job] = core.enqueue("transcription", {"file": "long.wav"})
    assert core.work() == 0, core.log()
    row = core.rows("select state, error_code, error_message from jobs where id = :job", job=job)[0]
    assert (row.state, row.error_code) == ("failed", "pieces_failed")
    assert "1 of " in row.error_message
    found = json.loads(said_in(core, job, "json"))
    assert not found["complete"]
    assert len(found["gaps"]) == 1
    bought = charged(core)
    core.retry_failed()
    assert core.work() == 0, core.log()
    assert charged(core) == bought + 1
    assert said_in(core, job).split() == [each.word for each in spoken]
    assert core.rows("select state from jobs where id = :job", job=job)[0].state == "succeeded"
    assert core.audit() == []


def test_the_same_sound_asked_in_the_same_way_is_bought_once(core: Core) -> None:
    recording(core, 70)
    first, second = core.enqueue("transcription", {"file": "long.wav"}, batch="one"), []
    assert core.work() == 0, core.log()
    bought = charged(core)
    second = core.enqueue("transcription", {"file": "long.wav"}, batch="two")
    assert core.work() == 0, core.log()
    assert charged(core) == bought
    assert said_in(core, second[0]) == said_in(core, first[0])
    core.enqueue("transcription", {"file": "long.wav", "language": "de"}, batch="three")
    assert core.work() == 0, core.log()
    assert charged(core) == 2 * bought
    assert core.audit() == []


def test_with_context_pieces_go_one_after_the_other_each_told_the_text_before(core: Core) -> None:
    spoken = recording(core, 80)
    [job] = core.enqueue("transcription", {"file": "long.wav", "context": True, "prompt": "Names: Ann."})
    assert core.work() == 0, core.log()
    assert said_in(core, job).split() == [each.word for each in spoken]
    rows = core.rows(
        "select j.args ->> 'prompt' as prompt, o.text, j.started_at, j.finished_at from pieces p "
        "join jobs j on j.id = p.job_id join outputs o on o.job_id = j.id and o.role = 'text' order by p.index"
    )
    assert rows[0].prompt == "Names: Ann."
    for before, after in itertools.pairwise(rows):
        assert after.started_at >= before.finished_at
        assert after.prompt.endswith(before.text[-40:])
        assert after.prompt.startswith("Names: Ann.")


@pytest.mark.parametrize(
    "name", ["cut.kept", "cut.kept@3", "claim.committed", "settle.committing", "settle.committed", "run.answered",
             "store.stored", "fetch.committed", "settle.committed@3", "rescue.committed@3"]
)  # fmt: skip
def test_a_crash_buys_no_finished_piece_again(core: Core, name: str) -> None:
    spoken = recording(core, 100)
    [job] = core.enqueue("transcription", {"file": "long.wav"})
    assert core.work(MEDIAJOBS_FAILPOINT=name) == EXIT_CODE, core.log()
    assert core.work() == 0, core.log()
    doubtful = core.rows("select count(*) as n from attempts where outcome = 'unknown'")[0].n
    assert core.rows("select state from jobs where id = :job", job=job)[0].state == "succeeded", core.log()
    assert said_in(core, job).split() == [each.word for each in spoken]
    pieces = core.rows("select count(*) as n from pieces")[0].n
    assert pieces <= charged(core) <= pieces + doubtful
    assert core.audit() == []


def test_cancelling_a_recording_cancels_its_pieces_and_retry_takes_them_up(core: Core) -> None:
    spoken = recording(core, 100)
    [job] = core.enqueue("transcription", {"file": "long.wav"})
    with core.engine.begin() as conn:
        slots.set_limit(conn, MODEL, concurrency=1, start=None, per_minute=None)
    assert core.work(MEDIAJOBS_FAILPOINT="settle.committed@4") == EXIT_CODE, core.log()
    with Session(core.engine) as session:
        assert cancel(session, Selection(ids=[job])).by_state == {"cancelled": 1}
        session.commit()
    assert core.work() == 0, core.log()
    states = {row.state for row in core.rows("select state from jobs where finished_at is null")}
    assert not states
    bought = charged(core)
    with Session(core.engine) as session:
        retry(session, Selection(ids=[job]))
        session.commit()
    assert core.work() == 0, core.log()
    assert said_in(core, job).split() == [each.word for each in spoken]
    pieces = core.rows("select count(*) as n from pieces")[0].n
    doubtful = core.rows("select count(*) as n from attempts where outcome = 'unknown'")[0].n
    assert bought < charged(core) <= pieces + doubtful
    assert core.audit() == []


def test_a_file_that_is_not_the_one_that_was_found_is_not_sent(core: Core) -> None:
    (core.folder / "a.wav").write_bytes(wav(speak(["amber", "basil"])))
    recording(core, 40)
    core.enqueue("transcription", {"file": "a.wav"}, {"file": "long.wav"})
    with core.engine.begin() as conn:
        conn.execute(text("update jobs set args = args || jsonb_build_object('sha256', repeat('0', 64))"))
    assert core.work() == 0, core.log()
    said = core.rows("select error_message from jobs where state = 'failed'")
    assert [row.error_message.endswith("has changed since it was found") for row in said] == [True, True]
    assert charged(core) == 0


def test_a_short_file_that_breaks_off_or_says_nothing_is_marked(core: Core) -> None:
    whole = wav(speak(["amber", "basil", "cedar"]))
    (core.folder / "short.wav").write_bytes(whole[: len(whole) * 3 // 4])
    (core.folder / "silent.wav").write_bytes(wav(np.zeros(16000 * 3, np.float32)))
    broken, silent = core.enqueue("transcription", {"file": "short.wav"}, {"file": "silent.wav"})
    assert core.work() == 0, core.log()
    with core.engine.connect() as conn:
        problems = [(report.show(conn, job) or {})["problems"] for job in (broken, silent)]
    assert problems[0][0].endswith("before its own end")
    assert problems[1] == ["has nothing in it that was heard"]
    assert said_in(core, broken).startswith("amber")
    assert core.audit() == []


def test_what_cannot_be_read_fails_with_words_and_costs_nothing(core: Core, tmp_path: Path) -> None:
    recording(core, 60, "gone.mp3")
    [job] = core.enqueue("transcription", {"file": "gone.mp3"})
    (core.folder / "gone.mp3").unlink()
    assert core.work() == 0, core.log()
    row = core.rows("select state, error_code, error_message from jobs where id = :job", job=job)[0]
    assert (row.state, row.error_code) == ("failed", "input_unreadable")
    assert "gone.mp3 cannot be read: No such file" in row.error_message
    assert charged(core) == 0
