"""The views of the schema `reports`: what docs/sql.md says of them, what they say of the record, and to whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from models.session import make_engine
from worker.producer import Row, insert_rows

DOCS = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
COLUMNS = text("""
    select c.relname as view, obj_description(c.oid) as about, a.attname as name,
        col_description(c.oid, a.attnum) as what
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = cast('reports' as regnamespace) and c.relkind = 'v' and a.attnum > 0
    order by c.relname, a.attnum
""")
READER = "a_reader_of_reports"
FILL = """
    update jobs set state = 'succeeded', finished_at = created_at + interval '9 s', cost = 0.01, requests = 1
    where id < 3;
    update jobs set state = 'failed', finished_at = now(), error_code = '1301' where id = 3;
    insert into attempts (job_id, number, fence, request_id, outcome, ended_at, cost)
    values (1, 1, 1, 'r', 'answered', now() + interval '2 s', 0.01);
    insert into outputs values (1, 0, 'image', '1-0.png', 'image/png', 9, 'aa', 'a secret');
    insert into budgets values ('batch', '1', 5);
    select tell('batch.finished', '{}', 1, null)
"""


def section(view: str, columns: list[Any]) -> str:
    lines = [f"### `{view}`", "", columns[0].about, "", "| column | is |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{each.name}` | {each.what} |" for each in columns), ""])


def test_every_view_and_column_is_in_the_docs_as_it_describes_itself(engine: Engine) -> None:
    with engine.connect() as conn:
        found = conn.execute(COLUMNS).all()
    for view in {each.view for each in found}:
        expected = section(view, [each for each in found if each.view == view])
        assert expected in DOCS, f"docs/sql.md is to have:\n{expected}"
    assert DOCS.count("### `") == len({each.view for each in found})


@pytest.fixture
def filled(engine: Engine) -> Engine:
    rows = (Row(row=n, args={"model": "cogview-4-250304", "prompt": "a secret"}) for n in range(1, 5))
    with Session(engine) as session:
        insert_rows(session, "foxes", "image", rows, webhook="https://hooks.example/secret")
        for sql in FILL.split(";"):
            session.execute(text(sql))
        session.commit()
    return engine


def one(conn: Connection, sql: str) -> dict[str, Any]:
    return dict(conn.execute(text(sql)).mappings().one())


def test_they_say_what_is(filled: Engine) -> None:
    with filled.connect() as conn:
        job = one(conn, "select batch, state, total_s, error_code from reports.jobs where job = 1")
        assert job == {"batch": "foxes", "state": "succeeded", "total_s": 9, "error_code": None}
        batch = one(conn, "select * from reports.batches")
        counts = {name: int(batch[name]) for name in ("jobs", "succeeded", "failed", "cancelled", "held", "open")}
        assert counts == {"jobs": 4, "succeeded": 2, "failed": 1, "cancelled": 0, "held": 0, "open": 1}
        assert float(batch["cost"]) == 0.02
        assert one(conn, "select outcome, seconds from reports.requests") == {"outcome": "answered", "seconds": 2}
        assert one(conn, "select sum(jobs) as jobs from reports.ended where state = 'succeeded'") == {"jobs": 2}
        spent = one(conn, "select batch, sum(requests) as n, sum(cost) as cost from reports.costs group by 1")
        assert (spent["batch"], spent["n"], float(spent["cost"])) == ("foxes", 2, 0.02)
        assert one(conn, "select subject from reports.budgets") == {"subject": "foxes"}
        assert one(conn, "select count(*) as n from reports.history where job = 3") == {"n": 1}


@pytest.fixture
def reader(filled: Engine) -> Iterator[Engine]:
    """Somebody with the rights that docs/sql.md gives."""
    with filled.begin() as conn:
        for sql in (
            f"create role {READER} login",
            f"grant usage on schema reports to {READER}",
            f"grant select on all tables in schema reports to {READER}",
        ):
            conn.execute(text(sql))
    url = make_url(str(filled.url.render_as_string(hide_password=False))).set(username=READER)
    made = make_engine(url.render_as_string(hide_password=False), pool_size=1)
    yield made
    made.dispose()
    with filled.begin() as conn:
        conn.execute(text(f"drop owned by {READER}"))
        conn.execute(text(f"drop role {READER}"))


def test_who_may_read_them_sees_no_prompt_no_text_and_no_table(reader: Engine) -> None:
    with reader.connect() as conn:
        views = conn.execute(text("select viewname from pg_views where schemaname = 'reports'")).scalars().all()
        assert len(views) > 10
        for view in views:
            assert "secret" not in str(conn.execute(text(f"select * from reports.{view}")).all())
        with pytest.raises(ProgrammingError, match="permission denied"):
            conn.execute(text("select args from jobs"))
