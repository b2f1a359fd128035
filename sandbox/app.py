"""The stand-in for the API: the proxy's paths and Z.AI's own, and who answers them."""

from collections.abc import Awaitable, Callable, Iterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.calls import Calls
from sandbox.control import Control
from sandbox.files import Files
from sandbox.lists import Lists
from sandbox.posts import POSTS
from sandbox.results import Results
from sandbox.rules import Faults
from sandbox.world import World

Handler = Callable[[Request], Awaitable[Response]]


def make_app(world: World, faults: Faults) -> Starlette:
    calls, results, files = Calls(world, faults), Results(world, faults), Files(world, faults)

    async def nothing(_request: Request, _error: Exception) -> Response:
        return JSONResponse({"message": "Not Found"}, 404)

    routes = [Route(f"/{folder}/{{name}}", files.file) for folder in ("files", "signed")]
    routes += Lists(world, faults).routes()
    return Starlette(
        routes=[*posts(calls), *polls(results), *routes, *Control(world, faults).routes()],
        exception_handlers={404: nothing},
    )


def posts(calls: Calls) -> Iterator[Route]:
    def handler(endpoint: str) -> Handler:
        async def handle(request: Request) -> Response:
            return await calls.take(request, endpoint)

        return handle

    for endpoint, post in POSTS.items():
        for path in [*(f"/zai{each}" for each in (post.proxy, post.old_proxy) if each), post.direct]:
            yield Route(path, handler(endpoint), methods=["POST"])


def polls(results: Results) -> Iterator[Route]:
    for base in ("/zai/api", "/api"):
        yield Route(f"{base}/paas/v4/async-result/{{id}}", results.result)
    for base in ("/zai/api", "/zai", "/api"):
        yield Route(f"{base}/v1/agents/async-result", results.agent_result, methods=["POST"])
        yield Route(f"{base}/v1/agents/conversation", results.agent_history, methods=["POST"])
