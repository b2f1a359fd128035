"""Who is told of what happens, and what became of the messages. Of URLs only the host: paths may be secrets."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from fastapi import Query as Asked
from sqlalchemy import Connection

from web.access import Viewer
from web.database import Database
from web.pages.shell import Query, live, positive, show
from web.wiring import Parts, Wired
from worker.addresses import host_of
from worker.webhooks import manage

router = APIRouter()
PAGE = 50

State = Literal["pending", "delivered", "failed"]


@live("webhooks", "webhooks/receivers.html", "webhooks/messages.html")
def read(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    before = positive(query.get("before"), "before")
    found = manage.deliveries(conn, state=query.get("state"), before=before, limit=PAGE + 1)
    return {
        "receivers": [with_host(each) for each in manage.listed(conn)],
        "messages": [with_host(each) for each in found[:PAGE]],
        "older": found[PAGE - 1]["id"] if len(found) > PAGE else None,
        "query": query,
    }


@router.get("/webhooks")
def webhooks(
    database: Database,
    wired: Wired,
    caller: Viewer,
    state: State | None = None,
    before: Annotated[int | None, Asked(ge=1)] = None,
) -> Response:
    query = {name: str(value) for name, value in (("state", state), ("before", before)) if value}
    conn = database.connection()
    return show("webhooks.html", conn, wired, caller, here="/webhooks", view="webhooks", query=query)


def with_host(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "host": host_of(row["url"])}
