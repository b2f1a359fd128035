"""The wrappers that the proxy puts round answers, and the shapes of errors."""

import json
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from sandbox.refusals import Refusal
from sandbox.scene import Scene


class Json(JSONResponse):
    """Takes text that cannot be UTF-8: half of a surrogate pair goes out as an escape."""

    def render(self, content: Any) -> bytes:
        try:
            return super().render(content)
        except UnicodeEncodeError:
            return json.dumps(content).encode()


def wrapped(scene: Scene, body: dict[str, Any] | list[Any]) -> Response:
    """A success, as its side of the API writes it."""
    match scene.wrapper:
        case "data":
            return Json({"data": body})
        case "result":
            return Json({"message": "ok", "provider": "zai", "result": body, "response_headers": {}})
        case "double":
            return Json({"data": {"data": body}})
    return Json(body)


def refused(scene: Scene, refusal: Refusal) -> Response:
    """An error. Behind the wrapper `result`, the upstream's headers lie inside the body."""
    headers = {"Retry-After": refusal.retry_after} if refusal.retry_after is not None else {}
    if refusal.own:
        return Json(proxys_own(scene, refusal), refusal.status, headers)
    if refusal.code is None and refusal.body is None:
        return HTMLResponse(refusal.message, refusal.status, headers)
    body = refusal.body or {"error": {"code": refusal.code, "message": refusal.message}}
    if refusal.code == "1301":
        body = {**body, "contentFilter": [{"role": "user", "level": 1}]}
    match scene.wrapper:
        case "data":
            return Json({"data": body}, refusal.status, headers)
        case "double":
            return Json({"data": {"data": body}}, refusal.status, headers)
        case "result":
            inside = {name.lower(): value for name, value in headers.items()}
            message = "Error received from the zai API"
            return Json({"message": message, "provider": "zai", "error": body, "headers": inside}, refusal.status)
    return Json(body, refusal.status, headers)


def proxys_own(scene: Scene, refusal: Refusal) -> dict[str, Any]:
    """What the proxy says of itself: in full, it echoes headers and query, the token with them."""
    if refusal.own == "plain":
        return {"message": refusal.message}
    request = scene.request
    logging = {
        "method": request.method,
        "path": request.url.path,
        "headers": dict(request.headers),
        "query": dict(request.query_params),
    }
    error = {"code": refusal.status, "message": refusal.message, "logging": logging}
    return {"message": refusal.message, "provider": "zai", "error": error}
