"""Batches, and one of them."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from web.access import Viewer
from web.database import Database
from web.pages.shell import Query, live, missing, positive, show
from web.queries import batches as reads
from web.wiring import Parts, Wired

router = APIRouter()


@live("batches", "batches/list.html")
def read_list(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    rows, older = reads.page(conn, name=query.get("name"), before=positive(query.get("before"), "before"))
    return {"batches": rows, "older": older, "query": query}


@router.get("/batches")
def batches(request: Request, database: Database, wired: Wired, caller: Viewer) -> Response:
    query = dict(request.query_params)
    return show("batches.html", database.connection(), wired, caller, here="/batches", view="batches", query=query)


@live(
    "batch",
    "batches/head.html",
    "batches/progress.html",
    "batches/pace.html",
    "batches/failures.html",
    "batches/newest.html",
)
def read_one(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    found = reads.read(conn, positive(query.get("id"), "id") or 0)
    if found is None:
        raise missing(f"batch {query.get('id')}")
    return {"found": found, "batch": found.row}


@router.get("/batches/{batch}")
def batch(database: Database, wired: Wired, caller: Viewer, batch: int) -> Response:
    query = {"id": str(batch)}
    return show("batch.html", database.connection(), wired, caller, here="/batches", view="batch", query=query)
