"""What is counted as it changes is what there is, whatever was added up meanwhile."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, text

from models import counting, pipelines
from models.interventions import Selection
from web.queries.standing import standing
from worker import report
from worker.audit import tallies as wrong
from worker.search import Search, search
from worker.upkeep.tallies import coarsen, tally

INSERT = text("""
    insert into jobs (kind, model, args, batch_id, row)
    select 'image', 'm' || (n % 2), '{}', 1, n from generate_series(1, :count) n
""")
STEP = text("""
    update jobs set state = :target, cost = cost + :cost, requests = requests + 1, remote_id = 'r',
        lease_until = now(), finished_at = case when :target in ('succeeded', 'failed') then now() end
    where id in (select id from jobs where state = :source order by id limit :count)
""")


def fill(engine: Engine) -> None:
    with engine.begin() as conn:
        conn.execute(text("insert into batches (name) values ('b')"))
        conn.execute(INSERT, {"count": 20})


def step(engine: Engine, source: str, target: str, count: int, cost: str = "0") -> None:
    with engine.begin() as conn:
        conn.execute(STEP, {"source": source, "target": target, "count": count, "cost": cost})


def states(engine: Engine) -> dict[str, int]:
    with engine.connect() as conn:
        found: dict[str, int] = {}
        for row in counting.counts(conn, [1]):
            if row.state is not None:
                found[row.state] = found.get(row.state, 0) + row.jobs
    return {state: jobs for state, jobs in found.items() if jobs}


def rows(engine: Engine) -> int:
    with engine.connect() as conn:
        assert list(wrong(conn)) == []
        return int(conn.execute(text("select count(*) from tallies")).scalar_one())


def test_counts_are_exact_before_and_after_they_are_added_up(engine: Engine) -> None:
    fill(engine)
    for _ in range(4):
        step(engine, "queued", "running", 3)
        step(engine, "running", "succeeded", 2, "0.01")
    step(engine, "running", "failed", 1)
    expected = {"queued": 8, "running": 3, "succeeded": 8, "failed": 1}
    assert states(engine) == expected
    before = rows(engine)
    tally(engine)
    assert states(engine) == expected
    assert rows(engine) < before
    tally(engine)
    coarsen(engine)
    assert states(engine) == expected
    with engine.connect() as conn:
        assert {row.cost for row in counting.counts(conn, [1])} >= {0}
        assert float(sum(row.cost for row in counting.counts(conn))) == 0.08


def test_a_retry_a_deletion_and_a_rollback_are_counted(engine: Engine) -> None:
    fill(engine)
    step(engine, "queued", "failed", 5)
    step(engine, "failed", "queued", 2)
    with engine.connect() as conn:
        conn.execute(text("delete from jobs"))
        conn.rollback()
    with engine.begin() as conn:
        conn.execute(text("delete from jobs where state = 'failed'"))
    tally(engine)
    assert states(engine) == {"queued": 17}
    rows(engine)


def test_what_ended_is_known_by_its_time_and_money_outlives_its_jobs(engine: Engine) -> None:
    fill(engine)
    step(engine, "queued", "succeeded", 7, "0.5")
    step(engine, "queued", "failed", 1)
    step(engine, "failed", "queued", 1)
    tally(engine)
    origin = datetime.now(UTC) - timedelta(minutes=5)
    with engine.begin() as conn:
        found = counting.ended(conn, origin=origin, span="10 minutes")
        assert sum(row.jobs for row in found if row.state == "succeeded") == 7
        assert sum(row.jobs for row in found if row.state == "failed") == 1  # it came, though it left again
        conn.execute(text("delete from jobs"))
        assert sum(row.cost for row in counting.counts(conn)) == 3.5


RECORDING = """
    insert into batches (name) values ('talks');
    insert into jobs (kind, model, args, batch_id, row, state, finished_at, cost)
    values ('transcription', 'cut', '{"model": "glm-asr-2512"}', 1, 1, 'failed', now(), 0);
    insert into jobs (kind, model, args, batch_id, parent_id, dedupe, state, finished_at, cost)
    select 'transcription', 'glm-asr-2512', '{}', 1, 1, s, s, now(), 0.01 from unnest(array['succeeded', 'failed']) s
"""


def test_pieces_of_recordings_are_no_jobs_of_the_users(engine: Engine) -> None:
    with engine.begin() as conn:
        for sql in RECORDING.split(";"):
            conn.execute(text(sql))
        stands, told = standing(counting.counts(conn)), report.status(conn, "talks")
        assert (stands.states, stands.cost) == (told.counts, told.cost)
        assert stands.states == {"failed": 1}
        assert stands.pieces == {"succeeded": 1, "failed": 1}
        found = search(conn, Search(model="glm-asr-2512"))
        assert [(job["job"], float(job["cost"])) for job in found.jobs] == [(1, 0.02)]
        chosen = Selection(model="glm-asr-2512", state="failed")
        assert pipelines.preview(conn, "retry", chosen).jobs == 1
        assert [each.job_id for each in pipelines.retry(conn, chosen)] == [1, 3]


def test_old_history_is_kept_by_the_hour_then_by_the_day(engine: Engine) -> None:
    fill(engine)
    step(engine, "queued", "succeeded", 20, "0.01")
    with engine.begin() as conn:
        conn.execute(text("delete from tallies"))
        conn.execute(
            text("""
            insert into tallies (at, kind, model, state, jobs, came, cost, batch_id)
            select date_bin('10 seconds', now() - h * interval '97 minutes', 'epoch'), 'image', 'm' || (h % 2),
                'succeeded', 1, 1, 0.01, 1 from generate_series(1, 480) h
        """)
        )
    coarsen(engine)
    with engine.connect() as conn:
        spans = conn.execute(
            text("""
            select sum(jobs) as jobs, count(*) as rows,
                count(*) filter (where at < now() - interval '15 days' and at <> date_trunc('day', at, 'UTC')) as fine
            from tallies
        """)
        ).one()
    assert (spans.jobs, spans.fine) == (480, 0)
    assert spans.rows < 480
