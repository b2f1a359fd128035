"""Polls: what becomes of a task, told in both URL formats."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox import early, envelope
from sandbox.refusals import REFUSALS, Refusal
from sandbox.rules import Faults
from sandbox.scene import Scene, is_direct, token_of
from sandbox.work import base_url
from sandbox.world import Task, World

#: The name of polls in rules and in limits; without a limit of their own they are free.
ENDPOINT = "async_result"


class Results:
    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    async def result(self, request: Request) -> Response:
        """New format: the id in the path. Old: `async-result/id?id=…`, which a gateway of one format misreads."""
        direct = is_direct(request)
        old = request.path_params["id"] == "id" and "id" in request.query_params and not direct
        task = self.world.tasks.get(request.query_params["id"] if old else request.path_params["id"])
        scene = Scene(self.world, request, ENDPOINT, wrapper="bare" if direct else self.world.config.wrapper)
        if task:
            task.polls += 1
            scene.task, scene.model, scene.text = task, task.model, task.prompt
        said = self.who(scene, old=old) or self.live(scene)
        response = envelope.refused(scene, said) if isinstance(said, Refusal) else said
        code = said.code if isinstance(said, Refusal) else None
        self.world.polls[code or str(response.status_code)] += 1
        return response

    def who(self, scene: Scene, *, old: bool) -> Refusal | None:
        """Who may ask, and in this format."""
        if refusal := self.world.account.refusal(token_of(scene.request), scene.model, direct=scene.direct, paid=False):
            return refusal
        if not scene.direct and self.world.config.formats == ("new" if old else "old"):
            return REFUSALS["proxy_not_found"]
        return None

    def live(self, scene: Scene) -> Response | Refusal:
        limits = self.world.limits
        if ENDPOINT in limits:
            if refusal := limits.enter(ENDPOINT, self.world.config.retry_after):
                return refusal
            limits.leave(ENDPOINT)
        if said := self.faults.first("before", scene):
            return said
        if scene.task is None:
            return early.unknown_task(scene)
        body = self.report(scene, scene.task)
        body = self.faults.change("answer", scene, body)
        return self.faults.change("wire", scene, envelope.wrapped(scene, body))

    def report(self, scene: Scene, task: Task) -> dict[str, Any]:
        body = {"model": task.model, "request_id": task.request_id or task.id}
        scene.done = self.world.now() >= task.done_at
        if not scene.done:
            return {**body, "task_status": "PROCESSING"}
        task.done_polls += 1
        scene.count = task.done_polls
        if task.failed is not None:
            return {**body, "task_status": "FAIL", **task.failed}
        base = f"{base_url(scene.request)}/files/{task.id}"
        if task.kind == "image":
            return {**body, "task_status": "SUCCESS", "image_result": [{"url": f"{base}.png"}]}
        entries = [{"url": f"{base}.mp4", "cover_image_url": f"{base}.png"}]
        return {**body, "task_status": "SUCCESS", "video_result": entries}
