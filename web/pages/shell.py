"""What pages share: how they are shown, and how they are kept up to date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi import Response
from sqlalchemy import Connection

from web.access import Caller
from web.problems import ProblemError
from web.templating import page, templates
from web.wiring import Parts

#: What a page is asked for, by its URL: path parameters and query.
Query = Mapping[str, str]
Read = Callable[[Connection, Query, Parts], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class View:
    """A page that lives. `read`: what its templates show; `parts`: those that change, each with an id of its own."""

    read: Read
    parts: tuple[str, ...]

    def render(self, conn: Connection, query: Query, wired: Parts) -> list[str]:
        values = self.read(conn, query, wired)
        return [templates.get_template(part).render(**values) for part in self.parts]


#: By name, as in /live/NAME. What is here is the same for everybody: who may do what is no part of it.
VIEWS: dict[str, View] = {}


def live(name: str, *parts: str) -> Callable[[Read], View]:
    def made(read: Read) -> View:
        VIEWS[name] = View(read, parts)
        return VIEWS[name]

    return made


def show(
    template: str,
    conn: Connection,
    wired: Parts,
    caller: Caller,
    *,
    here: str,
    view: str,
    query: Query | None = None,
    **more: Any,
) -> Response:
    """A whole page; `here`: the path of its place in the navigation."""
    query = query or {}
    url = f"/live/{view}?{urlencode(query)}" if query else f"/live/{view}"
    return page(template, caller=caller, here=here, live=url, **VIEWS[view].read(conn, query, wired), **more)


def positive(given: str | None, what: str) -> int | None:
    """A number from a URL; None where nothing is given. Raises ProblemError."""
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise ProblemError(422, "invalid_request", f"{what}: {given!r} is no number")
    return int(given)


def missing(what: str) -> ProblemError:
    return ProblemError(404, "not_found", f"there is no {what}")
