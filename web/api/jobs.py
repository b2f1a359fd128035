"""Jobs: found, shown, acted upon; and their outputs."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field, field_validator
from sqlalchemy import text
from sqlalchemy.orm import Session

from models import interventions
from models.interventions import Preview
from models.pipelines import preview
from models.state import JobState
from web.access import Operator, Viewer
from web.api import shapes
from web.api.once import Doing
from web.api.steer import Asked
from web.database import Database
from web.problems import ProblemError
from web.serving import serve
from web.wiring import Wired
from worker import report
from worker.actions import Counts, Selection
from worker.fields import parse_time
from worker.search import Search, search

router = APIRouter(tags=["jobs"])

MOST_ID = 2**63 - 1
Id = Annotated[int, Path(ge=1, le=MOST_ID, description="A job's id.")]
OneId = Annotated[int, Field(ge=1, le=MOST_ID)]


class Wanted(Asked):
    """Which jobs; what is left out may be any."""

    batch: str | None = Field(default=None, description="Of this batch (name or id).")
    state: JobState | None = None
    kind: str | None = Field(default=None, examples=["image"])
    model: str | None = None
    code: str | None = Field(default=None, description="With this error code.")
    search: str | None = Field(default=None, max_length=200, description="In key, input or error; or the id itself.")
    since: datetime | None = Field(default=None, description="Enqueued then or later.")
    until: datetime | None = Field(default=None, description="Enqueued before then.")
    pieces_of: OneId | None = Field(default=None, description="The pieces of this recording, by its job's id.")
    before: OneId | None = Field(default=None, description="`next` of the page before.")
    limit: int = Field(default=50, ge=1, le=1000)

    @field_validator("since", "until", mode="before")
    @classmethod
    def _time(cls, given: object) -> datetime | None:
        return None if given is None else parse_time(given)


@router.get("/jobs")
def jobs(database: Database, _: Viewer, wanted: Annotated[Wanted, Query()]) -> shapes.JobPage:
    """Jobs, the latest first.

    A page looks at a bounded number of rows: where few match, it may be short, or empty, and still have a `next`.
    """
    conn = database.connection()
    asked = wanted.model_dump(exclude={"batch", "search"})
    batch = report.find_batch(conn, wanted.batch) if wanted.batch is not None else None
    found = search(conn, Search(**asked, batch=batch, text=wanted.search))
    items = [shapes.JobRow.model_validate(each) for each in found.jobs]
    return shapes.JobPage(items=items, next=found.older, looked_at=found.looked_at)


def unknown(job: int) -> ProblemError:
    return ProblemError(404, "unknown_job", f"there is no job {job}")


@router.get("/jobs/{job}")
def job(database: Database, _: Viewer, job: Id) -> shapes.Job:
    """A job with its attempts, outputs and every change of its state."""
    found = report.show(database.connection(), job)
    if found is None:
        raise unknown(job)
    outputs = [{**each, "url": f"/api/v1/jobs/{job}/outputs/{each['index']}"} for each in found["outputs"]]
    return shapes.Job.model_validate({**found, "outputs": outputs})


OUTPUT = text("select location, mime, bytes, sha256 from outputs where job_id = :job and index = :index")


def output_of(database: Database, job: Id, index: Annotated[int, Path(ge=0, le=32767)]) -> Any:
    found = database.execute(OUTPUT, {"job": job, "index": index}).first()
    if found is None:
        raise ProblemError(404, "unknown_output", f"job {job} has no output {index}")
    return found


FILE: dict[int | str, dict[str, Any]] = {200: {"description": "The file.", "content": {"application/octet-stream": {}}},
        206: {"description": "The part that `Range` asked for."},
        304: {"description": "It is as `If-None-Match` has it."}}  # fmt: skip


@router.get("/jobs/{job}/outputs/{index}", responses=FILE, response_class=StreamingResponse)
@router.head("/jobs/{job}/outputs/{index}", include_in_schema=False)
async def output(request: Request, wired: Wired, _: Viewer, found: Annotated[Any, Depends(output_of)]) -> Response:
    """An output's file: whole, or the part that `Range` asks for."""
    try:
        return await serve(
            request, wired.storage, location=found.location, mime=found.mime, size=found.bytes, sha256=found.sha256
        )
    except FileNotFoundError:
        raise ProblemError(404, "output_gone", "the file is not in the store of outputs any more") from None


# -- acting on them ------------------------------------------------------------------------------------


