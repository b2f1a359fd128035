"""A batch's end is told exactly once, however its last jobs end and whoever looks meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from models.interventions import Selection
from worker.actions import cancel, retry
from worker.producer import Row, insert_rows
from worker.upkeep import ends

MODEL = "cogview-4-250304"
HOOK = "https://hooks.example/end"


def enqueue(session: Session, count: int, *, first: int = 1, batch: str = "b") -> None:
    rows = (Row(row=n, args={"model": MODEL, "prompt": f"{batch} {n}"}) for n in range(first, first + count))
    insert_rows(session, batch, "image", rows, webhook=HOOK)


def enqueued(engine: Engine, count: int, *, first: int = 1, batch: str = "b") -> None:
    with Session(engine) as session:
        enqueue(session, count, first=first, batch=batch)
        session.commit()


def end(conn: Connection, row: int, state: str = "succeeded") -> None:
    conn.execute(
        text("update jobs set state = :state, finished_at = now() where row = :row"), {"state": state, "row": row}
    )


def end_rows(engine: Engine, *rows: int) -> None:
    with engine.begin() as conn:
        for row in rows:
            end(conn, row)


def told(engine: Engine) -> list[dict[str, object]]:
    """The data of what was told, in its order."""
    with engine.connect() as conn:
        return list(
            conn.execute(text("select data from deliveries where event = 'batch.finished' order by id")).scalars()
        )


@contextmanager
def held_open(engine: Engine) -> Iterator[Session]:
    """A producer's transaction that takes its time."""
    with Session(engine) as session:
        yield session


def test_it_is_told_with_what_became_of_it(engine: Engine) -> None:
    enqueued(engine, 3)
    end_rows(engine, 1, 2)
    ends.tell(engine)
    assert told(engine) == []
    with engine.begin() as conn:
        end(conn, 3, "failed")
    ends.tell(engine)
    ends.tell(engine)
    [data] = told(engine)
    assert (data["batch"], data["total"], data["completion"]) == ("b", 3, 1)
    assert data["counts"] == {"succeeded": 2, "failed": 1}


def test_two_ends_at_the_same_moment_neither_of_which_sees_the_other(engine: Engine) -> None:
    enqueued(engine, 2)
    with engine.connect() as one, engine.connect() as other:
        end(one, 1)
        end(other, 2)
        ends.tell(engine)
        one.commit()
        ends.tell(engine)
        assert told(engine) == []
        other.commit()
    ends.tell(engine)
    assert len(told(engine)) == 1


def test_many_end_and_many_look_at_once(engine: Engine) -> None:
    enqueued(engine, 24)
    start = threading.Barrier(16)
    over = threading.Event()

    def work(first: int) -> None:
        start.wait()
        for row in range(first, 25, 12):
            end_rows(engine, row)

    def look() -> None:
        start.wait()
        while not over.is_set():
            ends.tell(engine)

    workers = [threading.Thread(target=work, args=(first,)) for first in range(1, 13)]
    lookers = [threading.Thread(target=look) for _ in range(4)]
    for thread in [*workers, *lookers]:
        thread.start()
    for thread in workers:
        thread.join()
    over.set()
    for thread in lookers:
        thread.join()
    ends.tell(engine)
    assert len(told(engine)) == 1


def test_while_a_producer_adds_to_it_it_is_not_finished(engine: Engine) -> None:
    enqueued(engine, 1)
    end_rows(engine, 1)
    with held_open(engine) as producer:
        enqueue(producer, 1, first=2)
        ends.tell(engine)
        assert told(engine) == []
        producer.commit()
    ends.tell(engine)
    assert told(engine) == []
    end_rows(engine, 2)
    ends.tell(engine)
    assert len(told(engine)) == 1


def test_a_producer_who_gives_up_leaves_it_finished(engine: Engine) -> None:
    enqueued(engine, 1)
    end_rows(engine, 1)
    with held_open(engine) as producer:
        enqueue(producer, 1, first=2)
        ends.tell(engine)
        producer.rollback()
    ends.tell(engine)
    assert len(told(engine)) == 1


def test_what_is_added_later_opens_it_again_and_its_end_is_told_again(engine: Engine) -> None:
    enqueued(engine, 1)
    end_rows(engine, 1)
    ends.tell(engine)
    enqueued(engine, 1)  # the same row: nothing is added
    ends.tell(engine)
    enqueued(engine, 1, first=2)
    ends.tell(engine)
    assert len(told(engine)) == 1
    end_rows(engine, 2)
    ends.tell(engine)
    assert [(data["completion"], data["total"]) for data in told(engine)] == [(1, 1), (2, 2)]


def test_a_retry_opens_it_again(engine: Engine) -> None:
    enqueued(engine, 2)
    end_rows(engine, 1)
    with Session(engine) as session:
        cancel(session, Selection(state="queued"))
        session.commit()
    ends.tell(engine)
    with Session(engine) as session:
        retry(session, Selection(state="cancelled"))
        session.commit()
    ends.tell(engine)
    assert len(told(engine)) == 1
    end_rows(engine, 2)
    ends.tell(engine)
    assert [data["counts"] for data in told(engine)] == [{"succeeded": 1, "cancelled": 1}, {"succeeded": 2}]


def test_a_retry_that_is_not_yet_committed_keeps_it_open(engine: Engine) -> None:
    enqueued(engine, 1)
    with engine.begin() as conn:
        end(conn, 1, "failed")
    with held_open(engine) as operator:
        retry(operator, Selection(state="failed"))
        ends.tell(engine)
        assert told(engine) == []
        operator.commit()
    ends.tell(engine)
    assert told(engine) == []


def test_a_batch_without_jobs_never_finishes(engine: Engine) -> None:
    with engine.begin() as conn:
        conn.execute(text("insert into batches (name, webhook) values ('empty', :url)"), {"url": HOOK})
    ends.tell(engine)
    assert told(engine) == []


def test_a_producer_whose_snapshot_is_older_than_the_end_is_refused_by_postgres(engine: Engine) -> None:
    """Rather than that a finished batch has an open job: who asks for REPEATABLE READ has to try again at times."""
    enqueued(engine, 1)
    end_rows(engine, 1)
    with Session(engine.execution_options(isolation_level="REPEATABLE READ")) as producer:
        producer.execute(text("select count(*) from batches"))
        ends.tell(engine)
        with pytest.raises(OperationalError, match="could not serialize"):
            enqueue(producer, 1, first=2)
    enqueued(engine, 1, first=2)
    assert len(told(engine)) == 1
