"""The stream of a page's changes."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from web.access import needs
from web.pages.shell import VIEWS, missing
from web.wiring import Wired
from worker.keys import Role

router = APIRouter(dependencies=[Depends(needs(Role.VIEWER))])


@router.get("/live/{name}")
async def live(request: Request, name: str, wired: Wired) -> StreamingResponse:
    view, query = VIEWS.get(name), dict(request.query_params)
    if view is None:
        raise missing(f"live page {name!r}")
    key = f"{name}?{sorted(query.items())}"
    events = wired.hub.follow(key, lambda conn: view.render(conn, query, wired))
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
