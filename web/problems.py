"""Errors as the caller sees them: problem+json (RFC 9457) under /api, a page elsewhere."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from web.templating import page
from worker.producer import KeyTakenError
from worker.report import UnknownBatchError
from worker.scheduling import BadFieldError, UnknownScheduleError
from worker.wording import explain

log = logging.getLogger(__name__)

#: Paths at which no person looks: an error is JSON, and leads to no login.
FOR_PROGRAMS = ("/api/", "/metrics")
MOST_TAKEN = 50
#: In a request of app.js: what it shows of the answer, a dialog or what became of an action.
PART = "mediajobs-part"
#: In an answer to app.js: the page to go to.
GO = "Mediajobs-Go"


class ProblemError(Exception):
    """What a request cannot have. `code` names it for programs; `more` goes into the JSON."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: dict[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers, self.more = status, code, detail, headers or {}, more


def as_response(request: Request, problem: ProblemError) -> Response:
    title = HTTPStatus(problem.status).phrase
    if request.url.path.startswith(FOR_PROGRAMS):
        content = {"type": "about:blank", "title": title, "status": problem.status, "code": problem.code,
                   "detail": problem.detail, **problem.more}  # fmt: skip
        return JSONResponse(content, problem.status, problem.headers, media_type="application/problem+json")
    if problem.code == "no_key":
        return to_login(request)
    if part := request.headers.get(PART):  # asked for by a script: a page within the page would be no answer
        template = "actions/refused.html" if part == "dialog" else "actions/told.html"
        response = page(template, status=problem.status, message=problem.detail, bad=True)
    else:
        known = {"caller": caller, "here": ""} if (caller := getattr(request.state, "caller", None)) else {}
        response = page("problem.html", status=problem.status, title=title, detail=problem.detail, **known)
    response.headers.update(problem.headers)
    return response


def to_login(request: Request) -> Response:
    """A browser that is to log in comes back to the page that it wanted; a part of a page, to the page."""
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    if PART in request.headers:
        return Response(status_code=401, headers={GO: "/login"})
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?{urlencode({'next': wanted if request.method == 'GET' else '/'})}", 303)


def problem_of(error: Exception) -> ProblemError:
    """What the caller is told of an error that was raised anywhere below."""
    match error:
        case ProblemError():
            return error
        case UnknownBatchError():
            return ProblemError(404, "unknown_batch", f"no batch has the name or id {error.given!r}")
        case UnknownScheduleError():
            return ProblemError(404, "unknown_schedule", f"there is no schedule {error.name!r}")
        case BadFieldError():
            return ProblemError(422, "invalid_request", str(error))
        case KeyTakenError():
            taken = [{"row": row, "key": key} for row, key in error.taken[:MOST_TAKEN]]
            return ProblemError(409, "key_taken", f"{error}; nothing was enqueued", taken=taken)
        case RequestValidationError():
            errors = [
                {"field": ".".join(map(str, each["loc"])).removeprefix("body."), "message": explain(each)[1]}
                for each in error.errors()
            ]
            said = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
            return ProblemError(422, "invalid_request", said, errors=errors)
        case HTTPException():
            code = HTTPStatus(error.status_code).name.lower()
            return ProblemError(error.status_code, code, str(error.detail), headers=dict(error.headers or {}))
        case OperationalError():
            log.warning("database: %s", error.orig)
            return ProblemError(503, "database_away", "the database does not answer", headers={"Retry-After": "5"})
        case _:
            return ProblemError(500, "internal_error", "this is a fault of mediajobs; its log has more")


def add_handlers(app: FastAPI) -> None:
    async def handle(request: Request, error: Exception) -> Response:
        return as_response(request, problem_of(error))

    known = (
        ProblemError, UnknownBatchError, UnknownScheduleError, BadFieldError, KeyTakenError, RequestValidationError,
        HTTPException, OperationalError, Exception,
    )  # fmt: skip
    for kind in known:
        app.add_exception_handler(kind, handle)
