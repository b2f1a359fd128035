"""Who asks, and what they may do."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request

from web.problems import ProblemError


class Role(StrEnum):
    """Each may do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made the request: a key's name, or `local` where none is asked for."""

    name: str
    role: Role


def caller(request: Request) -> Caller:  # noqa: ARG001 - keys come next
    return Caller("local", Role.ADMIN)


def needs(role: Role) -> Callable[[Caller], Caller]:
    def check(found: Annotated[Caller, Depends(caller)]) -> Caller:
        if not found.role.may(role):
            raise ProblemError(403, "role", f"this takes the role {role}; {found.name} has {found.role}")
        return found

    return check


#: Handlers ask for one of these.
Viewer = Annotated[Caller, Depends(needs(Role.VIEWER))]
Operator = Annotated[Caller, Depends(needs(Role.OPERATOR))]
Admin = Annotated[Caller, Depends(needs(Role.ADMIN))]
