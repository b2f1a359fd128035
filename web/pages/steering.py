"""What operators do to models, schedules, webhooks and budgets, each asked for in a dialog first."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Response

from models.limit import ACCOUNT
from web.access import Operator as MayOperate
from web.access import needs
from web.database import Database
from web.pages.actions import told
from web.pages.shell import missing
from web.problems import ProblemError
from web.templating import page
from web.words import dollars, plural
from worker import reasons
from worker.keys import Role
from worker.operating import Operator, doubt

router = APIRouter(prefix="/actions", dependencies=[Depends(needs(Role.OPERATOR))])

# -- models --------------------------------------------------------------------------------------------


@router.get("/pause")
def ask_pause(model: str) -> Response:
    return page("actions/pause.html", model=model, account=model == ACCOUNT)


@router.post("/pause")
def pause(
    database: Database,
    caller: MayOperate,
    model: Annotated[str, Form()],
    reason: Annotated[str, Form(max_length=300)] = "",
    minutes: Annotated[int, Form(ge=0, le=525600)] = 0,
) -> Response:
    """For so many minutes; 0: until it is resumed."""
    reason = reason.strip() or "paused by an operator"
    Operator(database, caller.actor).pause(model, reason=reason, for_s=minutes * 60 or None)
    database.commit()
    return told(f"{'Everything' if model == ACCOUNT else model} is paused. Calls under way are not cut off.")


@router.get("/resume")
def ask_resume(model: str) -> Response:
    return page("actions/resume.html", model=model, account=model == ACCOUNT)


@router.post("/resume")
def resume(database: Database, caller: MayOperate, model: Annotated[str, Form()]) -> Response:
    known = Operator(database, caller.actor).resume(model)
    database.commit()
    if not known:
        raise missing(f"limit of {model}")
    return told(
        "The account is resumed; models paused by name stay so." if model == ACCOUNT else f"{model} is resumed."
    )


ADMIN = [Depends(needs(Role.ADMIN))]


@router.get("/limit", dependencies=ADMIN)
def ask_limit(database: Database, model: str) -> Response:
    state = reasons.model_states(database.connection()).get(model)
    if state is None:
        raise missing(f"limit of {model}")
    return page("actions/limit.html", state=state)


@router.post("/limit", dependencies=ADMIN)
def limit(
    database: Database,
    caller: MayOperate,
    *,
    model: Annotated[str, Form()],
    concurrency: Annotated[int | None, Form(ge=1, le=10000)] = None,
    per_minute: Annotated[int, Form(ge=0, le=100000)] = 0,
    do: Annotated[Literal["set", "remove"], Form()] = "set",
) -> Response:
    if do == "remove":
        done = Operator(database, caller.actor).remove_limit(model)
        database.commit()
        if done is None:
            raise missing(f"limit of {model}")
        return told(f"{model} is forgotten." if done == "forgotten" else f"{model} has its published limit again.")
    now = Operator(database, caller.actor).set_limit(model, concurrency=concurrency, per_minute=per_minute)
    database.commit()
    return told(
        f"{model}: {now.concurrency} at once at most" + (f", {now.per_minute} a minute." if now.per_minute else ".")
    )


# -- schedules -----------------------------------------------------------------------------------------

Step = Literal["pause", "resume", "run", "backfill"]


@router.get("/schedule")
def ask_schedule(name: str, do: Step) -> Response:
    return page("actions/schedule.html", schedule=name, do=do)


@router.post("/schedule")
def schedule(
    database: Database,
    caller: MayOperate,
    *,
    name: Annotated[str, Form()],
    do: Annotated[Step, Form()],
    start: Annotated[str, Form()] = "",
    end: Annotated[str, Form()] = "",
) -> Response:
    operator = Operator(database, caller.actor)
    match do:
        case "pause":
            operator.pause_schedule(name)
            said = f"{name} is paused; a run that has begun goes on."
        case "resume":
            operator.resume_schedule(name)
            said = f"{name} goes on; what was missed meanwhile is not caught up on."
        case "run":
            operator.run_schedule(name)
            said = f"A run of {name} is due."
        case "backfill":
            made = operator.backfill(name, start.strip(), end.strip() or None)
            had = f"; {made.ticks - made.due:,} had run, or are due already" if made.ticks > made.due else ""
            said = f"{plural(made.due, 'run')} of {name} due{had}."
    database.commit()
    return told(said)


# -- webhooks ------------------------------------------------------------------------------------------


@router.post("/replay")
def replay(
    database: Database,
    caller: MayOperate,
    *,
    message: Annotated[int | None, Form()] = None,
    state: Annotated[Literal["failed"] | None, Form()] = None,
) -> Response:
    """One message, or all that were given up."""
    if message is None and state is None:
        raise ProblemError(422, "nothing_named", "name a message")
    count = Operator(database, caller.actor).replay(None if message is None else [message], state=state)
    database.commit()
    return told(f"{plural(count, 'message')} to be sent once more, under the same id.", bad=not count)


# -- money ---------------------------------------------------------------------------------------------


@router.get("/budget", dependencies=ADMIN)
def ask_budget(database: Database, scope: Literal["day", "model", "batch"] = "day", subject: str = "") -> Response:
    conn = database.connection()
    state = reasons.budget_states(conn).get((scope, subject))
    models = list(reasons.model_states(conn))
    return page("actions/budget.html", scope=scope, subject=subject, state=state, models=models)


@router.post("/budget", dependencies=ADMIN)
def budget(
    database: Database,
    caller: MayOperate,
    *,
    scope: Annotated[Literal["day", "model", "batch"], Form()],
    amount: Annotated[str, Form()],
    subject: Annotated[str, Form()] = "",
    do: Annotated[Literal["set", "remove"], Form()] = "set",
) -> Response:
    operator, place = Operator(database, caller.actor), (scope, "" if scope == "day" else subject)
    if scope != "day" and not subject:
        raise ProblemError(422, "invalid_request", f"say which {scope}")
    if do == "remove":
        operator.remove_budget(place)
        database.commit()
        return told("The budget is gone; there is no limit from now on.")
    warning = doubt(database.connection(), subject) if scope == "model" else None
    state = operator.set_budget(place, amount_of(amount))
    database.commit()
    said = f"{state.name}: {dollars(state.amount)}, of which {dollars(state.spent)} is spent."
    return told(f"{said} But {warning}" if warning else said, bad=warning is not None)


def amount_of(given: str) -> Decimal:
    """US dollars. Raises ProblemError."""
    try:
        amount = Decimal(given.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not 0 <= amount < 10**8:
        raise ProblemError(422, "invalid_request", f"{given!r} is no amount in US dollars; write it as 12.50")
    return amount
