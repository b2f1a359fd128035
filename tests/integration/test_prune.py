"""`prune`: what ended long ago goes, rows and files; nothing else does, whoever acts at the same time."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from cli.main import cli
from models import counting
from models import prune as record
from models.output import thumb_of
from models.prune import Plan
from tests.integration.test_pipelines import act, image
from worker.actions import Selection, retry
from worker.ages import parse_age
from worker.app import PRUNE, ticks
from worker.audit import tallies
from worker.producer import checked, insert_rows
from worker.settings import Settings, settings
from worker.storage import Storage
from worker.upkeep.prune import Pruned, prune

DAY = timedelta(days=1)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open((tmp_path / "outputs").as_uri())


def submit(engine: Engine, batch: str | None, *rows: dict[str, Any]) -> None:
    with Session(engine) as session:
        insert_rows(session, batch, "image", checked("image", rows))
        session.commit()


def run(engine: Engine, sql: str, **values: Any) -> None:
    with engine.begin() as conn:
        conn.execute(text(sql), values)


def end(engine: Engine, storage: Storage, *keys: str, state: str = "succeeded", age: timedelta = 2 * DAY) -> None:
    """Let jobs have ended so long ago, with an output and its file each, and a request and an event."""
    assert storage.folder
    for key in keys:
        (storage.folder / f"{key}.png").write_bytes(b"1234")
        run(engine, """
            with ended as (
                update jobs set state = :state, finished_at = now() - cast(:age as interval), blocked_by = 0
                where key = :key returning id
            ), made as (
                insert into outputs (job_id, index, role, location, mime, bytes, sha256)
                select id, 0, 'image', :key || '.png', 'image/png', 4, 'x' from ended
            )
            insert into attempts (job_id, number, fence, request_id, outcome)
            select id, 1, 1, 'r', 'answered' from ended
        """, state=state, key=key, age=age)  # fmt: skip


def aged(engine: Engine) -> None:
    run(engine, "update batches set created_at = now() - interval '3 days'")


def keys(engine: Engine) -> set[str]:
    with engine.connect() as conn:
        return set(conn.execute(text("select key from jobs where key is not null")).scalars())


def left(engine: Engine, table: str) -> int:
    with engine.connect() as conn:
        return int(conn.execute(text(f"select count(*) from {table}")).scalar_one())


def files(storage: Storage) -> set[str]:
    assert storage.folder
    return {path.stem for path in storage.folder.iterdir()}


def planned(engine: Engine) -> Plan:
    with engine.connect() as conn:
        return record.plan(conn, record.time_of(conn, DAY))


#: What keeps a batch whose other job ended long ago.
KEEPS = {
    "one has not ended": "update jobs set state = 'queued', finished_at = null where key = 'a'",
    "one waits for a decision": "update jobs set state = 'held', finished_at = null where key = 'a'",
    "one ended today": "update jobs set finished_at = now() where key = 'a'",
    "an answer is on its way": "update attempts set outcome = null where job_id = 1",
    "outputs are to be put": "update jobs set published_fence = -1 where key = 'a'",
    "outputs could not be put": """
        insert into published_files (schedule, path, target, job_id, state, sha256, sha256s)
        select 's', 'p', 't', id, 'failed', 'x', array['x'] from jobs where key = 'a'
    """,
    "a piece has not ended": """
        insert into jobs (parent_id, batch_id, kind, model, args)
        select id, batch_id, kind, model, '{}' from jobs where key = 'a'
    """,
    "it is new itself": "update batches set created_at = now()",
}


@pytest.mark.parametrize("sql", KEEPS.values(), ids=KEEPS)
def test_a_batch_stays_whole(engine: Engine, storage: Storage, sql: str) -> None:
    submit(engine, "b", image("a"), image("b", "a"))
    aged(engine)
    end(engine, storage, "a", "b")
    run(engine, sql)
    assert planned(engine) == Plan(0, 0, 0, 0, 0)
    assert prune(engine, storage, DAY) == Pruned()
    assert (keys(engine), files(storage)) == ({"a", "b"}, {"a", "b"})


@pytest.mark.parametrize("step", [1, 2, 200])
def test_what_is_old_goes_with_all_that_was_its(engine: Engine, storage: Storage, step: int) -> None:
    submit(engine, "old", image("a"), image("b", "a"), image("c", "a", "b"))
    submit(engine, "failed", image("talk"))
    submit(engine, "empty")
    submit(engine, "young", image("y"))
    aged(engine)
    end(engine, storage, "a", "b")
    end(engine, storage, "c", state="failed")
    end(engine, storage, "talk", state="cancelled")
    end(engine, storage, "y", age=timedelta())
    (storage.folder or Path()).joinpath("piece.wav").write_bytes(b"")
    run(engine, """
        with child as (
            insert into jobs (parent_id, batch_id, kind, model, args, state, finished_at)
            select id, batch_id, kind, model, '{}', 'failed', finished_at from jobs where key = 'talk'
            returning id, parent_id
        )
        insert into pieces (parent_id, index, job_id, begins, ends, seam, speech, location)
        select parent_id, 0, id, 0, 16000, 'end', '[]', 'piece.wav' from child
    """)  # fmt: skip
    run(engine, "insert into budgets (scope, subject, amount) select 'batch', cast(id as text), 1 from batches")
    assert planned(engine) == Plan(batches=3, jobs=4, alone=0, files=5, bytes=16 + 32000)
    assert prune(engine, storage, DAY, step=step) == Pruned(batches=3, jobs=4, files=5)
    assert (keys(engine), files(storage)) == ({"y"}, {"y"})
    for table in ("batches", "jobs", "outputs", "attempts", "budgets", "events"):
        assert left(engine, table) == 1, table
    assert left(engine, "links") == left(engine, "pieces") == 0
    assert prune(engine, storage, DAY) == Pruned()


def test_jobs_without_a_batch_go_one_by_one_but_not_what_others_may_still_need(
    engine: Engine, storage: Storage
) -> None:
    submit(engine, None, image("a"), image("b", "a"), image("c", "b"), image("x"), image("y", "x"), image("z", "y"))
    end(engine, storage, "a", "b", "c", "x", "z")
    end(engine, storage, "y", state="failed", age=timedelta())
    assert planned(engine) == Plan(batches=0, jobs=4, alone=4, files=4, bytes=16)
    assert prune(engine, storage, DAY, step=1) == Pruned(jobs=4, files=4)
    assert (keys(engine), files(storage)) == ({"x", "y"}, {"x", "y"})


def test_where_it_stopped_half_way_it_goes_on(engine: Engine, storage: Storage) -> None:
    submit(engine, "old", *(image(f"k{n}") for n in range(6)))
    aged(engine)
    end(engine, storage, *(f"k{n}" for n in range(6)))
    assert storage.folder
    odd = storage.folder / "k3.png"
    odd.unlink()
    odd.mkdir()
    with pytest.raises(OSError, match=r"k3\.png"):
        prune(engine, storage, DAY, step=2)
    assert keys(engine) == {"k2", "k3", "k4", "k5"}  # with its file or without
    odd.rmdir()
    assert prune(engine, storage, DAY, step=2) == Pruned(batches=1, jobs=4, files=4)
    assert (left(engine, "batches"), files(storage)) == (0, set())


def test_two_at_once_share_the_work(engine: Engine, storage: Storage) -> None:
    for batch in "abcd":
        submit(engine, batch, *(image(f"{batch}{n}") for n in range(20)))
    submit(engine, None, *(image(f"x{n}") for n in range(20)))
    aged(engine)
    end(engine, storage, *keys(engine))
    barrier, done = threading.Barrier(2), []

    def work() -> None:
        barrier.wait()
        done.append(prune(engine, storage, DAY, step=3))

    together([work, work])
    rest = prune(engine, storage, DAY)
    assert sum(each.jobs for each in (*done, rest)) == sum(each.files for each in (*done, rest)) == 100
    assert sum(each.batches for each in (*done, rest)) == 4
    assert left(engine, "jobs") == left(engine, "batches") == 0
    assert files(storage) == set()


def together(does: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=each) for each in does]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_what_is_retried_or_added_to_meanwhile_stays(engine: Engine, storage: Storage) -> None:
    submit(engine, "retried", image("a"), image("b"))
    submit(engine, "added to", image("c"))
    submit(engine, None, image("d"))
    aged(engine)
    end(engine, storage, "a", "b", "c", "d", state="failed")
    with Session(engine) as retrying, Session(engine) as adding:
        job = retrying.execute(text("select array_agg(id) from jobs where key in ('a', 'd')")).scalar_one()
        retry(retrying, Selection(ids=job))
        insert_rows(adding, "added to", "image", checked("image", [image("e")]))
        assert prune(engine, storage, DAY, step=1).batches == 0
        retrying.commit()
        adding.commit()
    prune(engine, storage, DAY)
    assert {"a", "c", "d", "e"} <= keys(engine)
    assert act(engine, retry, Selection(state="failed")) == {"queued": len(keys(engine)) - 3}


def test_a_batch_that_was_pruned_is_new_when_it_is_submitted_again(engine: Engine, storage: Storage) -> None:
    submit(engine, "b", image("a"))
    aged(engine)
    end(engine, storage, "a")
    prune(engine, storage, DAY)
    submit(engine, "b", image("a"))
    with engine.connect() as conn:
        assert conn.execute(text("select b.id, j.state from batches b join jobs j on j.batch_id = b.id")).all() == [
            (2, "queued")
        ]


def test_small_pictures_go_with_their_files(engine: Engine, storage: Storage) -> None:
    """And sums go down with the jobs, while what was spent stays spent."""
    submit(engine, "b", image("a"))
    aged(engine)
    end(engine, storage, "a")
    run(engine, "update jobs set cost = 0.01")
    assert storage.folder
    thumb = storage.folder / thumb_of("x")
    thumb.parent.mkdir(parents=True)
    thumb.write_bytes(b"small")
    assert prune(engine, storage, DAY).files == 1
    assert not thumb.exists()
    with engine.connect() as conn:
        assert list(tallies(conn)) == []
        assert sum(row.jobs for row in counting.counts(conn)) == 0
        assert sum(row.cost for row in counting.counts(conn)) == Decimal("0.01")


# -- the command and the setting ----------------------------------------------------------------------


def test_the_command(
    engine: Engine, database_url: str, storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIAJOBS_DATABASE_URL", database_url)
    monkeypatch.setenv("MEDIAJOBS_OUTPUTS_URL", (tmp_path / "outputs").as_uri())
    settings.cache_clear()
    submit(engine, "b", image("a"), image("b"))
    aged(engine)
    end(engine, storage, "a", "b")

    def said(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, ["prune", "--older-than", *words])
        assert done.exit_code == code, done.output
        return done.output

    assert "'soon' is no age; write it in hours, days or weeks: 12h, 30d, 8w" in said("soon", code=2)
    assert "0 batches and 0 jobs, with 0 files" in said("30d")
    dry = said("1d", "--dry-run")
    assert "1 batch and 2 jobs, with 2 files, which ended before 20" in dry
    assert dry.endswith("nothing was removed\n")
    assert "where nobody can be asked, say --yes" in said("1d", code=2)
    assert left(engine, "jobs") == 2
    assert "removed 2 jobs and 2 files; 1 batch" in said("1d", "--yes")
    assert left(engine, "jobs") == 0
    with engine.connect() as conn:
        [entry] = conn.execute(text("select action, jobs, via from audit")).all()
    assert tuple(entry) == ("prune", 2, "command line")
    settings.cache_clear()


def test_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAJOBS_PRUNE_AFTER", "30d")
    assert Settings().prune_after == parse_age("30d") == timedelta(days=30)
    monkeypatch.setenv("MEDIAJOBS_PRUNE_AFTER", "")
    assert Settings().prune_after is None
    monkeypatch.setenv("MEDIAJOBS_PRUNE_AFTER", "-1")
    with pytest.raises(ValidationError, match="'-1' is no age; write it in hours, days or weeks"):
        Settings()
    assert PRUNE in ticks(1.0, prunes=True)
    assert PRUNE not in ticks(1.0, prunes=False)
