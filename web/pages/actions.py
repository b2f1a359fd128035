"""What operators do: first a dialog that says how many and how much, then the deed, noted in the trail."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from models import interventions, pipelines
from models.interventions import Selection
from models.state import JobState
from web.access import Operator as MayOperate
from web.access import needs
from web.database import Database
from web.problems import ProblemError
from web.templating import page
from web.words import dollars, plural
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
    now = "" if set(counts.by_state) == {what} else f" (now {states})"
    cost = f"; it may cost {dollars(counts.cost)}" if counts.cost else ""
    return told(f"{plural(counts.total, 'job')} {what}{now}{cost}.")


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
