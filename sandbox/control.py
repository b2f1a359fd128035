"""For tests and demos: what the sandbox has seen, and how it is to behave from now on."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.envelope import Json
from sandbox.rules import Faults
from sandbox.world import World


class Control:
    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    def routes(self) -> list[Route]:
        def setting(path: str, change: Callable[[Any], None], known: Callable[[], Any]) -> Route:
            """GET tells it; POST changes it, and tells it."""

            async def handle(request: Request) -> Response:
                if request.method == "POST":
                    try:
                        change(await request.json())
                    except (ValueError, TypeError, KeyError) as error:
                        return Json({"error": str(error)}, 400)
                    self.world.keep_settings()
                elif request.method == "DELETE":
                    self.faults.rules.clear()
                return Json(known())

            return Route(path, handle, methods=["GET", "POST", *(["DELETE"] if path == "/_faults" else [])])

        world = self.world
        return [
            setting("/_faults", self.faults.add, self.faults.known),
            setting("/_limits", world.limits.change, world.limits.known),
            setting("/_account", world.account.change, world.account.known),
            setting("/_config", world.config.change, world.config.known),
            setting("/_clock", world.advance, lambda: {"now": world.now(), "ahead_s": world.ahead_s}),
            Route("/_ledger", self.ledger),
            Route("/_reset", self.reset, methods=["POST"]),
            Route("/_health", self.health),
        ]

    async def ledger(self, request: Request) -> Response:
        """`since`: Unix seconds, of the sandbox's clock."""
        asked = request.query_params
        since = float(asked.get("since", 0))
        if "summary" in asked:
            summary = self.world.ledger.summary(since=since)
            world = self.world
            return Json({**summary, "max_in_flight": world.limits.max_in_flight, "polls": world.polls})
        return Json([asdict(entry) for entry in self.world.ledger.entries if entry.at >= since])

    async def reset(self, _request: Request) -> Response:
        self.world.reset()
        self.faults.rules.clear()
        return Json({"reset": True})

    async def health(self, _request: Request) -> Response:
        return Json({"ok": True})
