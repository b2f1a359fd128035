"""An auditor that finds nothing is worth what it would have found: each violation is planted, and named."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from models import slots, transitions
from models.state import JobState
from models.transitions import AttemptEnd, Move, StoredOutput
from worker.audit import against_ledger, audit
from worker.finish import Outcome, finish
from worker.hand_out import hand_out
from worker.producer import Row, insert_rows
from worker.storage import Storage

MODEL = "cogview-4-250304"
DATA = b"image"
SHA256 = "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"
COST = Decimal("0.01")


@pytest.fixture
def store(tmp_path: Path) -> Storage:
    (tmp_path / "a.png").write_bytes(DATA)
    return Storage.open(tmp_path.as_uri())


@pytest.fixture
def job_id(engine: Engine, store: Storage) -> int:
    """A job that went the whole way."""
    with Session(engine) as session:
        ids: list[int] = []
        row = Row(row=1, args={"model": MODEL, "prompt": "x"}, estimate=COST, key="k")
        insert_rows(session, "b", "image", [row], job_ids=ids)
        session.commit()
    [job_id] = ids
    with engine.begin() as conn:
        hand_out(conn, MODEL, slots.lock_free(conn, MODEL), lease_s=5)
        [claim] = transitions.claim(conn, ids, ["r1"], worker="w", lease_s=30)
    end = AttemptEnd(number=1, outcome="answered", answer=b"{}", cost=COST)
    step(engine, Move(job_id=job_id, fence=claim.fence, source=JobState.RUNNING, target=JobState.STORING, cost=COST,
                      attempt_end=end))  # fmt: skip
    with engine.begin() as conn:
        [fetch] = transitions.claim_fetches(conn, most=1, worker="w", lease_s=30)
    output = StoredOutput(index=0, role="image", location="a.png", mime="image/png", bytes=len(DATA), sha256=SHA256)
    step(engine, Move(job_id=job_id, fence=fetch.fence, source=JobState.STORING, target=JobState.SUCCEEDED,
                      outputs=(output,)))  # fmt: skip
    with engine.connect() as conn:
        assert list(audit(conn, store, ended=True)) == []
        assert list(against_ledger(conn, [charge("k")])) == []
    return job_id


def step(engine: Engine, move: Move) -> None:
    with engine.begin() as conn:
        assert finish(conn, [Outcome(move)], lease_s=5).moved


def charge(key: str | None = None, request_id: str | None = None) -> dict[str, Any]:
    return {"charged": 1, "key": key, "request_id": request_id}


EVENT = "insert into events (job_id, at, source, target, number) values ({id}, now(), '{source}', '{target}', 1)"
ATTEMPT = "insert into attempts (job_id, number, fence, request_id, outcome) values ({id}, 2, 9, 'r2', 'answered')"
#: Another job, which this one comes after.
EARLIER = """with e as (
        insert into jobs (kind, model, args, state, finished_at)
        values ('image', 'x', '{{{{}}}}', '{state}', case '{state}' when 'failed' then now() end) returning id
    ) insert into links (earlier_id, later_id) select id, {{id}} from e"""
WAITS = "update jobs set state = 'queued', blocked_by = {waits}, finished_at = null where id = {{id}}"
#: what is planted → what the auditor says
VIOLATIONS = {
    "not ended": ("insert into jobs (kind, model, args) values ('image', 'x', '{{}}')", "has not ended: it is queued"),
    "an illegal step": (EVENT.format(id="{id}", source="succeeded", target="queued"), "went from succeeded to queued"),
    "a step left out": ("delete from events where target = 'running'", "when it was dispatched"),
    "no step recorded": ("delete from events", "nothing was recorded of it"),
    "bought twice": (ATTEMPT, "was bought 2 times, with 0 lost answers"),
    "an open request": ("update attempts set outcome = null", "request 1 is open, but the job does not run"),
    "an unflagged loss": ("update attempts set outcome = 'unknown'", "was lost, but is not flagged"),
    "a cost below nothing": ("update attempts set cost = -1", "request 1 cost $-1.000000"),
    "another cost": ("update jobs set cost = 5", "says $5.000000, its requests $0.010000"),
    "money held for nothing": ("update jobs set reserved = 1", "is succeeded and still has $1.000000 reserved"),
    "no output": ("delete from outputs", "succeeded without an output"),
    "a file that is gone": ("update outputs set location = 'b.png'", "b.png is not there"),
    "a file cut short": ("update outputs set bytes = 9", "has 5 bytes, not 9"),
    "another file": ("update outputs set sha256 = 'x'", "has another checksum"),
    "slots miscounted": ("update limits set in_use = 2", "2 slots are counted as in use, 0 are held"),
    "too many at once": (
        """insert into events (job_id, at, source, target, number)
        select {id}, now() - interval '1 hour', 'queued', 'dispatched', 1 from generate_series(1, 6)""",
        "at once, 5 are allowed",
    ),
    "one that waits for none": (WAITS.format(waits=1), "says that it waits for 1 jobs, it waits for none"),
    "one that ran too early": (
        EARLIER.format(state="queued"),
        "ran, but 1 jobs that it comes after have not succeeded",
    ),
    "one that waits in vain": (
        EARLIER.format(state="failed") + ";" + WAITS.format(waits=1),
        "waits for 1 jobs that did not succeed",
    ),
    "a wrong count": (
        EARLIER.format(state="queued") + ";" + WAITS.format(waits=2),
        "says that it waits for 2 jobs, it waits for 1",
    ),
    "an older fence": (ATTEMPT.replace("9", "1"), "was made under an older fence than the one before"),
}


@pytest.mark.parametrize("planted", VIOLATIONS)
def test_what_is_planted_is_found(engine: Engine, store: Storage, job_id: int, planted: str) -> None:
    sql, expected = VIOLATIONS[planted]
    with engine.begin() as conn:
        conn.execute(text(sql.format(id=job_id)))
        assert expected in "\n".join(audit(conn, store, ended=True))


def test_a_limit_that_was_lowered_does_not_make_the_past_wrong(engine: Engine, store: Storage, job_id: int) -> None:
    with engine.begin() as conn:
        conn.execute(
            text(f"""insert into events (job_id, at, source, target, number)
            select {job_id}, now() - interval '1 hour', 'queued', 'dispatched', 1 from generate_series(1, 3)""")
        )
        slots.set_limit(conn, MODEL, concurrency=2, start=None, per_minute=None)
        assert "at once" not in "\n".join(audit(conn, store))


#: the provider's charges → what the auditor says
LEDGERS = {
    "charged twice": ([charge("k"), charge("k")], "'k' was charged 2 times; recorded are 1, and 0 possible"),
    "not charged": ([], "'k' was charged 0 times; recorded are 1"),
    "unknown to us": ([charge("k"), charge("z")], "'z' was charged 1 times; recorded are 0"),
    "an unknown request": ([charge("k"), charge(request_id="z")], "request z, of which nothing is recorded"),
    "a request twice": ([charge(request_id="r1")] * 2, "r1 was sent 1 times and charged 2 times"),
}


@pytest.mark.parametrize("case", LEDGERS)
def test_the_ledger_and_the_record_are_held_together(engine: Engine, job_id: int, case: str) -> None:
    ledger, expected = LEDGERS[case]
    with engine.connect() as conn:
        [found] = against_ledger(conn, ledger)
    assert expected in found
    assert job_id


def test_what_was_charged_but_is_recorded_as_free_is_found(engine: Engine, job_id: int) -> None:
    with engine.begin() as conn:
        conn.execute(text("update attempts set outcome = 'rejected', cost = 0 where job_id = :id"), {"id": job_id})
        [found] = against_ledger(conn, [charge(request_id="r1")])
    assert found == "request r1 was charged, but is recorded as free"
