"""Polls: what becomes of a task, told in both URL formats; an agent's in its own words."""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox import early, envelope
from sandbox.agents import SLIDES
from sandbox.edits import without
from sandbox.refusals import REFUSALS, Refusal
from sandbox.rules import Faults
from sandbox.scene import Scene, is_direct, token_of
from sandbox.work import base_url
from sandbox.world import Task, World

#: The names of polls in rules and in limits; without a limit of their own they are free.
ENDPOINT, AGENT_RESULT, AGENT_HISTORY = "async_result", "agent_result", "agent_history"
#: task_status → an agent's word for it.
STATUS = {"PROCESSING": "pending", "SUCCESS": "success", "FAIL": "failed", "FAILED": "failed"}

Body = dict[str, Any]


class Results:
    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    async def result(self, request: Request) -> Response:
        """New format: the id in the path. Old: `async-result/id?id=…`, which a gateway of one format misreads."""
        old = request.path_params["id"] == "id" and "id" in request.query_params and not is_direct(request)
        asked = request.query_params["id"] if old else request.path_params["id"]
        return self.told(request, ENDPOINT, asked, self.world.tasks.get(asked), self.report, old=old)

    async def agent_result(self, request: Request) -> Response:
        asked = await fields_of(request)
        task = self.agents_task(asked, "async_id")
        return self.told(
            request, AGENT_RESULT, str(asked.get("async_id")), task, self.agent_report, old=is_old(request)
        )

    async def agent_history(self, request: Request) -> Response:
        asked = await fields_of(request)
        task = self.agents_task(asked, "conversation_id")
        variables = asked.get("custom_variables")
        wants_pdf = isinstance(variables, dict) and variables.get("include_pdf") is True

        def report(scene: Scene, task: Task) -> Body:
            return history(scene, task, pdf=wants_pdf)

        name = str(asked.get("conversation_id"))
        gone = {"code": "1233", "message": f"Conversation {name} does not exist"}
        body = {"conversation_id": name, "agent_id": asked.get("agent_id"), "error": gone}
        return self.told(request, AGENT_HISTORY, name, task, report, old=is_old(request), otherwise=body)

    def agents_task(self, asked: Body, name: str) -> Task | None:
        """By its id, if it is this agent's."""
        task = self.world.tasks.get(str(asked.get(name)))
        return task if task and task.agent_id == asked.get("agent_id") else None

    def told(
        self,
        request: Request,
        endpoint: str,
        asked: str,
        task: Task | None,
        report: Callable[[Scene, Task], Body],
        *,
        old: bool,
        otherwise: Body | None = None,
    ) -> Response:
        """The answer to one poll. otherwise: what is said where there is no such task, if not an error."""
        scene = Scene(self.world, request, endpoint, asked=asked)
        scene.wrapper = "bare" if scene.direct else self.world.config.wrapper
        if task:
            task.polls += 1
            scene.task, scene.model, scene.text = task, task.model, task.prompt
        said = self.who(scene, old=old) or self.live(scene, report, otherwise)
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

    def live(self, scene: Scene, report: Callable[[Scene, Task], Body], otherwise: Body | None) -> Response | Refusal:
        limits = self.world.limits
        if scene.endpoint in limits:
            if refusal := limits.enter(scene.endpoint, self.world.config.retry_after):
                return refusal
            limits.leave(scene.endpoint)
        if said := self.faults.first("before", scene):
            return said
        if scene.task is not None:
            body = self.faults.change("answer", scene, report(scene, scene.task))
        elif otherwise is not None:
            body = otherwise
        else:
            return early.unknown_task(scene)
        if scene.endpoint == AGENT_RESULT and scene.task:
            body = in_agents_words(scene.task, body)
        return self.faults.change("wire", scene, envelope.wrapped(scene, body))

    def report(self, scene: Scene, task: Task) -> Body:
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

    def agent_report(self, scene: Scene, task: Task) -> Body:
        """As of any task, so that the same faults act on it; the words come last."""
        return without(self.report(scene, task), "model", "request_id")


def is_old(request: Request) -> bool:
    """The agents' old paths have no /api before them."""
    path: str = request.scope["path"]
    return path.startswith("/zai/v1/")


async def fields_of(request: Request) -> Body:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        body = {}
    return body if isinstance(body, dict) else {}


def in_agents_words(task: Task, body: Body) -> Body:
    """`status` in place of task_status, and the videos as a message."""
    told = without(body, "task_status", "video_result")
    if "task_status" in body:
        status = body["task_status"]
        told["status"] = STATUS.get(status, status.lower()) if isinstance(status, str) else status
    told |= {"agent_id": task.agent_id, "async_id": task.id}
    if "video_result" in body:
        videos = [{"type": "video_url", "video_url": each.get("url")} for each in body["video_result"]]
        message = [{"role": "assistant", "content": videos}]
        told["choices"] = [{"index": 0, "finish_reason": "stop", "message": message}]
    return told


def history(scene: Scene, task: Task, *, pdf: bool) -> Body:
    """A conversation's slides: as images or, on request, as one PDF."""
    base = f"{base_url(scene.request)}/files/{task.id}"
    if pdf:
        content = {"type": "file_url", "tag_cn": "文件", "tag_en": "PDF", "file_url": f"{base}.pdf"}
    else:
        content = {"type": "image_url", "tag_cn": "图片", "tag_en": "Image", "image_url": f"{base}.png"}
    message = [{"role": "assistant", "content": [content]}]
    return {"conversation_id": task.id, "agent_id": SLIDES, "choices": [{"message": message}]}
