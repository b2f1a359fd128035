"""Limits and pauses of models."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from models.limit import ACCOUNT
from web.access import Admin, Operator, Viewer
from web.api import shapes
from web.api.once import Doing
from web.database import Database
from web.problems import ProblemError
from worker import reasons
from worker.fields import parse_time
from worker.operating import doubt
from worker.waiting import ModelState

router = APIRouter(tags=["limits"])

Model = Annotated[str, Path(max_length=100, description="A model's name.")]
ModelOrAccount = Annotated[str, Path(max_length=100, description="A model's name; * is the account, with every model.")]


class Asked(BaseModel):
    """What a request may have in its body: nothing that is not known."""

    model_config = ConfigDict(extra="forbid")


def limit_of(state: ModelState, warning: str | None = None) -> shapes.Limit:
    return shapes.Limit(
        model=state.model,
        in_use=state.in_use,
        learned=state.slots,
        concurrency=state.concurrency,
        per_minute=state.per_minute,
        pause_reason=state.pause_reason,
        paused_until=state.paused_until,
        probing=state.probing,
        warning=warning,
    )


@router.get("/limits")
def limits(database: Database, _: Viewer) -> shapes.Limits:
    """What each model may do at once, and the pauses."""
    states = reasons.model_states(database.connection())
    some = next(iter(states.values()), None)
    return shapes.Limits(
        items=[limit_of(states[model]) for model in sorted(states)],
        account_paused=some.account_reason if some else None,
        account_paused_until=some.account_until if some else None,
    )


class SetLimit(Asked):
    """What is left out stays as it is."""

    concurrency: int | None = Field(default=None, ge=1, le=10000, description="Calls or tasks at once, at most.")
    start: int | None = Field(default=None, ge=1, le=10000, description="At once to begin with; then it is learned.")
    per_minute: int | None = Field(default=None, ge=0, le=100000, description="Calls a minute; 0: as the slots allow.")


@router.put("/limits/{model}")
def set_limit(doing: Doing, caller: Admin, model: Model, asked: SetLimit) -> shapes.Limit:
    """Set how much a model may do; it holds at once."""
    if model == ACCOUNT:
        raise ProblemError(422, "invalid_request", "the account has no limit of its own; name a model")
    if asked == SetLimit():
        raise ProblemError(422, "invalid_request", "say concurrency, start or per_minute")
    warning = doubt(doing.session.connection(), model)
    try:
        doing.operator(caller).set_limit(model, **asked.model_dump())
    except ValueError as error:
        raise ProblemError(422, "invalid_request", str(error)) from None
    doing.session.commit()
    return limit_of(reasons.model_states(doing.session.connection())[model], warning)


@router.delete("/limits/{model}", status_code=204, response_class=Response)
def remove_limit(doing: Doing, caller: Admin, model: Model) -> None:
    """Take away what was set and learned: the published limit holds. A model that no job has is forgotten."""
    done = doing.operator(caller).remove_limit(model)
    doing.session.commit()
    if done is None:
        raise ProblemError(404, "unknown_model", f"no limit is known for {model}")


class Pause(Asked):
    reason: str = Field(default="paused by an operator", min_length=1, max_length=300)
    until: datetime | None = Field(default=None, description="Without: until it is resumed.")

    @field_validator("until", mode="before")
    @classmethod
    def _time(cls, given: object) -> datetime | None:
        return None if given is None else parse_time(given)


@router.post("/limits/{model}/pause", response_model=shapes.Paused)
def pause(doing: Doing, caller: Operator, model: ModelOrAccount, asked: Pause) -> Response:
    """Make no more calls of a model, or of any; those under way are not cut off."""

    def do() -> shapes.Paused:
        warning = doubt(doing.session.connection(), model)
        try:
            doing.operator(caller).pause(model, reason=asked.reason, until=asked.until)
        except ValueError as error:
            raise ProblemError(422, "invalid_request", f"until: {error}") from None
        return shapes.Paused(model=model, reason=asked.reason, until=asked.until, warning=warning)

    return doing.once(caller, asked.model_dump_json(), do)


@router.post("/limits/{model}/resume", response_model=shapes.Paused)
def resume(doing: Doing, caller: Operator, model: ModelOrAccount) -> Response:
    """End a pause. Of the account: models that were paused by name stay so."""

    def do() -> shapes.Paused:
        if not doing.operator(caller).resume(model) and model != ACCOUNT:
            raise ProblemError(404, "unknown_model", f"no limit is known for {model}")
        return shapes.Paused(model=model, reason=None, until=None)

    return doing.once(caller, "", do)
