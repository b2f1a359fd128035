"""Jobs, found by filters that are all in the URL."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, text

from models import counting
from models.state import JobState
from web.access import Viewer
from web.database import Database
from web.pages.shell import Query, live, positive, show
from web.problems import ProblemError
from web.wiring import Parts, Wired
from worker.kinds import KINDS
from worker.search import Search, search

router = APIRouter()

BATCH = text("select name from batches where id = :id")
MODELS = text("select model from limits where model not in ('*', 'cut') order by 1")


def wanted(query: Query) -> Search:
    """The filters of a URL. Raises ProblemError for what is none."""
    state = query.get("state") or None
    if state and state not in set(JobState):
        raise ProblemError(422, "invalid_request", f"state: {state!r} is none; there are {', '.join(JobState)}")
    return Search(
        batch=positive(query.get("batch"), "batch"),
        state=state,
        kind=query.get("kind") or None,
        model=query.get("model") or None,
        code=query.get("code") or None,
        text=(query.get("q") or "").strip() or None,
        since=moment(query.get("since"), "since"),
        until=moment(query.get("until"), "until"),
        pieces_of=positive(query.get("pieces_of"), "pieces_of"),
        before=positive(query.get("before"), "before"),
    )


def moment(given: str | None, what: str) -> datetime | None:
    if not given:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise ProblemError(
            422, "invalid_request", f"{what}: {given!r} is no time; write it as 2026-12-31T18:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@live("jobs", "jobs/list.html")
def read(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    asked = wanted(query)
    filters = {name: value for name, value in query.items() if value and name != "before"}
    batch = conn.execute(BATCH, {"id": asked.batch}).scalar() if asked.batch else None
    return {
        "found": search(conn, asked),
        "total": total(conn, asked),
        "query": query,
        "filters": filters,
        "url": urlencode(filters),
        "batch_name": batch,
    }


def total(conn: Connection, asked: Search) -> int | None:
    """How many there are, where tallies know it."""
    if asked.text or asked.code or asked.since or asked.until or asked.pieces_of:
        return None
    return sum(
        int(row.jobs)
        for row in counting.counts(conn, [asked.batch] if asked.batch else None)
        if row.state is not None and not row.piece
        and (not asked.state or row.state == asked.state)
        and (not asked.kind or row.kind == asked.kind)
        and (not asked.model or row.model == asked.model)
    )  # fmt: skip


@router.get("/jobs")
def jobs(request: Request, database: Database, wired: Wired, caller: Viewer) -> Response:
    query = {name: value for name, value in request.query_params.items() if value}
    conn = database.connection()
    models = conn.execute(MODELS).scalars().all()
    return show("jobs.html", conn, wired, caller, here="/jobs", view="jobs", query=query, states=list(JobState),
                kinds=sorted(KINDS), models=models)  # fmt: skip
