"""What operators do: first a dialog that says how many and how much, then the deed, noted in the trail."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from models import interventions, pipelines
from models.interventions import Selection
from models.limit import ACCOUNT
from models.state import JobState
from web.access import Operator as MayOperate
from web.access import needs
from web.database import Database
from web.pages.shell import missing
from web.problems import ProblemError
from web.templating import page
from web.words import dollars, plural
from worker import reasons
from worker.actions import Counts
from worker.keys import Role
from worker.operating import Operator

router = APIRouter(prefix="/actions", dependencies=[Depends(needs(Role.OPERATOR))])


class Chosen(BaseModel):
    """Jobs, by id or by what they have in common."""

    model_config = ConfigDict(extra="ignore")

    job: list[int] = []
    batch: int | None = None
    state: JobState | Literal[""] = ""
    kind: str = ""
    model: str = ""
    code: str = ""

    @property
    def selection(self) -> Selection:
        """Raises ProblemError where nothing is named: nobody means all jobs by saying nothing."""
        if not any((self.job, self.batch, self.state, self.kind, self.model, self.code)):
            raise ProblemError(422, "nothing_named", "name jobs, a batch or a filter")
        return Selection(
            ids=self.job or None,
            batch=self.batch,
            state=self.state or None,
            kind=self.kind or None,
            model=self.model or None,
            code=self.code or None,
        )

    @property
    def fields(self) -> list[tuple[str, str]]:
        """For hidden inputs."""
        names = ("batch", "state", "kind", "model", "code")
        single = [(name, str(value)) for name in names if (value := getattr(self, name))]
        return [("job", str(each)) for each in self.job] + single


Asked = Annotated[Chosen, Query()]
Told = Annotated[Chosen, Form()]


def told(message: str, *, bad: bool = False) -> Response:
    return page("actions/told.html", message=message, bad=bad)


def done(counts: Counts, what: str) -> Response:
    if not counts.total:
        return told(f"No job was {what}: none is in a state that allows it.", bad=True)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.by_state.items())
    cost = f"; it may cost {dollars(counts.cost)}" if counts.cost else ""
    return told(f"{plural(counts.total, 'job')} {what} (now {states}){cost}.")


def dialog(database: Database, action: str, chosen: Chosen, **more: Any) -> Response:
    found = pipelines.preview(database.connection(), action, chosen.selection)
    return page(f"actions/{action}.html", chosen=chosen, found=found, most=interventions.MOST, **more)


# -- jobs ----------------------------------------------------------------------------------------------


@router.get("/retry")
def ask_retry(database: Database, chosen: Asked) -> Response:
    return dialog(database, "retry", chosen)


@router.post("/retry")
def retry(database: Database, caller: MayOperate, chosen: Told) -> Response:
    counts = Operator(database, caller.actor).retry(chosen.selection)
    database.commit()
    return done(counts, "retried")


@router.get("/cancel")
def ask_cancel(database: Database, chosen: Asked) -> Response:
    return dialog(database, "cancel", chosen)


class Cancel(Chosen):
    keep: bool = False


@router.post("/cancel")
def cancel(database: Database, caller: MayOperate, chosen: Annotated[Cancel, Form()]) -> Response:
    counts = Operator(database, caller.actor).cancel(chosen.selection, keep_result=chosen.keep)
    database.commit()
    return done(counts, "cancelled")


REMOTE = text("select count(*) from jobs where id = any(:ids) and state = 'held' and remote_id is not null")
HELD = text(f"""
    select id from jobs j where {interventions.SELECTED} and state = 'held' and parent_id is null
    order by id limit {interventions.MOST}
""")


@router.get("/resolve")
def ask_resolve(database: Database, chosen: Asked) -> Response:
    ids = database.execute(HELD, chosen.selection.values).scalars().all()
    at_provider = database.execute(REMOTE, {"ids": list(ids)}).scalar_one()
    return dialog(database, "resolve", chosen, at_provider=at_provider)


class Resolve(Chosen):
    how: Literal["retry", "wait", "fail"]


@router.post("/resolve")
def resolve(database: Database, caller: MayOperate, chosen: Annotated[Resolve, Form()]) -> Response:
    ids = database.execute(HELD, chosen.selection.values).scalars().all()
    counts = Operator(database, caller.actor).resolve(ids, chosen.how)
    database.commit()
    return done(counts, "resolved")


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
    model: Annotated[str, Form()],
    concurrency: Annotated[int, Form(ge=1, le=10000)],
    per_minute: Annotated[int, Form(ge=0, le=100000)] = 0,
) -> Response:
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
    state = operator.set_budget(place, amount_of(amount))
    database.commit()
    return told(f"{state.name}: {dollars(state.amount)}, of which {dollars(state.spent)} is spent.")


def amount_of(given: str) -> Decimal:
    """US dollars. Raises ProblemError."""
    try:
        amount = Decimal(given.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not 0 <= amount < 10**8:
        raise ProblemError(422, "invalid_request", f"{given!r} is no amount in US dollars; write it as 12.50")
    return amount
