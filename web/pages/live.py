"""The stream of a page's changes."""

import asyncio

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

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

    def render(conn: Connection) -> list[str]:
        return view.render(conn, query, wired)

    key = f"{name}?{sorted(query.items())}"
    await asyncio.to_thread(wired.hub.check, key, render)
    events = wired.hub.follow(key, render)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
