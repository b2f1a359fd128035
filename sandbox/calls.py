"""The life of a POST that costs money, with the points at which faults act."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from sandbox import checks, envelope, work
from sandbox.refusals import Refusal
from sandbox.rules import Faults
from sandbox.scene import Scene, is_direct, key_in, token_of
from sandbox.streams import streamed
from sandbox.world import World


class Calls:
    """Each call is in the ledger before anything else happens to it."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    async def paid(self, request: Request, endpoint: str) -> Response:
        if self.faults.rules and (said := self.faults.first("arrival", Scene(self.world, request, endpoint))):
            assert isinstance(said, Response)
            return said  # not received, so not in the ledger
        given = await work.read(request)
        prompt = str(given.fields.get("prompt") or "")
        text = prompt if given.filename is None else f"{given.filename} {prompt}"
        request_id = given.fields.get("request_id")
        entry = self.world.record(
            endpoint=endpoint,
            path=request.scope["path"],
            model=str(given.fields.get("model")),
            subject=(prompt if given.filename is None else given.filename)[:200],
            request_id=None if request_id is None else str(request_id),
            body_sha256=hashlib.sha256(given.raw).hexdigest(),
            key=key_in(text),
        )
        scene = Scene(self.world, request, endpoint, entry.model, text, entry)
        scene.wrapper = "bare" if is_direct(request) else self.world.config.wrapper
        said = await self.live(scene, given)
        code = said.code if isinstance(said, Refusal) else None
        response = envelope.refused(scene, said) if isinstance(said, Refusal) else said
        self.world.answered(entry, response.status_code, code)
        return response

    async def live(self, scene: Scene, given: work.Given) -> Response | Refusal:
        """Who may, faults, what is asked, limits, the work itself; then faults on its way back."""
        world, faults, entry = self.world, self.faults, scene.entry
        assert entry is not None
        token = token_of(scene.request)
        if refusal := world.account.refusal(token, entry.model, direct=scene.direct, paid=True):
            return refusal
        if said := faults.first("before", scene):
            return said
        if wrong := getattr(checks, scene.endpoint)(given.fields):
            return Refusal(400, *wrong)
        if refusal := world.limits.enter(entry.model, world.config.retry_after):
            return refusal
        try:
            made = await work.WORK[scene.endpoint](scene, entry, given)
        finally:
            world.limits.leave(entry.model)
        if isinstance(made, Refusal):
            return made
        if said := faults.first("after", scene):
            return said
        made = faults.change("answer", scene, made)
        stream = scene.endpoint == "transcription" and str(given.fields.get("stream")).lower() == "true"
        response = streamed(made) if stream else envelope.wrapped(scene, made)
        return faults.change("wire", scene, response)
