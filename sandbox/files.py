"""Result files, at the addresses that answers name."""

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response

from sandbox import early, envelope, media
from sandbox.refusals import Refusal
from sandbox.rules import Faults
from sandbox.scene import Scene
from sandbox.world import Task, World

MIMES = {"mp4": "video/mp4", "pdf": "application/pdf"}
RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


class Files:
    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    async def file(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        world = self.world
        scene = Scene(world, request, "file", task=world.tasks.get(name.rpartition(".")[0]))
        said = await self.live(scene, name)
        return envelope.refused(scene, said) if isinstance(said, Refusal) else said

    async def live(self, scene: Scene, name: str) -> Response | Refusal:
        world, task, now = self.world, scene.task, self.world.now()
        if task is None or now < task.done_at:
            return early.missing_file(scene)
        if now > task.done_at + world.config.file_ttl_s / world.config.speed:
            return early.expired_xml(scene) if world.config.expired == "xml" else early.missing_file(scene)
        world.file_fetches[name] = scene.count = world.file_fetches.get(name, 0) + 1
        scene.model, scene.text = task.model, task.prompt
        if said := self.faults.first("before", scene):
            return said
        data = await self.content(task, name)
        asked = self.faults.change("answer", scene, scene.request.headers.get("range"))
        mime = MIMES.get(name.rpartition(".")[2], "image/png")
        return self.faults.change("wire", scene, part(data, mime, asked))

    async def content(self, task: Task, name: str) -> bytes:
        make = {"mp4": media.mp4, "pdf": media.pdf}.get(name.rpartition(".")[2], media.png)
        if self.world.config.latency is not None:  # for measurements: one small file for all
            return make("plain", "", "256x256" if make is media.mp4 else "64x64")
        return await asyncio.to_thread(make, task.id, task.prompt, task.size)


def part(data: bytes, mime: str, asked: str | None) -> Response:
    """The file, or the range of it that was asked for."""
    found = RANGE.match(asked or "")
    if not found:
        return Response(data, media_type=mime, headers={"accept-ranges": "bytes"})
    first, last = int(found[1]), min(int(found[2] or len(data)), len(data) - 1)
    if first > last:
        return Response(status_code=416, headers={"content-range": f"bytes */{len(data)}"})
    headers = {"content-range": f"bytes {first}-{last}/{len(data)}", "accept-ranges": "bytes"}
    return Response(data[first : last + 1], 206, media_type=mime, headers=headers)
