"""What one job brings keeps rescue from no other."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Engine, text

from tests.integration.test_transitions import claim, dispatch, enqueue
from worker import audit
from worker.policy import policy_of
from worker.run import ask
from worker.upkeep import rescue


def rows(engine: Engine, sql: str) -> list[Any]:
    with engine.connect() as conn:
        return [tuple(row) for row in conn.execute(text(sql))]


@pytest.fixture
def two(engine: Engine) -> list[int]:
    """Of a kind that no process here knows, and an image; dispatched."""
    enqueue(engine, 2)
    ids = sorted(dispatch(engine))
    with engine.begin() as conn:
        conn.execute(text("update jobs set kind = 'sketch' where id = :id"), {"id": ids[0]})
    return ids


def test_a_dead_workers_jobs_are_taken_back_though_one_is_of_an_unknown_kind(
    engine: Engine, two: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "SETTLE_S", 0.0)
    claim(engine, two)
    with engine.begin() as conn:
        conn.execute(text("update jobs set lease_until = now() - interval '10 minutes'"))
        assert [each.partition("?")[0] for each in audit.leases(conn)] == [
            f"job {job} is running, and its claim ended 10 minutes ago: does a worker of the queue upkeep run, "
            "and what does its log say of rescue"
            for job in two
        ]
    rescue.rescue(engine, hint_lease_s=5, policy=policy_of({}))
    [sketch, image] = rows(engine, "select state, worker from jobs order by id")
    assert sketch == ("held", None)
    assert image[0] in ("queued", "dispatched")
    with engine.connect() as conn:
        assert not list(audit.leases(conn))


def test_a_worker_that_does_not_know_the_kind_sends_nothing(engine: Engine, two: list[int]) -> None:
    [claimed] = claim(engine, two[:1])
    desk: Any = None  # not touched: there is nothing to be sent
    outcome = asyncio.run(ask(claimed, desk, 0.0))
    assert outcome.move.target == "queued"
    assert outcome.move.error_code == "unknown_kind"
