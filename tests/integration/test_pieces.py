"""Recordings and their pieces in the record: whoever ends the last piece hands the recording on, and nobody else."""

import threading
from decimal import Decimal

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from models import recordings, transitions
from models.limit import CUT
from models.recordings import NewPiece
from models.state import JobState
from models.transitions import Claim, Fetch, StoredOutput
from tests.integration.test_transitions import claim, dispatch
from tests.support.stack import wait_until
from worker import verdict
from worker.actions import Selection, cancel, resolve, retry
from worker.finish import Finished, Outcome, finish, go_on_with_recordings
from worker.producer import Row, insert_rows

MODEL = "glm-asr-2512"


def piece(index: int, *, silent: bool = False) -> NewPiece:
    return NewPiece(
        index=index,
        begins=index * 16000,
        ends=(index + 1) * 16000,
        seam="pause",
        speech=() if silent else ((0.0, 1.0),),
        location=f"pieces/{index}.wav",
        cache_key=None,
    )


def write(engine: Engine, *outcomes: Outcome) -> Finished:
    with engine.begin() as conn:
        return finish(conn, outcomes, lease_s=30)


def recording(engine: Engine) -> int:
    """One that is to be cut; returns its id."""
    with Session(engine) as session:
        ids: list[int] = []
        row = Row(args={"model": MODEL, "file": "/a.wav", "prompt": "p"}, limit=CUT, estimate=Decimal(1))
        insert_rows(session, "b", "transcription", [row], job_ids=ids)
        session.commit()
    return ids[0]


def cut(engine: Engine, *pieces: NewPiece) -> int:
    """A recording that was cut into these; returns its id."""
    job = recording(engine)
    [claimed] = claim(engine, dispatch(engine, CUT))
    assert write(engine, verdict.cut(claimed, pieces, b"{}")).moved == {(job, claimed.fence)}
    return job


def sent(engine: Engine) -> list[Claim]:
    """Pieces are dispatched by who cut the recording; their calls are about to be made."""
    with engine.connect() as conn:
        ids = list(conn.execute(text("select id from jobs where state = 'dispatched' and model <> 'cut'")).scalars())
    return claim(engine, ids)


def heard(engine: Engine) -> list[Fetch]:
    """The calls of all pieces are made; they are about to be stored."""
    dispatch(engine, MODEL)
    for claimed in sent(engine):
        end = transitions.AttemptEnd(number=claimed.number, outcome="answered", http_status=200, answer=b"{}")
        write(engine, Outcome(verdict.start(claimed, target=JobState.STORING, attempt_end=end)))
    with engine.begin() as conn:
        return transitions.claim_fetches(conn, most=100, worker="w", lease_s=30)


def stored(fetch: Fetch) -> Outcome:
    output = StoredOutput(index=0, role="text", location="x", mime="text/plain", bytes=1, sha256="0", text="word")
    return verdict.stored(fetch, (output,), None)


def state(engine: Engine, job: int) -> str:
    with engine.connect() as conn:
        return str(conn.execute(text("select state from jobs where id = :job"), {"job": job}).scalar_one())


def test_of_two_last_pieces_at_once_the_second_hands_the_recording_on(engine: Engine) -> None:
    """Neither sees what the other has not committed yet; so the second waits for the first."""
    job = cut(engine, piece(0), piece(1))
    first, second = heard(engine)
    hints: list[int] = []
    other = threading.Thread(target=lambda: hints.extend(to_store(write(engine, stored(second)))))
    with engine.begin() as conn:
        done = finish(conn, [stored(first)], lease_s=30)
        other.start()
        wait_until(lambda: not other.is_alive() or waits_for_lock(engine), what="the second piece")
    other.join()
    assert state(engine, job) == "storing"
    assert to_store(done) == []
    assert hints == [job]
    with engine.connect() as conn:
        assert [row.text for row in recordings.parts(conn, job)] == ["word", "word"]


def to_store(done: Finished) -> list[int]:
    return [job_id for lot, ids in done.hints.items() if lot.stage == "store" for job_id in ids]


def waits_for_lock(engine: Engine) -> bool:
    waiting = text("select exists (select from pg_stat_activity where datname = current_database() "
                   "and wait_event_type = 'Lock')")  # fmt: skip
    with engine.connect() as conn:
        return bool(conn.execute(waiting).scalar_one())


def test_what_is_silent_throughout_needs_no_call(engine: Engine) -> None:
    job = cut(engine, piece(0, silent=True), piece(1, silent=True))
    assert state(engine, job) == "storing"
    with engine.connect() as conn:
        assert conn.execute(text("select count(*) from jobs where parent_id = :job"), {"job": job}).scalar_one() == 0


