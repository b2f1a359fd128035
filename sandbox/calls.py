"""The life of a POST that takes work on, with the points at which faults act."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

from sandbox import envelope, work
from sandbox.chat import asks_stream
from sandbox.messages import words_of
from sandbox.posts import POSTS
from sandbox.refusals import REFUSALS, Refusal
from sandbox.rules import Faults
from sandbox.scene import Scene, is_direct, key_in, token_of
from sandbox.streams import Events
from sandbox.world import World


class Calls:
    """Each call is in the ledger before anything else happens to it."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    async def take(self, request: Request, endpoint: str) -> Response:
        if self.faults.rules and (said := self.faults.first("arrival", Scene(self.world, request, endpoint))):
            assert isinstance(said, Response)
            return said  # not received, so not in the ledger
        given = await work.read(request)
        post = POSTS[endpoint]
        words = words_of(given.fields)
        text = words if given.filename is None else f"{given.filename} {words}"
        request_id = given.fields.get("request_id")
        entry = self.world.record(
            endpoint=endpoint,
            path=request.scope["path"],
            model=str(post.limit or given.fields.get(post.model_field)),
            subject=(words if given.filename is None else given.filename)[:200],
            request_id=None if request_id is None else str(request_id),
            body_sha256=hashlib.sha256(given.raw).hexdigest(),
            fields=sorted({*given.fields, *(["file"] if given.upload is not None else [])}),
            key=key_in(text),
        )
        scene = Scene(self.world, request, endpoint, entry.model, text, entry)
        scene.wrapper = "bare" if is_direct(request) else self.world.config.wrapper
        scene.streams = asks_stream(given.fields)
        said = await self.live(scene, given)
        code = said.code if isinstance(said, Refusal) else None
        response = envelope.refused(scene, said) if isinstance(said, Refusal) else said
        self.world.answered(entry, response.status_code, code)
        return response

    async def live(self, scene: Scene, given: work.Given) -> Response | Refusal:
        """Who may, and where; faults; what is asked, limits, the work itself; then faults on its way back."""
        world, faults, entry, post = self.world, self.faults, scene.entry, POSTS[scene.endpoint]
        assert entry is not None
        token = token_of(scene.request)
        if refusal := world.account.refusal(token, entry.model, direct=scene.direct, paid=not post.free):
            return refusal
        if scene.endpoint == "code" and not world.account.plan:
            return REFUSALS["no_balance"]
        if not scene.direct and post.old_proxy and not self.knows(scene, post.old_proxy):
            return REFUSALS["proxy_not_found"]
        if said := faults.first("before", scene):
            return said
        if wrong := post.check({**given.fields, "filename": given.filename} if given.filename else given.fields):
            return Refusal(400, *wrong)
        if refusal := world.limits.enter(entry.model, world.config.retry_after):
            return refusal
        try:
            made = await post.work(scene, entry, given)
        finally:
            world.limits.leave(entry.model)
        if isinstance(made, Refusal):
            return made
        if said := faults.first("after", scene):
            return said
        made = faults.change("answer", scene, made)
        if post.events and scene.streams:
            return faults.change("wire", scene, Events(post.events(made, given.fields), scene.pace_s))
        return faults.change("wire", scene, envelope.wrapped(scene, made))

    def knows(self, scene: Scene, old_path: str) -> bool:
        """Whether the proxy knows the URL format that this call is in."""
        path: str = scene.request.scope["path"]
        return self.world.config.formats in ("both", "old" if path == f"/zai{old_path}" else "new")
