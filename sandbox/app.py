"""The stand-in for the API: the proxy's paths in both formats and wrappers, and Z.AI's own."""

import asyncio
import contextvars
import hashlib
import json
from asyncio import Transport
from base64 import b64encode
from dataclasses import asdict, dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from sandbox import checks, media
from sandbox.faults import REFUSALS, Faults
from sandbox.world import Entry, Task, World

#: The connection that a request came over, so that a fault can cut it.
transport: contextvars.ContextVar[Transport] = contextvars.ContextVar("transport")

MAX_UPLOAD_BYTES = 25 * 1024**2
FILE_MISSING = {"RetCode": -148654, "ErrMsg": "file not exist"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How the stand-in behaves as a whole. `formats`: URL formats that the proxy side knows."""

    token: str = "at_sandbox"  # noqa: S105 - the stand-in's own
    wrapper: str = "data"
    formats: str = "both"
    file_ttl_s: float = 86400.0


class Refused(Exception):  # noqa: N818 - the API said no
    """Answer with this status and body instead."""

    def __init__(self, status: int, code: str | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class Sandbox:
    """The endpoints. Each POST that costs money is in the ledger before anything else happens to it."""

    def __init__(self, world: World, config: Config, faults: Faults) -> None:
        self.world = world
        self.config = config
        self.faults = faults
        self.file_fetches: dict[str, int] = {}

    # -- what is the same for all calls --------------------------------------------------------

    def authorised(self, request: Request) -> bool:
        if self.direct(request):
            return request.headers.get("authorization") == f"Bearer {self.config.token}"
        return request.query_params.get("api_token") == self.config.token

    @staticmethod
    def direct(request: Request) -> bool:
        return request.url.path.startswith("/api/")

    def wrap(self, request: Request, body: dict[str, Any], status: int = 200) -> Response:
        if self.direct(request) or self.config.wrapper == "bare":
            return JSONResponse(body, status)
        if self.config.wrapper == "result" and status < 400:
            return JSONResponse({"message": "ok", "provider": "zai", "result": body, "response_headers": {}}, 200)
        if self.config.wrapper == "result":
            message = "Error received from the zai API"
            return JSONResponse({"message": message, "provider": "zai", "error": body, "headers": {}}, status)
        return JSONResponse({"data": body}, status)

    def refuse(self, request: Request, status: int, code: str | None, message: str) -> Response:
        if code is None:
            return HTMLResponse(message, status)
        body: dict[str, Any] = {"error": {"code": code, "message": message}}
        if code == "1301":
            body["contentFilter"] = [{"role": "user", "level": 1}]
        return self.wrap(request, body, status)

    async def paid(self, request: Request, endpoint: str) -> Response:
        """The life of a POST that costs money, with the points at which faults act."""
        if not self.authorised(request):
            return self.refuse(request, 401, "1002", "Authorization Token is invalid, or missing")
        raw, body, upload = await read_body(request)
        subject = upload[0] if upload else str(body.get("prompt") or "")
        entry = self.world.record(
            endpoint=endpoint,
            path=request.url.path,
            model=str(body.get("model")),
            subject=subject[:200],
            request_id=body.get("request_id"),
            body_sha256=hashlib.sha256(raw).hexdigest(),
        )
        call = {"endpoint": endpoint, "model": body.get("model"), "prompt": subject}
        try:
            response = await self.accept(request, endpoint, entry, body, upload, call)
        except Refused as no:
            entry.status, entry.code = no.status, no.code
            return self.refuse(request, no.status, no.code, no.message)
        entry.status = response.status_code
        return response

    async def accept(  # noqa: PLR0917 - one call's parts
        self,
        request: Request,
        endpoint: str,
        entry: Entry,
        body: dict[str, Any],
        upload: tuple[str, bytes] | None,
        call: dict[str, Any],
    ) -> Response:
        if found := self.faults.find("before", **call):
            await self.play_before(found[0], found[1])
        refusal = getattr(checks, endpoint)(body)
        if refusal:
            raise Refused(400, *refusal)
        model = str(body["model"])
        if not self.world.enter(model):
            raise Refused(429, "1302", f"Your account has reached the concurrency limit of {model}")
        try:
            result = await getattr(self, endpoint)(request, entry, body, upload)
        finally:
            self.world.leave(model)
        if found := self.faults.find("after", **call):
            return await self.play_after(request, found[0])
        return self.answer(request, result, call)

    async def play_before(self, fault: str, params: dict[str, Any]) -> None:
        if fault == "reset_before":
            cut()
        status, code, message = REFUSALS[fault]
        raise Refused(status, code, params.get("message", message))

    async def play_after(self, request: Request, fault: str) -> Response:
        match fault:
            case "reset_after":
                cut()
            case "hang_after":
                await request_gone(request)
            case "bad_gateway_after":
                return HTMLResponse(REFUSALS["bad_gateway"][2], 502)
        return self.refuse(request, 500, "1234", "Network error")

    def answer(self, request: Request, result: dict[str, Any], call: dict[str, Any]) -> Response:
        found = self.faults.find("answer", **call)
        fault = found[0] if found else ""
        if fault == "base64" and "data" in result:
            images = [b64encode(media.png("base64", str(call["prompt"]), "256x256")).decode()]
            result = {**result, "data": [{"b64_json": image} for image in images]}
        if fault == "no_data" and "data" in result:
            result = {**result, "data": []}
        if fault == "numeric_id" and "id" in result:
            number = int(hashlib.sha256(result["id"].encode()).hexdigest()[:15], 16) + 10**18
            self.world.tasks[str(number)] = self.world.tasks[result["id"]]
            result = {**result, "id": number}
        if fault == "error_in_200":
            return self.wrap(request, {"error": {"code": "1234", "message": "Network error"}})
        response = self.wrap(request, result)
        match fault:
            case "truncated":
                return Response(bytes(response.body)[: len(bytes(response.body)) // 2], media_type="application/json")
            case "html":
                return HTMLResponse("<html><body>Welcome</body></html>")
            case "empty":
                return Response(b"", media_type="application/json")
        return response

    # -- the paid endpoints: each charges when it accepts ---------------------------------------

    async def image(
        self, request: Request, entry: Entry, body: dict[str, Any], _upload: tuple[str, bytes] | None
    ) -> dict[str, Any]:
        world = self.world
        task = self.make_task(entry, "image", body, world.seconds("image_hd" if slow(body) else "image"), sync=True)
        world.charge(entry, task.id)
        await asyncio.sleep(task.done_at - world.now())
        url = f"{request.url.scheme}://{request.url.netloc}/files/{task.id}.png"
        return {
            "created": int(world.now()),
            "id": task.id,
            "request_id": task.request_id or task.id,
            "data": [{"url": url}],
            "content_filter": [{"role": "assistant", "level": 3}],
        }

    async def image_async(
        self, _request: Request, entry: Entry, body: dict[str, Any], _upload: tuple[str, bytes] | None
    ) -> dict[str, Any]:
        return await self.start_task(entry, "image", body)

    async def video(
        self, _request: Request, entry: Entry, body: dict[str, Any], _upload: tuple[str, bytes] | None
    ) -> dict[str, Any]:
        return await self.start_task(entry, "video", body)

    async def start_task(self, entry: Entry, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(self.world.seconds("submit"))
        task = self.make_task(entry, kind, body, self.world.seconds("video" if kind == "video" else "image_hd"))
        self.world.charge(entry, task.id)
        return {
            "model": task.model,
            "id": task.id,
            "request_id": task.request_id or task.id,
            "task_status": "PROCESSING",
        }

    async def transcription(
        self, _request: Request, entry: Entry, body: dict[str, Any], upload: tuple[str, bytes] | None
    ) -> dict[str, Any]:
        if upload is None:
            raise Refused(400, "1213", "The parameter file is missing")
        if len(upload[1]) > MAX_UPLOAD_BYTES:
            raise Refused(413, None, "<html><body><h1>413 Request Entity Too Large</h1></body></html>")
        text, refusal = await asyncio.to_thread(checks.listen, upload[1])
        if refusal:
            raise Refused(400, *refusal)
        self.world.charge(entry, None)
        await asyncio.sleep(self.world.seconds("transcription"))
        return {
            "id": self.world.new_id(),
            "created": int(self.world.now()),
            "request_id": body.get("request_id"),
            "model": body["model"],
            "text": text,
        }

    def make_task(self, entry: Entry, kind: str, body: dict[str, Any], seconds: float, *, sync: bool = False) -> Task:
        task = Task(
            id=self.world.new_id(),
            kind=kind,
            model=str(body["model"]),
            prompt=str(body.get("prompt") or ""),
            size=str(body.get("size") or ("1280x720" if kind == "video" else "1024x1024")),
            done_at=self.world.now() + seconds,
            request_id=entry.request_id,
        )
        self.world.add(task, holds_slot=not sync)
        return task

    # -- polls and files ------------------------------------------------------------------------

    async def result(self, request: Request) -> Response:
        """New format: the id in the path. Old: `async-result/id?id=…`, which a gateway of one format misreads."""
        if not self.authorised(request):
            return self.refuse(request, 401, "1002", "Authorization Token is invalid, or missing")
        task_id = request.path_params["id"]
        old = task_id == "id" and "id" in request.query_params and not self.direct(request)
        if not self.direct(request) and self.config.formats == ("new" if old else "old"):
            return JSONResponse({"message": "Not Found"}, 404)
        task = self.world.tasks.get(request.query_params["id"] if old else task_id)
        if task is None:
            return self.refuse(request, 400, "1233", f"Task {task_id} does not exist")
        found = self.faults.find("poll", endpoint="async_result", model=task.model, prompt=task.prompt)
        task.polls += 1
        return self.report(request, task, *(found or ("", {})))

    def report(self, request: Request, task: Task, fault: str, params: dict[str, Any]) -> Response:
        body: dict[str, Any] = {"model": task.model, "request_id": task.request_id or task.id}
        done = self.world.now() >= task.done_at
        if fault == "unknown_at_first" and task.polls <= int(params.get("value") or 2):
            return self.refuse(request, 400, "1233", f"Task {task.id} does not exist")
        if fault == "odd_status" and not done:
            return self.wrap(request, {**body, "task_status": [None, "QUEUED", "processing"][task.polls % 3]})
        if not done:
            return self.wrap(request, {**body, "task_status": "PROCESSING"})
        if fault == "remote_fail":
            error = {"code": "1301", "message": "The video was refused"}
            return self.wrap(request, {**body, "task_status": "FAIL", "error": error})
        base = f"{request.url.scheme}://{request.url.netloc}/files/{task.id}"
        if task.kind == "image":
            return self.wrap(request, {**body, "task_status": "SUCCESS", "image_result": [{"url": f"{base}.png"}]})
        entries = [{"url": f"{base}.mp4", "cover_image_url": f"{base}.png"}]
        if fault == "success_without_url" and task.polls <= int(params.get("value") or 3):
            entries = []
        return self.wrap(request, {**body, "task_status": "SUCCESS", "video_result": entries})

    async def file(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        task = self.world.tasks.get(name.rpartition(".")[0])
        now = self.world.now()
        if task is None or now < task.done_at or now > task.done_at + self.config.file_ttl_s / self.world.speed:
            return JSONResponse(FILE_MISSING, 404)
        self.file_fetches[name] = self.file_fetches.get(name, 0) + 1
        fault, params = self.faults.find("file", endpoint="file", model=task.model, prompt=task.prompt) or ("", {})
        make = media.mp4 if name.endswith(".mp4") else media.png
        if self.world.latency is not None:
            data = media.png("plain", "", "64x64") if make is media.png else media.mp4("plain", "", "256x256")
        else:
            data = await asyncio.to_thread(make, task.id, task.prompt, task.size)
        match fault:
            case "not_there_yet" if self.file_fetches[name] <= int(params.get("value") or 2):
                return JSONResponse(FILE_MISSING, 404)
            case "gone":
                return JSONResponse(FILE_MISSING, 404)
            case "html_file":
                return HTMLResponse("<html><body>Sign in</body></html>")
            case "empty_file":
                return Response(b"", media_type="image/png")
            case "short_file" if self.file_fetches[name] <= int(params.get("value") or 2):
                # Less than was promised, then the connection ends.
                held = transport.get()
                head = f"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: {len(data)}\r\n\r\n".encode()
                held.write(head + data[: len(data) // 2])
                held.close()
                await asyncio.sleep(3600)
        return Response(data, media_type="video/mp4" if name.endswith(".mp4") else "image/png")

    # -- for tests --------------------------------------------------------------------------------

    async def ledger(self, request: Request) -> Response:
        entries = [asdict(entry) for entry in self.world.ledger]
        if "summary" not in request.query_params:
            return JSONResponse(entries)
        charged = [entry for entry in self.world.ledger if entry.charged]
        return JSONResponse(
            {
                "received": len(entries),
                "accepted": sum(entry.accepted for entry in self.world.ledger),
                "charged": len(charged),
                "cost": round(sum(entry.cost for entry in charged), 6),
                "max_in_flight": self.world.max_in_flight,
            }
        )

    async def change_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.rules.clear()
        if request.method == "POST":
            try:
                self.faults.add(await request.json())
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse([asdict(rule) for rule in self.faults.rules])

    async def change_limits(self, request: Request) -> Response:
        self.world.limits.update(await request.json())
        return JSONResponse(self.world.limits)

    async def reset(self, _request: Request) -> Response:
        self.world.reset()
        self.faults.rules.clear()
        return JSONResponse({"reset": True})

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"ok": True})


def slow(body: dict[str, Any]) -> bool:
    return body.get("quality") == "hd" or body.get("model") == "glm-image"


def cut() -> None:
    """End the connection at once: the client sees a reset, and nothing of the answer."""
    transport.get().abort()
    raise Refused(499, None, "")


async def request_gone(request: Request) -> None:
    """Say nothing until the client has given up."""
    while not await request.is_disconnected():  # noqa: ASYNC110 - the server tells by being asked
        await asyncio.sleep(0.1)


async def read_body(request: Request) -> tuple[bytes, dict[str, Any], tuple[str, bytes] | None]:
    """The raw body, its fields, and the uploaded file (name, bytes) of a multipart one."""
    raw = await request.body()
    if request.headers.get("content-type", "").startswith("multipart/"):
        form = await request.form()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        file = form.get("file")
        upload = None if file is None or isinstance(file, str) else (file.filename or "", await file.read())
        return raw, fields, upload
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        body = {}
    return raw, body if isinstance(body, dict) else {}, None


#: endpoint → (proxy path below /zai, direct path), by the seed and docs.z.ai.
PAID = {
    "image": ("/api/paas/v4/generate/image", "/api/paas/v4/images/generations"),
    "image_async": (None, "/api/paas/v4/async/images/generations"),
    "video": ("/api/paas/v4/videos/generations", "/api/paas/v4/videos/generations"),
    "transcription": ("/api/paas/v4/audio/transcriptions", "/api/paas/v4/audio/transcriptions"),
}


def make_app(sandbox: Sandbox) -> Starlette:
    def paid(endpoint: str) -> Any:
        async def handle(request: Request) -> Response:
            return await sandbox.paid(request, endpoint)

        return handle

    async def nothing(_request: Request, _error: Exception) -> Response:
        return JSONResponse({"message": "Not Found"}, 404)

    routes = [
        Route(path, paid(endpoint), methods=["POST"])
        for endpoint, (proxy, direct) in PAID.items()
        for path in ([f"/zai{proxy}"] if proxy else []) + [direct]
    ]
    routes += [Route(f"{base}/api/paas/v4/async-result/{{id}}", sandbox.result) for base in ("/zai", "")]
    routes += [
        Route("/files/{name}", sandbox.file),
        Route("/_ledger", sandbox.ledger),
        Route("/_faults", sandbox.change_faults, methods=["GET", "POST", "DELETE"]),
        Route("/_limits", sandbox.change_limits, methods=["POST"]),
        Route("/_reset", sandbox.reset, methods=["POST"]),
        Route("/_health", sandbox.health),
    ]
    return Starlette(routes=routes, exception_handlers={404: nothing})
