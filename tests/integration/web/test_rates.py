"""Rates and what is left of them: what has just begun is not divided by the time before it."""

from sqlalchemy import Connection, text

from tests.support.api import Api
from web.queries import batches, now
from worker.keys import Role

IMAGE = "cogview-4-250304"

ENDED = text("""
    update jobs set state = 'succeeded', finished_at = now() where key = any(:keys)
""")
YOUNGER = text("update batches set created_at = now() - :age_s * interval '1 second'")


def test_a_young_batch_is_not_slower_than_it_is(api: Api) -> None:
    api.enqueue(*(f"job {number}" for number in range(40)))
    with api.engine.begin() as conn:
        conn.execute(ENDED, {"keys": [f"job {number}-key" for number in range(20)]})
        for age_s, per_s, left_s in ((2, 4.0, 5.0), (10, 2.0, 10.0), (10_000, 20 / 120, 120.0)):
            conn.execute(YOUNGER, {"age_s": age_s})
            found = batches.read(conn, conn.execute(text("select id from batches")).scalar_one())
            assert found is not None
            assert round(found.row.per_s, 6) == round(per_s, 6)
            assert round(found.row.left_s or 0, 6) == left_s
            assert found.took_s is None


def test_what_is_left_is_told_by_the_slowest_model(api: Api) -> None:
    """Twenty pictures came while no film did yet: the films are not there as soon."""
    pictures = api.enqueue(*(f"job {number}" for number in range(24)))
    films = api.enqueue("film 1", "film 2", "film 3", kind="video", model="viduq1-text")
    with api.engine.begin() as conn:
        conn.execute(YOUNGER, {"age_s": 10_000})
    for job in pictures[:20]:
        api.end(job)
    with api.engine.connect() as conn:
        assert left_s(conn) is None
    api.end(films[0])
    with api.engine.connect() as conn:
        assert round(left_s(conn) or 0, 6) == 240.0
    api.sql("update jobs set state = 'held' where id = any(:ids)", ids=films[1:])
    with api.engine.connect() as conn:
        assert round(left_s(conn) or 0, 6) == 24.0


def test_nothing_is_foretold_of_what_waits_for_a_budget_or_a_pause(api: Api) -> None:
    jobs = api.enqueue("a", "b", "c")
    api.end(jobs[0])
    [batch] = api.sql("select id from batches")
    with api.engine.connect() as conn:
        assert left_s(conn) is not None
    for held, freed in (
        (("PUT", "/budgets/batch/boats", {"amount": 0.005}), ("DELETE", "/budgets/batch/boats", None)),
        (("POST", f"/limits/{IMAGE}/pause", {}), ("POST", f"/limits/{IMAGE}/resume", None)),
    ):
        for (method, path, body), known in ((held, False), (freed, True)):
            assert api.ask(method, path, json=body).is_success
            with api.engine.connect() as conn:
                assert (left_s(conn) is not None) == known
            if not known:
                assert "holds it up" in api.http.get(f"/batches/{batch.id}", headers=login(api)).text


def login(api: Api) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.keys[Role.VIEWER]}"}


def left_s(conn: Connection) -> float | None:
    found = batches.read(conn, conn.execute(text("select id from batches")).scalar_one())
    assert found is not None
    return found.row.left_s


def test_a_model_that_has_just_begun_is_not_slower_than_it_is(api: Api) -> None:
    api.enqueue(*(f"job {number}" for number in range(40)))
    with api.engine.begin() as conn:
        conn.execute(ENDED, {"keys": [f"job {number}-key" for number in range(20)]})
        found = now.read(conn)
        assert [each.per_s for each in found.lanes] == [2.0]  # of the ten seconds that count at least
        assert (found.per_s, found.queue_s) == (2.0, 10.0)
        conn.execute(text("update tallies set at = at - interval '40 minutes' where isfinite(at)"))
        assert now.read(conn).per_s == 0.0
        conn.execute(ENDED, {"keys": [f"job {number}-key" for number in range(20, 26)]})
        assert now.read(conn).per_s == 0.1


def test_an_ended_batch_tells_how_long_it_took(api: Api) -> None:
    api.enqueue("a", "b")
    with api.engine.begin() as conn:
        conn.execute(ENDED, {"keys": ["a-key", "b-key"]})
        conn.execute(text("update batches set finished_at = created_at + interval '75 seconds'"))
        batch = conn.execute(text("select id from batches")).scalar_one()
    page = api.http.get(f"/batches/{batch}", headers=login(api)).text
    assert "Took" in page
    assert "1 min 15 s" in page
    assert "at this rate" not in page
