"""Batches: how they stand, and what came of them."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import StreamingResponse

from models import counting
from web.access import Viewer
from web.api import shapes
from web.api.results import written
from web.database import Database
from web.queries import batches as reads
from web.queries.batches import BatchRow
from web.queries.standing import Standing, standing
from web.wiring import Wired
from worker import report
from worker.archive import zipped
from worker.export import Form

router = APIRouter(tags=["batches"])

Name = Annotated[str, Path(max_length=200, description="A batch's name or id; its id where the name has a slash.")]


def stands(found: Standing) -> dict[str, Any]:
    return {"total": found.total, "finished": found.finished, "counts": dict(found.counts), "pieces": found.pieces,
            "cost": found.cost}  # fmt: skip


def fields(row: BatchRow) -> dict[str, Any]:
    own = {name: getattr(row, name) for name in ("id", "name", "created_at", "webhook", "per_s", "left_s")}
    return own | stands(row.standing)


@router.get("/status")
def status(database: Database, _: Viewer) -> shapes.Status:
    """How all jobs stand together."""
    return shapes.Status.model_validate(stands(standing(counting.counts(database.connection()))))


@router.get("/batches")
def batches(
    database: Database,
    _: Viewer,
    name: Annotated[str | None, Query(max_length=200, description="With this in the name.")] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**63, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 25,
) -> shapes.Page[shapes.Batch]:
    """Batches, the latest first."""
    rows, older = reads.page(database.connection(), name=name, before=before, limit=limit)
    return shapes.Page(items=[shapes.Batch.model_validate(fields(each)) for each in rows], next=older)


@router.get("/batches/{batch}")
def batch(database: Database, _: Viewer, batch: Name) -> shapes.BatchInFull:
    """How a batch stands, what the rest of it waits for, and why some of it failed."""
    conn = database.connection()
    batch_id = report.find_batch(conn, batch)
    found = reads.read(conn, batch_id)
    if found is None:
        raise report.UnknownBatchError(batch)
    more = {"waiting_for": dict(found.waiting), "failures": found.failures, "possibly_charged": found.charged}
    return shapes.BatchInFull.model_validate(fields(found.row) | more)


RESULTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A line, or row, for each job.", "content": {"application/jsonl": {}, "text/csv": {}}}
}


@router.get("/batches/{batch}/results", responses=RESULTS, response_class=StreamingResponse)
def results(
    request: Request,
    database: Database,
    wired: Wired,
    _: Viewer,
    batch: Name,
    format: Annotated[Form, Query(description="openai: as OpenAI's Batch API gives it, what has ended.")] = "jsonl",  # noqa: A002 - the parameter's name
) -> StreamingResponse:
    """What came of each row, in the input's order; as `mediajobs export` has it, with a URL for each output."""
    batch_id = report.find_batch(database.connection(), batch)
    site = (wired.settings.web_url or str(request.base_url)).rstrip("/")
    lines: Iterator[str] = written(report.results(wired.engine, batch_id), format, site, wired.storage)
    suffix, mime = ("csv", "text/csv") if format == "csv" else ("jsonl", "application/jsonl")
    headers = {"Content-Disposition": f'attachment; filename="batch-{batch_id}.{suffix}"'}
    return StreamingResponse(lines, media_type=mime, headers=headers)


@router.get(
    "/batches/{batch}/files", responses={200: {"content": {"application/zip": {}}}}, response_class=StreamingResponse
)
def files(database: Database, wired: Wired, _: Viewer, batch: Name) -> StreamingResponse:
    """Every output of a batch and its manifest, as a ZIP: the folder that `mediajobs export` makes."""
    batch_id = report.find_batch(database.connection(), batch)
    headers = {"Content-Disposition": f'attachment; filename="batch-{batch_id}.zip"'}
    found = zipped(report.results(wired.engine, batch_id), wired.storage)
    return StreamingResponse(found, media_type="application/zip", headers=headers)
