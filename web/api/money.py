"""Budgets, and what was spent."""

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from models.money import Scope
from web.access import Admin, Viewer
from web.api import shapes
from web.api.once import Doing
from web.api.steer import Asked
from web.database import Database
from web.problems import ProblemError
from worker import reasons, report
from worker.costs import By
from worker.costs import costs as read_costs
from worker.operating import doubt
from worker.waiting import BudgetState

router = APIRouter(tags=["money"])

Of = Annotated[Literal["batch", "model", "day"], Path(description="What the budget is of.")]
Subject = Annotated[str, Path(max_length=200, description="The batch's name or id, the model's name; - for the day.")]


def budget_of(scope: Scope, state: BudgetState, warning: str | None = None) -> shapes.Budget:
    return shapes.Budget(
        scope=scope[0], subject=scope[1], name=state.name, amount=state.amount, spent=state.spent,
        reserved=state.reserved, left=state.left, warning=warning,
    )  # fmt: skip


def scope_of(session: Session, of: Literal["batch", "model", "day"], subject: str) -> Scope:
    """Raises UnknownBatchError, and ProblemError for a day that is named."""
    match of:
        case "batch":
            return of, str(report.find_batch(session.connection(), subject))
        case "day" if subject != "-":
            raise ProblemError(422, "invalid_request", "a budget of the day is one of each day: write it as day/-")
        case "day":
            return of, ""
        case "model":
            return of, subject


@router.get("/budgets")
def budgets(database: Database, _: Viewer) -> list[shapes.Budget]:
    """What may be spent, what is, and what jobs under way may cost."""
    return [budget_of(scope, state) for scope, state in reasons.budget_states(database.connection()).items()]


class SetBudget(Asked):
    amount: Decimal = Field(ge=0, lt=10**8, description="US dollars; what was spent before counts.", examples=[12.5])


@router.put("/budgets/{of}/{subject}")
def set_budget(doing: Doing, caller: Admin, of: Of, subject: Subject, asked: SetBudget) -> shapes.Budget:
    """Set a budget, or change it. A job that would pass it waits; nothing fails."""
    scope = scope_of(doing.session, of, subject)
    state = doing.operator(caller).set_budget(scope, asked.amount)
    warning = doubt(doing.session.connection(), subject) if of == "model" else None
    doing.session.commit()
    return budget_of(scope, state, warning)


@router.delete("/budgets/{of}/{subject}", status_code=204, response_class=Response)
def remove_budget(doing: Doing, caller: Admin, of: Of, subject: Subject) -> None:
    """No limit from then on."""
    there = doing.operator(caller).remove_budget(scope_of(doing.session, of, subject))
    doing.session.commit()
    if not there:
        raise ProblemError(404, "unknown_budget", "there is no such budget")


@router.get("/costs")
def costs(
    database: Database,
    _: Viewer,
    by: Annotated[By, Query(description="A row for each.")] = "day",
    batch: Annotated[str | None, Query(description="Of this batch alone (name or id).")] = None,
) -> list[shapes.Cost]:
    """What was spent."""
    conn = database.connection()
    batch_id = report.find_batch(conn, batch) if batch is not None else None
    return [shapes.Cost.model_validate(each) for each in read_costs(conn, by, batch_id=batch_id)]