class Chosen(Asked):
    """Jobs by id, or by what they have in common; at least one of them."""

    ids: list[OneId] | None = Field(default=None, min_length=1, max_length=10_000, examples=[[17, 18]])
    batch: str | None = Field(default=None, description="Of this batch (name or id).", examples=["boats"])
    state: JobState | None = None
    kind: str | None = None
    model: str | None = None
    code: str | None = Field(default=None, description="With this error code.", examples=["1301"])
    dry_run: bool = Field(default=False, description="Say what would be done; do nothing.")

    def selection(self, session: Session) -> Selection:
        """Raises ProblemError where nothing is named (nobody means all jobs by that), or what is not there."""
        if not any((self.ids, self.batch, self.state, self.kind, self.model, self.code)):
            raise ProblemError(422, "nothing_named", "name jobs by `ids`, a `batch`, or what they have in common")
        conn = session.connection()
        if self.ids and (missing := report.unknown_ids(conn, self.ids)):
            raise ProblemError(404, "unknown_job", f"there is no job {', '.join(map(str, missing[:10]))}", ids=missing)
        batch = report.find_batch(conn, self.batch) if self.batch is not None else None
        return Selection(ids=self.ids, batch=batch, state=self.state, kind=self.kind, model=self.model, code=self.code)


def changed(counts: Counts, allowed: str, thrown_away: Preview | None = None) -> shapes.Changed:
    """`allowed`: the states in which it can be done."""
    note = None if counts.total else f"no job was changed: none of those named is {allowed}"
    return shapes.Changed(
        jobs=counts.total, states=counts.by_state, cost=counts.cost, note=note, thrown_away=lost(thrown_away),
        dry_run=False,
    )  # fmt: skip


def lost(found: Preview | None) -> shapes.ThrownAway | None:
    return shapes.ThrownAway(jobs=found.paid, cost=found.paid_cost) if found and found.paid else None


def foreseen(found: Preview, *, buys: bool, throws_away: bool = False) -> shapes.Changed:
    """The answer to a dry run."""
    cost = found.estimate if buys else Decimal(0)
    return shapes.Changed(
        jobs=min(found.jobs, interventions.MOST), states={}, cost=cost,
        thrown_away=lost(found) if throws_away else None, dry_run=True, more=found.more,
    )  # fmt: skip


@router.post("/jobs/retry", response_model=shapes.Changed)
def retry(doing: Doing, caller: Operator, asked: Chosen) -> Response:
    """Run failed and cancelled jobs again. What is paid for is not bought again: it goes on where it was lost."""

    def do() -> shapes.Changed:
        selection = asked.selection(doing.session)
        if asked.dry_run:
            return foreseen(preview(doing.session.connection(), "retry", selection), buys=True)
        return changed(doing.operator(caller).retry(selection), "failed or cancelled")

    return doing.once(caller, asked.model_dump_json(), do)


class Cancel(Chosen):
    keep_results: bool = Field(default=False, description="What is paid for by now goes on and is stored.")


@router.post("/jobs/cancel", response_model=shapes.Changed)
def cancel(doing: Doing, caller: Operator, asked: Cancel) -> Response:
    """Cancel jobs that have not ended. One whose call is under way ends when its answer is recorded."""

    def do() -> shapes.Changed:
        selection = asked.selection(doing.session)
        found = preview(doing.session.connection(), "cancel", selection)
        if asked.dry_run:
            return foreseen(found, buys=False, throws_away=not asked.keep_results)
        counts = doing.operator(caller).cancel(selection, keep_result=asked.keep_results)
        return changed(counts, "open", None if asked.keep_results else found)

    return doing.once(caller, asked.model_dump_json(), do)


class Resolve(Asked):
    ids: list[OneId] = Field(min_length=1, max_length=10_000)
    how: Literal["retry", "wait", "fail"] = Field(
        description="`retry` may buy it a second time; `wait` asks about its task again; `fail` gives up."
    )


HELD = {"retry": "held", "fail": "held", "wait": "held with a task at the provider"}


@router.post("/jobs/resolve", response_model=shapes.Changed)
def resolve(doing: Doing, caller: Operator, asked: Resolve) -> Response:
    """Decide held jobs, whose outcome is unknown."""

    def do() -> shapes.Changed:
        Chosen(ids=asked.ids).selection(doing.session)
        return changed(doing.operator(caller).resolve(asked.ids, asked.how), HELD[asked.how])

    return doing.once(caller, asked.model_dump_json(), do)
