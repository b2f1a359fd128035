"""What the media endpoints do with a call that was let in: charge when they accept, and answer."""

import asyncio
import binascii
import json
from base64 import b64decode
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from sandbox import checks
from sandbox.ledger import Entry
from sandbox.refusals import REFUSALS, Refusal
from sandbox.scene import Scene
from sandbox.world import Task

MAX_UPLOAD_BYTES = 25 * 1024**2
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """A request's body: its fields, and the file of a multipart one."""

    raw: bytes
    fields: dict[str, Any]
    filename: str | None = None
    upload: bytes | None = None
    multipart: bool = False


async def read(request: Request) -> Given:
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("multipart/"):
        form = await request.form()
        fields: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str)}
        file = form.get("file")
        if file is None or isinstance(file, str):
            return Given(raw, fields, multipart=True)
        return Given(raw, fields, file.filename or "", await file.read(), multipart=True)
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        body = {}
    return Given(raw, body if isinstance(body, dict) else {})


async def image(scene: Scene, entry: Entry, given: Given) -> Answer:
    world = scene.world
    hd = given.fields.get("quality") == "hd" or scene.model == "glm-image"
    task = make_task(scene, "image", given, world.seconds("image_hd" if hd else "image", scene.model))
    world.accept(entry, task)
    await asyncio.sleep(task.done_at - world.now())
    return {
        "created": int(world.now()),
        "id": task.id,
        "request_id": task.request_id or task.id,
        "data": [{"url": f"{base_url(scene.request)}/files/{task.id}.png"}],
        "content_filter": [{"role": "assistant", "level": 3}],
    }


async def image_async(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    return await start_task(scene, entry, given, "image", "image_hd")


async def video(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    return await start_task(scene, entry, given, "video", "video")


async def start_task(scene: Scene, entry: Entry, given: Given, kind: str, what: str) -> Answer | Refusal:
    world = scene.world
    await asyncio.sleep(world.seconds("submit"))
    # From here to the charge nothing waits, so that two at once with one request_id cannot both be the first.
    if first := repeated(scene, entry):
        if world.config.duplicates == "refuse":
            return already(entry)
        entry.accepted, entry.task_id = True, first.task_id
        task = world.tasks[first.task_id or ""]
    else:
        task = make_task(scene, kind, given, world.seconds(what, scene.model))
        task.holds_slot = world.config.slot_scope == "task"
        world.accept(entry, task)
    return {
        "model": task.model,
        "id": task.id,
        "request_id": task.request_id or task.id,
        "task_status": "PROCESSING",
    }


async def transcription(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    world = scene.world
    audio = given.upload if given.upload is not None else from_base64(given.fields.get("file_base64"))
    if audio is None:
        # The proxy takes the field `file` and no other.
        at_proxy = given.multipart and not scene.direct
        return REFUSALS["proxy_file_missing"] if at_proxy else Refusal(400, "1213", "The parameter file is missing")
    if len(audio) > MAX_UPLOAD_BYTES:
        return REFUSALS["too_large"]
    half_s = world.seconds("transcription", scene.model) / 2
    if given.filename and not scene.direct and world.config.shared_uploads:
        # The proxy's own mistake: it keeps uploads under their names, so the last of two is sent for both.
        world.uploads[given.filename] = audio
        await asyncio.sleep(half_s)
        audio = world.uploads.get(given.filename, audio)
    else:
        await asyncio.sleep(half_s)
    text, refusal = await asyncio.to_thread(checks.listen, audio)
    if refusal:
        return Refusal(400, *refusal)
    if first := repeated(scene, entry):
        if world.config.duplicates == "refuse":
            return already(entry)
        entry.accepted, entry.task_id = True, first.task_id
    else:
        world.accept(entry)
    await asyncio.sleep(half_s)
    if given.filename:
        world.uploads.pop(given.filename, None)
    return {
        "id": world.new_id(),
        "created": int(world.now()),
        "request_id": entry.request_id,
        "model": scene.model,
        "text": text,
    }


def repeated(scene: Scene, entry: Entry) -> Entry | None:
    """The entry whose request_id this one repeats, unless the API does not mind."""
    first = scene.world.ledger.by_request_id.get(entry.request_id or "")
    if first is None:
        return None
    entry.repeats = first.n
    return None if scene.world.config.duplicates == "ignore" else first


def already(entry: Entry) -> Refusal:
    return Refusal(400, "1231", f"You already have a request: {entry.request_id}")


def make_task(scene: Scene, kind: str, given: Given, seconds: float) -> Task:
    world, body = scene.world, given.fields
    return Task(
        id=world.new_id(),
        kind=kind,
        model=scene.model,
        prompt=str(body.get("prompt") or ""),
        size=str(body.get("size") or ("1280x720" if kind == "video" else "1024x1024")),
        done_at=world.now() + seconds,
        request_id=body.get("request_id"),
    )


def from_base64(text: Any) -> bytes | None:
    try:
        return b64decode(text.rpartition(",")[2], validate=True) if isinstance(text, str) else None
    except binascii.Error:
        return b""


def base_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"
