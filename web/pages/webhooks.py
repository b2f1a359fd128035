"""Who is told of what happens, and what became of the messages. Of URLs only the host: paths may be secrets."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from web.access import Viewer
from web.database import Database
from web.templating import page
from worker.addresses import host_of
from worker.webhooks import manage

router = APIRouter()
PAGE = 50

State = Literal["pending", "delivered", "failed"]


@router.get("/webhooks")
def webhooks(
    database: Database, caller: Viewer, state: State | None = None, before: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    conn = database.connection()
    found = manage.deliveries(conn, state=state, before=before, limit=PAGE + 1)
    return page(
        "webhooks.html", caller=caller, here="/webhooks",
        receivers=[with_host(each) for each in manage.listed(conn)],
        messages=[with_host(each) for each in found[:PAGE]],
        older=found[PAGE - 1]["id"] if len(found) > PAGE else None,
        query={name: value for name, value in (("state", state), ("before", before)) if value},
    )  # fmt: skip


def with_host(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "host": host_of(row["url"])}