def test_a_held_piece_holds_its_recording_until_a_person_decides(engine: Engine) -> None:
    job = cut(engine, piece(0))
    [claimed] = sent(engine)
    write(engine, Outcome(verdict.start(claimed, target=JobState.HELD)))
    assert state(engine, job) == "waiting"
    with Session(engine) as session:
        resolve(session, [claimed.job_id], "fail")
        session.commit()
    with engine.begin() as conn:
        assert go_on_with_recordings(conn, lease_s=30)
    assert state(engine, job) == "storing"


def test_a_cancelled_recording_takes_its_pieces_along_both_ways(engine: Engine) -> None:
    job = cut(engine, piece(0), piece(1))
    with Session(engine) as session:
        assert cancel(session, Selection(ids=[job])).by_state == {"cancelled": 1}
        session.commit()
    with engine.connect() as conn:
        open_ = text("select count(*) from jobs where finished_at is null")
        assert conn.execute(open_).scalar_one() == 0
    with Session(engine) as session:
        assert retry(session, Selection(ids=[job])).by_state == {"waiting": 1}
        session.commit()
    for fetch in heard(engine):
        write(engine, stored(fetch))
    assert state(engine, job) == "storing"


def test_a_retry_right_after_a_cancel_wants_what_is_under_way(engine: Engine) -> None:
    job = cut(engine, piece(0))
    [claimed] = sent(engine)
    for act in (cancel, retry):
        with Session(engine) as session:
            act(session, Selection(ids=[job]))
            session.commit()
    end = transitions.AttemptEnd(number=claimed.number, outcome="answered", http_status=200, answer=b"{}")
    write(engine, Outcome(verdict.start(claimed, target=JobState.STORING, attempt_end=end)))
    assert (state(engine, job), state(engine, claimed.job_id)) == ("waiting", "storing")


@pytest.mark.parametrize("keep", [False, True])
def test_what_is_cancelled_while_it_is_cut_has_no_pieces_and_is_cut_anew(engine: Engine, keep: bool) -> None:
    job = recording(engine)
    [claimed] = claim(engine, dispatch(engine, CUT))
    with Session(engine) as session:
        cancel(session, Selection(ids=[job]), keep_result=keep)
        session.commit()
    write(engine, verdict.cut(claimed, [piece(0)], b"{}"))
    assert state(engine, job) == "cancelled"
    with Session(engine) as session:
        assert retry(session, Selection(ids=[job])).by_state == {"queued": 1}
        session.commit()
    with engine.connect() as conn:
        assert conn.execute(text("select count(*) from pieces")).scalar_one() == 0
        assert conn.execute(text("select remote_id is null and estimate > 0 from jobs")).scalar_one()


def test_retrying_failed_recordings_takes_their_cancelled_pieces_along(engine: Engine) -> None:
    job = cut(engine, piece(0), piece(1))
    first, second = sent(engine)
    write(engine, Outcome(verdict.start(first, target=JobState.FAILED, error_code="1301")))
    with Session(engine) as session:
        cancel(session, Selection(ids=[second.job_id]))
        session.commit()
    write(engine, Outcome(verdict.start(second, target=JobState.QUEUED)))
    with engine.begin() as conn:
        [fetch] = transitions.claim_fetches(conn, most=9, worker="w", lease_s=30)
    write(engine, verdict.stored(fetch, (), "2 of 2 pieces have no text"))
    assert (state(engine, job), state(engine, second.job_id)) == ("failed", "cancelled")
    with Session(engine) as session:
        retry(session, Selection(state="failed"))
        session.commit()
    assert [state(engine, each) for each in (job, first.job_id, second.job_id)] == ["waiting", "queued", "queued"]


def test_retrying_a_piece_takes_its_recording_along(engine: Engine) -> None:
    job = cut(engine, piece(0), piece(1))
    first, second = sent(engine)
    for each in (first, second):
        write(engine, Outcome(verdict.start(each, target=JobState.FAILED, error_code="1301")))
    with engine.begin() as conn:
        [fetch] = transitions.claim_fetches(conn, most=9, worker="w", lease_s=30)
    write(engine, verdict.stored(fetch, (), "2 of 2 pieces have no text"))
    assert state(engine, job) == "failed"
    with Session(engine) as session:
        retry(session, Selection(ids=[second.job_id]))
        session.commit()
    assert (state(engine, job), state(engine, first.job_id), state(engine, second.job_id)) == (
        "waiting", "failed", "queued",
    )  # fmt: skip
