"""Logging in and out: a key for a cookie."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse

from web.access import COOKIE, Door, address_of
from web.problems import ProblemError
from web.templating import page
from worker import keys
from worker.trail import Actor, note

router = APIRouter(include_in_schema=False)


@router.get("/login")
def show(next: str = "/") -> Any:  # noqa: A002 - the field's name
    return page("login.html", next=local(next), wrong=None)


@router.post("/login")
def log_in(
    request: Request,
    key: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form()] = "/",  # noqa: A002 - as above
) -> Any:
    door: Door = request.app.state.door
    # Raised within, a problem would undo nothing that matters; the entry and the session belong together.
    with request.app.state.engine.begin() as conn:
        try:
            holder = door.tried(conn, address_of(request), key.strip())
        except ProblemError as problem:
            answer = page("login.html", status=problem.status, next=local(next), wrong=problem.detail)
            answer.headers.update(problem.headers)
            return answer
        secret = keys.open_session(conn, holder.key_id)
        note(conn, Actor(holder.name, "dashboard"), "log in")
    answer = RedirectResponse(local(next), 303)
    answer.set_cookie(
        COOKIE, secret, max_age=keys.SESSION_S, httponly=True, samesite="lax", secure=is_https(request), path="/"
    )
    return answer


@router.post("/logout")
def log_out(request: Request) -> Any:
    if secret := request.cookies.get(COOKIE):
        with request.app.state.engine.begin() as conn:
            keys.close_session(conn, secret)
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=is_https(request))
    return answer


def is_https(request: Request) -> bool:
    return request.url.scheme == "https" or (request.app.state.settings.web_url or "").startswith("https://")


def local(place: str) -> str:
    """A path of ours; for anything else the first page: nobody is led away from a login."""
    plain = place.startswith("/") and not place.startswith(("//", "/\\")) and place.isprintable()
    return place if plain else "/"
