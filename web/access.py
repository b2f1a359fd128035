"""Who asks, and what they may do: by a key in the Authorization header, or by the cookie of a login.

As long as there is no key at all, whoever reaches the application on this machine's own address may do everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection

from web.problems import ProblemError
from worker import keys
from worker.keys import Holder, Role
from worker.settings import LOOPBACK, Settings
from worker.trail import Actor

COOKIE = "mediajobs_session"
LOCAL = "local"
#: Headers of proxies: what comes through one may come from anywhere.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made the request: a key's name, or `local` where none is asked for.

    `via`: api or dashboard. `session`: logged in by a browser, so that there is something to log out of.
    """

    name: str
    role: Role
    via: str
    session: bool = False

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.via)

    def may(self, needed: str) -> bool:
        """For pages: what to show."""
        return self.role.may(Role(needed))


def caller(request: Request) -> Caller:
    """Raises ProblemError: 401 without a key or with a wrong one, 429 after too many wrong ones."""
    with request.app.state.engine.begin() as conn:
        return recognised(conn, request)


def recognised(conn: Connection, request: Request) -> Caller:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if key and scheme.lower() == "bearer":
        holder = tried(conn, request, key.strip())
        return Caller(holder.name, holder.role, "api")
    if (secret := request.cookies.get(COOKIE)) and (known := keys.holder_of_session(conn, secret)):
        return Caller(known.name, known.role, "dashboard", session=True)
    if is_open(conn, request):
        return Caller(LOCAL, Role.ADMIN, "api" if request.url.path.startswith("/api/") else "dashboard")
    raise ProblemError(
        401,
        "no_key",
        "send a key: `Authorization: Bearer mj_…`; `mediajobs keys add` makes one",
        headers={"WWW-Authenticate": "Bearer"},
    )


def tried(conn: Connection, request: Request, key: str) -> Holder:
    """Whose key it is. Raises ProblemError."""
    throttle, address = request.app.state.throttle, address_of(request)
    if (wait_s := throttle.wait_s(address)) > 0:
        raise ProblemError(
            429, "too_many_tries", f"too many wrong keys from {address}; try again in {wait_s:.0f} s",
            headers={"Retry-After": str(ceil(wait_s))},
        )  # fmt: skip
    holder = keys.holder_of_key(conn, key)
    if holder is None:
        throttle.failed(address)
        raise ProblemError(401, "wrong_key", "this key is not known", headers={"WWW-Authenticate": "Bearer"})
    return holder


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def is_open(conn: Connection, request: Request) -> bool:
    """Whether anybody may do everything: at this machine's own address, without a proxy, while there is no key."""
    config: Settings = request.app.state.settings
    alone = config.web_host in LOOPBACK and not config.web_url
    return alone and not any(name in request.headers for name in FORWARDED) and not keys.any_key(conn)


def needs(role: Role) -> Callable[[Caller], Caller]:
    def check(found: Annotated[Caller, Depends(caller)]) -> Caller:
        if not found.role.may(role):
            raise ProblemError(403, "role", f"this takes the role {role}; {found.name!r} is {found.role}")
        return found

    return check


#: Handlers ask for one of these.
Viewer = Annotated[Caller, Depends(needs(Role.VIEWER))]
Operator = Annotated[Caller, Depends(needs(Role.OPERATOR))]
Admin = Annotated[Caller, Depends(needs(Role.ADMIN))]
