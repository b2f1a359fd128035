"""Files that rows are to name: recordings, images to start from."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from web.access import Caller, Operator
from web.api import shapes
from web.problems import ProblemError
from web.received import received
from web.uploads import keep
from web.wiring import Parts, Wired
from worker.folders import UPLOAD
from worker.trail import note

router = APIRouter(tags=["batches"])

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object", "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}  # fmt: skip


@router.post("/uploads", status_code=201, openapi_extra=BODY)
async def upload(
    request: Request,
    wired: Wired,
    caller: Operator,
    name: Annotated[str, Query(max_length=255, description="The file's name, for its ending.")] = "file",
) -> shapes.Upload:
    """Keep a file, so that rows can name it. The same file again is the same upload."""
    async with received(request, name=name) as came:
        if not came.bytes:
            raise ProblemError(422, "invalid_request", "the file is empty")
        known = await keep(wired.storage, came.file, name=came.name, size=came.bytes, sha256=came.sha256)
        await run_in_threadpool(noted, wired, caller, known, came.bytes)
        return shapes.Upload(file=f"{UPLOAD}{known}", bytes=came.bytes, sha256=came.sha256)


def noted(wired: Parts, caller: Caller, name: str, size: int) -> None:
    with wired.engine.begin() as conn:
        note(conn, caller.actor, "upload", name, bytes=size)
