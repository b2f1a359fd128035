"""Schedules over HTTP: what the API and the pages tell of them, and do."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.support.api import Api
from worker import scheduling
from worker.keys import Role


@pytest.fixture
def nightly(api: Api, tmp_path: Path) -> Api:
    """A schedule with a run of the past in which all was taken, and one that failed."""
    with Session(api.engine) as session:
        plan, _ = scheduling.plan(
            name="nightly", cron="0 2 * * *", timezone="Europe/Berlin", source=str(tmp_path), patterns=(), args={},
            out=None, catch_up="once", max_age_s=86400, overlap="skip", webhook=None,
        )  # fmt: skip
        scheduling.add(session, plan)
        session.commit()
    api.sql("""
        insert into schedule_runs (schedule_id, tick, state, found, added, error, finished_at)
        select id, now() - interval '1 day', 'done', 7, 5, null, now() from schedules
        union all select id, now() - interval '2 days', 'failed', 0, 0, 'the bucket is away', now() from schedules
    """)
    return api


def test_they_are_told_with_their_runs(nightly: Api) -> None:
    [found] = nightly.get("/schedules", role=Role.VIEWER)
    assert (found["name"], found["timezone"], found["paused_at"]) == ("nightly", "Europe/Berlin", None)
    assert [(run["state"], run["added"]) for run in found["runs"]] == [("done", 5), ("failed", 0)]
    one = nightly.get("/schedules/nightly")
    assert one["next_at"] == found["next_at"]
    assert one["problems"] == []
    unknown = nightly.ask("GET", "/schedules/none")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_schedule")


def test_they_are_paused_run_and_removed_and_that_is_on_record(nightly: Api) -> None:
    assert nightly.post("/schedules/nightly/pause")["next_at"] is None
    assert nightly.get("/schedules/nightly")["paused_at"] is not None
    assert nightly.post("/schedules/nightly/resume")["next_at"] is not None
    assert nightly.post("/schedules/nightly/runs", {}, status=201) == {"due": 1}
    wrong = nightly.ask("POST", "/schedules/nightly/runs", json={"start": "yesterday"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_request")
    assert "write it as" in wrong.json()["detail"]
    assert nightly.ask("DELETE", "/schedules/nightly").json() == {"files": 0}
    done = nightly.sql("select action, subject from audit order by id")
    assert [each.action for each in done] == ["pause", "resume", "run", "remove schedule"]
    assert {each.subject for each in done} == {"schedule nightly"}


def test_the_same_run_asked_for_twice_is_one(nightly: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        nightly.post("/schedules/nightly/runs", {}, status=201, headers=headers)
    assert nightly.sql("select count(*) as runs from schedule_runs where state = 'due'")[0].runs == 1


def test_the_pages_say_it_in_words(nightly: Api) -> None:
    headers = {"Authorization": f"Bearer {nightly.keys[Role.VIEWER]}"}
    listed = nightly.http.get("/schedules", headers=headers).text
    assert "at 02:00 every day" in listed
    assert "5 new of 7 files" in listed
    [row] = nightly.sql("select id from schedules")
    one = nightly.http.get(f"/schedules/{row.id}", headers=headers)
    assert "the bucket is away" in one.text
    assert nightly.http.get("/schedules/99", headers=headers).status_code == 404


def test_a_viewer_can_run_none(nightly: Api) -> None:
    headers = {"Authorization": f"Bearer {nightly.keys[Role.VIEWER]}"}
    form = {"name": "nightly", "do": "run"}
    assert nightly.http.post("/actions/schedule", data=form, headers=headers).status_code == 403
    headers = {"Authorization": f"Bearer {nightly.keys[Role.OPERATOR]}"}
    assert "is due" in nightly.http.post("/actions/schedule", data=form, headers=headers).text
