"""Keys, who holds them, and what they did."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from web.access import Admin, Viewer
from web.api import shapes
from web.api.once import Doing
from web.api.steer import Asked
from web.database import Database
from web.problems import ProblemError
from worker.keys import KeyNameTakenError, Role
from worker.keys import keys as read_keys
from worker.trail import entries

router = APIRouter(tags=["people"])

Id = Annotated[int | None, Query(ge=1, lt=2**63)]


@router.get("/me")
def me(caller: Viewer) -> shapes.Me:
    """Whom this key stands for, and what it may do."""
    return shapes.Me(name=caller.name, role=caller.role)


@router.get("/audit")
def audit(
    database: Database,
    _: Viewer,
    who: str | None = None,
    action: Annotated[str | None, Query(examples=["cancel"])] = None,
    before: Id = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> shapes.Page[shapes.Entry]:
    """What people did, the latest first."""
    found = entries(database.connection(), before=before, limit=limit, who=who, action=action)
    items = [shapes.Entry.model_validate(each) for each in found]
    return shapes.Page(items=items, next=items[-1].id if len(items) == limit else None)


@router.get("/keys")
def keys(database: Database, _: Admin) -> list[shapes.Key]:
    """The keys by name, with their roles."""
    return [shapes.Key.model_validate(each) for each in read_keys(database.connection())]


class AddKey(Asked):
    name: str = Field(min_length=1, max_length=200, examples=["anna"])
    role: Role = Role.VIEWER


@router.post("/keys", status_code=201)
def add_key(doing: Doing, caller: Admin, asked: AddKey) -> shapes.NewKey:
    """Make a key. It is in this answer alone, so that an Idempotency-Key has no effect here: names are taken once."""
    try:
        key = doing.operator(caller).add_key(asked.name, asked.role)
    except KeyNameTakenError as error:
        raise ProblemError(409, "name_taken", str(error)) from None
    except ValueError as error:
        raise ProblemError(422, "invalid_request", str(error)) from None
    doing.session.commit()
    return shapes.NewKey(name=asked.name, role=asked.role, key=key)


@router.delete("/keys/{name}", status_code=204, response_class=Response)
def remove_key(doing: Doing, caller: Admin, name: Annotated[str, Path(max_length=200)]) -> None:
    """Take a key away: its browsers are logged out at once."""
    there = doing.operator(caller).remove_key(name)
    doing.session.commit()
    if not there:
        raise ProblemError(404, "unknown_key", f"there is no key {name!r}")
