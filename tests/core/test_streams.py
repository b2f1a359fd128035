"""Streamed answers as jobs: what is kept are the events as they came, and what is stored is read from them."""

from sandbox.tones import speak, wav
from tests.support.core import Core
from tests.support.stack import wait_until


def test_a_streamed_transcript_is_stored_whole_and_its_events_are_kept(core: Core) -> None:
    (core.folder / "a.wav").write_bytes(wav(speak(["amber", "basil"])))
    good, late, refused = core.enqueue(
        "transcription",
        {"file": "a.wav", "stream": "true"},
        {"file": "a.wav", "stream": "true", "prompt": "[[fault:stream_error:2]]"},
        {"file": "a.wav", "stream": "true", "prompt": "[[fault:content]]"},
    )
    assert core.work() == 0, core.log()
    rows = core.rows("select id, state, error_code, requests, possibly_charged from jobs order by id")
    assert [tuple(row) for row in rows] == [
        (good, "succeeded", None, 1, False),
        (late, "held", "1234", 2, True),  # it was paid for as far as it went: sent once more, then a person's matter
        (refused, "failed", "1301", 1, False),
    ]
    [answer] = core.rows("select answer from attempts where job_id = :id", id=good)
    assert bytes(answer.answer).startswith(b"data: {")
    assert [row.text for row in core.rows("select text from outputs where role = 'text'")] == ["amber basil"]
    assert core.audit() == []


def test_what_a_stream_said_so_far_is_shown(core: Core) -> None:
    (core.folder / "a.wav").write_bytes(wav(speak(["amber", "basil", "cedar", "delta"] * 10)))
    [job] = core.enqueue("transcription", {"file": "a.wav", "stream": True, "prompt": "[[fault:slow_body:1500]]"})
    process = core.start()
    try:
        sofar = "select partial from jobs where partial like 'amber basil%'"
        wait_until(lambda: bool(core.rows(sofar)), what=core.log())
        assert process.wait(timeout=60) == 0, core.log()
    finally:
        process.kill()
        process.wait()
    row = core.rows("select state, partial from jobs where id = :id", id=job)[0]
    assert tuple(row) == ("succeeded", None)
