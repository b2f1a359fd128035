"""Faults that answer in place of the work: before it (nothing is charged) or after it (all is)."""

from collections.abc import Callable
from dataclasses import replace

from starlette.responses import JSONResponse, RedirectResponse, Response

from sandbox.refusals import REFUSALS, Refusal, shaped, with_value
from sandbox.scene import Scene
from sandbox.wire import Raw, cut

Said = Response | Refusal | None
Early = Callable[[Scene], Said]

FILE_MISSING = {"RetCode": -148654, "ErrMsg": "file not exist"}
EXPIRED_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message>'
    "</Error>"
)
#: A link-local address that clouds keep secrets at: nobody may be sent there.
PRIVATE_URL = "http://169.254.169.254/latest/meta-data/"


def refuses(refusal: Refusal) -> Early:
    def say(scene: Scene) -> Said:
        made = with_value(refusal, scene.value)
        return replace(made, message=scene.params["message"]) if "message" in scene.params else made

    return say


def odd_error(shape: str) -> Early:
    """VALUE: the code of the error whose shape is odd."""
    return lambda scene: shaped(shape, scene.value)


def ends(how: str) -> Early:
    """No answer: "reset", "close" (a clean end) or "hang"."""
    return lambda _scene: cut(how)


def tls_abort(_scene: Scene) -> Response:
    """The bytes of a TLS alert where HTTP should be."""
    return Raw([b"\x15\x03\x01\x00\x02\x02\x28"], end="reset", status=499)


def redirect(status: int) -> Early:
    """To the same path, so that a client that follows is seen to come again."""

    def say(scene: Scene) -> Said:
        url = scene.request.url.include_query_params(redirected=1)
        return None if "redirected" in scene.request.query_params else RedirectResponse(str(url), status)

    return say


# -- polls -----------------------------------------------------------------------------------------


def at_first(says: Early) -> Early:
    """Only on the task's first VALUE (2) polls."""
    return lambda scene: says(scene) if scene.task and scene.task.polls <= scene.number(2) else None


def unknown_task(scene: Scene) -> Refusal:
    return replace(REFUSALS["unknown_task"], message=f"Task {scene.asked} does not exist")


def not_found(_scene: Scene) -> Response:
    return JSONResponse({"error": {"message": "Not Found"}}, 404)


def nothing(_scene: Scene) -> Response:
    return JSONResponse({})


def literal_id(scene: Scene) -> Said:
    """A gateway of the new format alone asks Z.AI for the task "id"."""
    scene.asked = str(scene.request.path_params.get("id"))
    return unknown_task(scene) if scene.asked == "id" else None


def new_format_hangs(scene: Scene) -> Said:
    """The old gateway's handler of the new format throws before it answers."""
    return None if scene.direct or scene.request.path_params.get("id") == "id" else cut("hang")


# -- files -----------------------------------------------------------------------------------------


def missing_file(_scene: Scene) -> Response:
    return JSONResponse(FILE_MISSING, 404)


def not_there_yet(scene: Scene) -> Said:
    return missing_file(scene) if scene.count <= scene.number(2) else None


def expired_xml(_scene: Scene) -> Response:
    return Response(EXPIRED_XML, 403, media_type="application/xml")


def redirect_file(scene: Scene) -> Said:
    """To a signed address, as an object store has."""
    if scene.request.scope["path"].startswith("/signed/"):
        return None
    name = scene.request.path_params["name"]
    return RedirectResponse(f"/signed/{name}?Signature=abc%2Fdef%3D&Expires=4102444800", 302)


def redirect_loop(scene: Scene) -> Response:
    return RedirectResponse(str(scene.request.url), 302)


def range_ignored(_scene: Scene, _asked: str | None) -> None:
    """The whole file, with 200, whatever part was asked for."""


def redirect_private(scene: Scene) -> Response:
    """VALUE: the address to be sent to."""
    return RedirectResponse(scene.value or PRIVATE_URL, 302)
