"""What there is to be read: the models, the proxy's description of itself, and another provider behind it."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import definitions, envelope
from sandbox.checks import ASR_MODELS, IMAGE_MODELS, VIDEO_MODELS
from sandbox.envelope import Json
from sandbox.prices import CHAT_MODELS
from sandbox.refusals import REFUSALS, Refusal
from sandbox.rules import Faults
from sandbox.scene import Scene, token_of
from sandbox.work import base_url
from sandbox.world import World

UNKNOWN_PROVIDER = {"message": "Invalid request for OpenAPI specs"}


class Lists:
    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    def routes(self) -> list[Route]:
        return [
            Route("/zai/v1/models", self.models),
            Route("/api/paas/v4/models", self.models),
            Route("/{provider}/openapi", self.openapi),
            Route("/{provider}/definition", self.definition),
            Route("/echo/resource", self.echo_all),
            Route("/echo/resource/{id}", self.echo, methods=["GET", "POST"]),
        ]

    async def models(self, request: Request) -> Response:
        names = sorted({*CHAT_MODELS, *IMAGE_MODELS, *VIDEO_MODELS, *ASR_MODELS})
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": "z-ai"} for name in names]
        return self.told(request, "models", {"object": "list", "data": listed})

    async def openapi(self, request: Request) -> Response:
        return self.described(request, "new")

    async def definition(self, request: Request) -> Response:
        return self.described(request, "old")

    def described(self, request: Request, form: str) -> Response:
        """Without a wrapper and without a token."""
        if self.world.config.formats not in ("both", form):
            return envelope.refused(Scene(self.world, request, "definition"), REFUSALS["proxy_not_found"])
        if request.path_params["provider"] != "zai":
            return Json(UNKNOWN_PROVIDER, 422)
        make = definitions.openapi if form == "new" else definitions.definition
        return Json(make(self.world.config.definition, f"{base_url(request)}/zai"))

    # -- another provider behind the proxy: it says what it was asked ------------------------------------

    async def echo_all(self, request: Request) -> Response:
        return self.told(request, "echo", [{"id": "1"}, {"id": "2"}])

    async def echo(self, request: Request) -> Response:
        """The seed's own example: new `/resource/{id}`, old `/resource/id?id={id}`."""
        query = {name: value for name, value in request.query_params.items() if name != "api_token"}
        old = request.path_params["id"] == "id" and "id" in query
        body = await request.body()
        said = {
            "id": query.pop("id") if old else request.path_params["id"],
            "format": "old" if old else "new",
            "method": request.method,
            "query": query,
            "body": json.loads(body) if body else None,
        }
        return self.told(request, "echo", said, form="old" if old else "new")

    def told(self, request: Request, endpoint: str, body: Any, form: str = "both") -> Response:
        scene = Scene(self.world, request, endpoint)
        scene.wrapper = "bare" if scene.direct else self.world.config.wrapper
        said: Refusal | Response | None = self.world.account.refusal(
            token_of(request), "", direct=scene.direct, paid=False
        )
        if said is None and form != "both" and self.world.config.formats not in ("both", form):
            said = REFUSALS["proxy_not_found"]
        said = said or self.faults.first("before", scene)
        if isinstance(said, Refusal):
            return envelope.refused(scene, said)
        return said or self.faults.change("wire", scene, envelope.wrapped(scene, body))
