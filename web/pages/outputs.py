"""Files of jobs: outputs as they are, the sound that was transcribed, and small pictures."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import Connection, text

from web.access import needs
from web.database import Database
from web.pages.shell import missing
from web.serving import KEPT, serve
from web.thumbs import NoPictureError
from web.wiring import Wired
from worker.keys import Role

router = APIRouter(dependencies=[Depends(needs(Role.VIEWER))])

#: What a thumb is made of: the cover of a video, else the picture or the video itself.
PICTURE = text("""
    select location, sha256, role, mime, bytes from outputs
    where job_id = :job and (mime like 'image/%' or mime like 'video/%')
    order by role <> 'cover', role <> 'image', index limit 1
""")
OUTPUT = text("select location, mime, bytes, sha256 from outputs where job_id = :job and index = :index")


def one(conn: Connection, statement: Any, what: str, **values: Any) -> Any:
    found = conn.execute(statement, values).first()
    if found is None:
        raise missing(what)
    return found


def picture_of(database: Database, job: int) -> Any:
    return one(database.connection(), PICTURE, f"picture of job {job}", job=job)


def output_of(database: Database, job: int, index: int) -> Any:
    return one(database.connection(), OUTPUT, f"output {index} of job {job}", job=job, index=index)


@router.get("/jobs/{job}/thumb")
async def thumb(request: Request, wired: Wired, found: Annotated[Any, Depends(picture_of)]) -> Response:
    mark = f'"{found.sha256}"'
    headers = {"Cache-Control": KEPT, "ETag": mark}
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers=headers)
    try:
        data = await wired.thumbs.of(
            found.location, found.sha256, size=found.bytes, video=found.mime.startswith("video/")
        )
    except (NoPictureError, FileNotFoundError):
        raise missing("such picture") from None
    return Response(data, media_type="image/webp", headers=headers)


@router.get("/jobs/{job}/outputs/{index}")
async def output(request: Request, wired: Wired, found: Annotated[Any, Depends(output_of)]) -> Response:
    try:
        return await serve(request, wired.storage, location=found.location, mime=found.mime, size=found.bytes,
                           sha256=found.sha256)  # fmt: skip
    except FileNotFoundError:
        raise missing("such file in the store of outputs any more") from None
