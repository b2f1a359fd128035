"""The gallery of a batch: all that it made, on one wall."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from models.state import JobState
from web.access import Viewer, needs
from web.database import Database
from web.pages.shell import Query, live, missing, positive
from web.pages.shell import show as show_page
from web.queries import batches, wall
from web.templating import page
from web.wiring import Parts, Wired
from worker.keys import Role

router = APIRouter(dependencies=[Depends(needs(Role.VIEWER))])


@live("wall", "wall/head.html")
def read(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    """How many there are; the tiles are looked at where they are in view."""
    batch = positive(query.get("id"), "id") or 0
    found = batches.one(conn, batch)
    if found is None:
        raise missing(f"batch {batch}")
    return {"batch": found, "state": query.get("state")}


@router.get("/batches/{batch}/wall")
def show(database: Database, wired: Wired, caller: Viewer, *, batch: int, state: JobState | None = None,
         row: int = -1, after: int = 0) -> Response:  # fmt: skip
    """The parts of the wall, each read when it comes into view. `row`, `after`: the last job of the page before."""
    conn = database.connection()
    parts = wall.starts(conn, batch, state=state, row=row, id_=after)
    total = parts[0].total if parts else 0
    first = wall.tiles(conn, batch, state=state, row=parts[0].row, id_=parts[0].id) if parts else []
    query = {"id": str(batch), **({"state": state.value} if state else {})}
    return show_page("wall.html", conn, wired, caller, here="/batches", view="wall", query=query, parts=parts,
                     total=total, first=first, part=wall.PART, most=wall.MOST)  # fmt: skip


@router.get("/batches/{batch}/wall/part")
def part(database: Database, *, batch: int, row: int, job: int, state: JobState | None = None) -> Response:
    return page("wall/part.html", tiles=wall.tiles(database.connection(), batch, state=state, row=row, id_=job))
