"""The stand-in for the API: the proxy's paths and Z.AI's own, and who answers them."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.calls import Calls
from sandbox.control import Control
from sandbox.files import Files
from sandbox.results import Results
from sandbox.rules import Faults
from sandbox.world import World

#: endpoint → (proxy path below /zai, direct path), by the seed and docs.z.ai.
PAID = {
    "image": ("/api/paas/v4/generate/image", "/api/paas/v4/images/generations"),
    "image_async": (None, "/api/paas/v4/async/images/generations"),
    "video": ("/api/paas/v4/videos/generations", "/api/paas/v4/videos/generations"),
    "transcription": ("/api/paas/v4/audio/transcriptions", "/api/paas/v4/audio/transcriptions"),
}


def make_app(world: World, faults: Faults) -> Starlette:
    calls, results, files = Calls(world, faults), Results(world, faults), Files(world, faults)

    def paid(endpoint: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            return await calls.paid(request, endpoint)

        return handle

    async def nothing(_request: Request, _error: Exception) -> Response:
        return JSONResponse({"message": "Not Found"}, 404)

    routes = [
        Route(path, paid(endpoint), methods=["POST"])
        for endpoint, (proxy, direct) in PAID.items()
        for path in ([f"/zai{proxy}"] if proxy else []) + [direct]
    ]
    routes += [Route(f"{base}/api/paas/v4/async-result/{{id}}", results.result) for base in ("/zai", "")]
    routes += [Route(f"/{folder}/{{name}}", files.file) for folder in ("files", "signed")]
    return Starlette(routes=[*routes, *Control(world, faults).routes()], exception_handlers={404: nothing})
