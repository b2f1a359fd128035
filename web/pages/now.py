"""What is going on."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from sqlalchemy import Connection

from web.access import Viewer, needs
from web.database import Database
from web.pages.shell import Query, live, show
from web.queries import batches
from web.queries import now as reads
from web.templating import page
from web.wiring import Parts, Wired
from worker.keys import Role

router = APIRouter(dependencies=[Depends(needs(Role.VIEWER))])


@live("now", "now/pulse.html", "now/chart.html", "now/attention.html", "now/models.html", "now/batches.html",
      "now/workers.html")  # fmt: skip
def read(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    return {
        "now": reads.read(conn),
        "batches": batches.under_way(conn, limit=6),
        "workers": wired.workers.known(),
        "in_hand": reads.in_hand(conn),
        "flower_url": wired.settings.flower_url,
    }


@router.get("/")
def now(database: Database, wired: Wired, caller: Viewer) -> Response:
    return show("now.html", database.connection(), wired, caller, here="/", view="now")


@router.get("/keys")
def keys() -> Response:
    return page("keys.html")
