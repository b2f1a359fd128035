"""Who asks, and what they may do: by a key in the Authorization header, or by the cookie of a login.

As long as there is no key at all, whoever reaches the application on this machine's own address may do everything.
"""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection

from web.problems import ProblemError
from web.throttle import Throttle
from worker import keys
from worker.keys import Holder, Role
from worker.trail import Actor

COOKIE = "mediajobs_session"
LOCAL = "local"
#: Headers of proxies: what comes through one may come from anywhere.
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made the request: a key's name, or `local` where none is asked for.

    `via`: api, dashboard or Flower. `session`: logged in by a browser, so that there is something to log out of.
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


@dataclass(frozen=True, slots=True)
class Asker:
    """What a request says of who makes it. `session`: its cookie; `via`: what was asked, as in Caller.

    `forwarded`: it came through a proxy, and so may come from anywhere.
    """

    authorization: str
    session: str | None
    address: str
    forwarded: bool
    via: str


@dataclass(frozen=True, slots=True)
class Door:
    """Whom an application lets in. `alone`: nothing but this machine's own processes reaches it.

    `keyless`: as long as there is no key, they are let in without one.
    """

    alone: bool
    keyless: bool = True
    throttle: Throttle = field(default_factory=Throttle)

    def recognised(self, conn: Connection, asker: Asker) -> Caller:
        """Raises ProblemError: 401 without a key or with a wrong one, 429 after too many wrong ones."""
        if key := key_in(asker.authorization):
            holder = self.tried(conn, asker.address, key)
            return Caller(holder.name, holder.role, "api" if asker.via == "dashboard" else asker.via)
        if asker.session and (known := keys.holder_of_session(conn, asker.session)):
            return Caller(known.name, known.role, "dashboard" if asker.via == "api" else asker.via, session=True)
        if self.alone and self.keyless and not asker.forwarded and not keys.any_key(conn):
            return Caller(LOCAL, Role.ADMIN, asker.via)
        raise ProblemError(
            401,
            "no_key",
            "send a key: `Authorization: Bearer mj_…`; `mediajobs keys add` makes one",
            headers={"WWW-Authenticate": "Bearer"},
        )

    def tried(self, conn: Connection, address: str, key: str) -> Holder:
        """Whose key it is. Raises ProblemError.

        A right key is let in whoever else tried wrong ones from its address, such as that of a proxy which all share:
        no key can be guessed, so the brake is against noise, and would lock out nobody but those who have one.
        """
        holder = keys.holder_of_key(conn, key)
        if holder is not None:
            return holder
        if (wait_s := self.throttle.wait_s(address)) > 0:
            raise ProblemError(
                429, "too_many_tries",
                f"this key is not known, and there were too many wrong ones from {address}; wait {ceil(wait_s)} s",
                headers={"Retry-After": str(ceil(wait_s))},
            )  # fmt: skip
        self.throttle.failed(address)
        raise ProblemError(401, "wrong_key", "this key is not known", headers={"WWW-Authenticate": "Bearer"})


def key_in(authorization: str) -> str | None:
    """The key in a header: as a token or, where a browser asks for a user and a password, as the password."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            given = b64decode(given.strip(), validate=True).decode().partition(":")[2]
        except ValueError:
            return None
    return given.strip() or None if scheme.lower() in {"bearer", "basic"} else None


def caller(request: Request) -> Caller:
    """Raises ProblemError, as Door.recognised does."""
    door: Door = request.app.state.door
    asker = Asker(
        authorization=request.headers.get("authorization", ""),
        session=request.cookies.get(COOKIE),
        address=address_of(request),
        forwarded=any(name in request.headers for name in FORWARDED),
        via="api" if request.url.path.startswith("/api/") else "dashboard",
    )
    with request.app.state.engine.begin() as conn:
        return door.recognised(conn, asker)


def address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def needs(role: Role) -> Callable[[Request, Caller], Caller]:
    def check(request: Request, found: Annotated[Caller, Depends(caller)]) -> Caller:
        request.state.caller = found  # for the page that says what went wrong
        if not found.role.may(role):
            raise ProblemError(403, "role", f"this takes the role {role}; {found.name!r} is {found.role}")
        return found

    return check


#: Handlers ask for one of these.
Viewer = Annotated[Caller, Depends(needs(Role.VIEWER))]
Operator = Annotated[Caller, Depends(needs(Role.OPERATOR))]
Admin = Annotated[Caller, Depends(needs(Role.ADMIN))]
