"""The gallery of a batch: all that it made, on one wall."""

from fastapi import APIRouter, Depends, Response

from models.state import JobState
from web.access import Viewer, needs
from web.database import Database
from web.pages.shell import missing
from web.queries import batches, wall
from web.templating import page
from worker.keys import Role

router = APIRouter(dependencies=[Depends(needs(Role.VIEWER))])


@router.get("/batches/{batch}/wall")
def show(database: Database, caller: Viewer, *, batch: int, state: JobState | None = None, row: int = -1,
         after: int = 0) -> Response:  # fmt: skip
    """The parts of the wall, each read when it comes into view. `row`, `after`: the last job of the page before."""
    conn = database.connection()
    found = batches.read(conn, batch)
    if found is None:
        raise missing(f"batch {batch}")
    parts = wall.starts(conn, batch, state=state, row=row, id_=after)
    total = parts[0].total if parts else 0
    first = wall.tiles(conn, batch, state=state, row=parts[0].row, id_=parts[0].id) if parts else []
    return page("wall.html", caller=caller, here="/batches", found=found, batch=found.row, parts=parts, total=total,
                first=first, state=state, part=wall.PART, most=wall.MOST)  # fmt: skip


@router.get("/batches/{batch}/wall/part")
def part(database: Database, *, batch: int, row: int, job: int, state: JobState | None = None) -> Response:
    return page("wall/part.html", tiles=wall.tiles(database.connection(), batch, state=state, row=row, id_=job))
