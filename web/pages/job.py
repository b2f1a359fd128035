"""One job: what it made, how it came to that, and what may be done about it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import FileResponse
from sqlalchemy import Connection, text

from models.recordings import STORED
from models.state import FINAL, JobState
from web.access import Viewer, needs
from web.database import Database
from web.pages.shell import Query, live, missing, positive, show
from web.queries import job as reads
from web.wiring import Parts, Wired
from worker import report
from worker.keys import Role
from worker.storage import Storage

router = APIRouter(dependencies=[Depends(needs(Role.VIEWER))])

#: What browsers play of what can be transcribed.
SOUNDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".mp4": "video/mp4", ".ogg": "audio/ogg",
          ".opus": "audio/ogg", ".flac": "audio/flac", ".webm": "video/webm", ".aac": "audio/aac"}  # fmt: skip
#: A transcript's words are shown one by one up to here.
MOST_BYTES = 8 * 1024**2
RECORDING = text("select kind, args from jobs where id = :job")
NOW = text("select now(), (select id from batches where name = :batch)")


@live("job", "job/head.html", "job/output.html", "job/phases.html", "job/history.html", "job/requests.html",
      "job/order.html")  # fmt: skip
def read(conn: Connection, query: Query, wired: Parts) -> dict[str, Any]:
    job = positive(query.get("id"), "id") or 0
    found = report.show(conn, job)
    if found is None:
        raise missing(f"job {job}")
    now, batch_id = conn.execute(NOW, {"batch": found["batch"]}).one()
    token = wired.settings.api_token.get_secret_value()
    last = found["requests"][-1]["request_id"] if found["requests"] else "(made when it is sent)"
    outputs = {each["role"]: each for each in found["outputs"]}
    return {
        "job": found,
        "batch_id": batch_id,
        "times": reads.timeline(found["history"], now),
        "final": found["state"] in FINAL,
        "sent": reads.request_of(found["kind"], found["args"], job=job, request_id=last, token=token),
        "answer": reads.answer_of(conn, job, token),
        "outputs": outputs,
        "words": words(wired.storage, outputs) if "vtt" in outputs else [],
        "sound": sound_of(found),
    }


def words(storage: Storage, outputs: Mapping[str, dict[str, Any]]) -> list[reads.Word]:
    """What was said, with its times: by the word, else by the line."""
    return reads.words_of(stored(storage, outputs.get("json"))) or reads.cues_of(
        stored(storage, outputs.get("vtt")).decode("utf-8", "replace")
    )


def stored(storage: Storage, output: dict[str, Any] | None) -> bytes:
    if output is None or output["bytes"] > MOST_BYTES:
        return b""
    try:
        return b"".join(storage.get(output["location"]))
    except FileNotFoundError:
        return b""


def sound_of(found: dict[str, Any]) -> str | None:
    """How a browser may hear what was transcribed: its type; None where it cannot."""
    file = found["args"].get("file")
    if not isinstance(file, str) or file.startswith("s3://"):
        return None
    return SOUNDS.get(Path(file).suffix.lower())


@router.get("/jobs/{job}")
def job(database: Database, wired: Wired, caller: Viewer, job: int) -> Response:
    query = {"id": str(job)}
    return show("job.html", database.connection(), wired, caller, here="/jobs", view="job", query=query,
                JobState=JobState)  # fmt: skip


def recording_of(database: Database, job: int) -> Any:
    found = database.execute(RECORDING, {"job": job}).mappings().first()
    if found is None or sound_of(dict(found)) is None:
        raise missing(f"sound of job {job}")
    return found


@router.get("/jobs/{job}/sound")
async def sound(wired: Wired, found: Annotated[Any, Depends(recording_of)]) -> Response:
    """What was transcribed, where it lies on this machine or in the store."""
    file, headers = str(found["args"]["file"]), {"Cache-Control": "private, max-age=3600"}
    path = Path(file)
    if file.startswith(STORED):
        path = wired.storage.local_path(file.removeprefix(STORED)) or path
    if not path.is_file():
        raise missing(f"file {file} on this machine")
    return FileResponse(path, media_type=sound_of(dict(found)), headers=headers)
