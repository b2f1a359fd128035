"""Schedules, and one of them."""

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from web.access import Viewer
from web.database import Database
from web.pages.shell import Query, live, missing, positive, show
from web.queries import schedules as reads
from web.wiring import Parts, Wired

router = APIRouter()


@live("schedules", "schedules/list.html")
def read_list(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    return {"schedules": reads.read(conn)}


@router.get("/schedules")
def schedules(database: Database, wired: Wired, caller: Viewer) -> Response:
    return show("schedules.html", database.connection(), wired, caller, here="/schedules", view="schedules")


@live("schedule", "schedules/one.html")
def read_one(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    found = reads.read(conn, positive(query.get("id"), "id") or 0)
    if not found:
        raise missing(f"schedule {query.get('id')}")
    return {"schedule": found[0], "trouble": reads.trouble(conn, found[0].row)}


@router.get("/schedules/{schedule}")
def one(database: Database, wired: Wired, caller: Viewer, schedule: int) -> Response:
    query = {"id": str(schedule)}
    return show("schedule.html", database.connection(), wired, caller, here="/schedules", view="schedule", query=query)
