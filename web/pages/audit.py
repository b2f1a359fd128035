"""The trail of what people did."""

from fastapi import APIRouter, Request, Response

from web.access import Viewer
from web.database import Database
from web.pages.shell import positive
from web.templating import page
from worker.trail import entries

router = APIRouter()
PAGE = 50


@router.get("/audit")
def audit(request: Request, database: Database, caller: Viewer) -> Response:
    query = {name: value for name, value in request.query_params.items() if value}
    found = entries(database.connection(), before=positive(query.get("before"), "before"), limit=PAGE + 1,
                    who=query.get("who"), action=query.get("action"))  # fmt: skip
    older = found[PAGE - 1]["id"] if len(found) > PAGE else None
    return page("audit.html", caller=caller, here="/audit", entries=found[:PAGE], older=older, query=query)
