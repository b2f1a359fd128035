"""The statements on the way of a call find their rows by keys, whatever Postgres believes of its tables."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, TextClause

from models import transitions
from models.session import make_engine
from tests.integration.test_transitions import enqueue


@pytest.fixture
def by_key(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url, by_key=True)
    yield made
    made.dispose()


@pytest.mark.parametrize("name", ["START", "CLAIM", "DISPATCH", "SETTLE", "END_ATTEMPTS", "LOCK_FAMILY", "HEARTBEAT"])
def test_a_statement_on_the_way_of_a_call_reads_its_own_rows_alone(by_key: Engine, name: str) -> None:
    """With 2,000 queued jobs that no ANALYZE has seen, so that Postgres takes them for a handful."""
    enqueue(by_key, 2000)
    with by_key.connect() as conn:
        plan = "\n".join(
            conn.exec_driver_sql(f"explain (generic_plan) {numbered(getattr(transitions, name))}").scalars()
        )
    assert "Index Cond: (id = " in plan or "Index Cond: (job_id = " in plan
    assert "Seq Scan" not in plan
    assert "ix_jobs_ready" not in plan, "it has all that are queued"


def numbered(statement: TextClause) -> str:
    """With $1, $2 for its parameters."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<!:):(\w+)", number, statement.text)
