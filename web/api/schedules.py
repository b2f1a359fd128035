"""Schedules. They are added by the command line: whoever names a folder of the server is to be at the server."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import Field

from web.access import Admin, Operator, Viewer
from web.api import shapes
from web.api.once import Doing
from web.api.steer import Asked
from web.database import Database
from worker import scheduling

router = APIRouter(tags=["schedules"])

Name = Annotated[str, Path(max_length=200, description="A schedule's name.")]


@router.get("/schedules")
def schedules(database: Database, _: Viewer) -> list[shapes.Schedule]:
    """All, each with its last three runs."""
    return [shapes.Schedule.model_validate(each) for each in scheduling.schedules(database.connection())]


@router.get("/schedules/{schedule}")
def one(database: Database, _: Viewer, schedule: Name) -> shapes.OneSchedule:
    """One with its last ten runs, files that they could not take, and outputs that could not be put in place."""
    return shapes.OneSchedule.model_validate(scheduling.show(database.connection(), schedule))


@router.post("/schedules/{schedule}/pause", response_model=shapes.ScheduleState)
def pause(doing: Doing, caller: Operator, schedule: Name) -> Response:
    """Make no more runs; one that has begun goes on."""

    def do() -> shapes.ScheduleState:
        doing.operator(caller).pause_schedule(schedule)
        return shapes.ScheduleState(name=schedule, next_at=None)

    return doing.once(caller, "", do)


@router.post("/schedules/{schedule}/resume", response_model=shapes.ScheduleState)
def resume(doing: Doing, caller: Operator, schedule: Name) -> Response:
    """Go on with its next time; what was missed meanwhile is not caught up on."""

    def do() -> shapes.ScheduleState:
        return shapes.ScheduleState(name=schedule, next_at=doing.operator(caller).resume_schedule(schedule))

    return doing.once(caller, "", do)


class Run(Asked):
    """Without `start`: now. With it: for each of its times in the range, of what is not done yet."""

    start: str | None = Field(default=None, examples=["2026-11-01"], description="By the schedule's clock.")
    end: str | None = Field(default=None, description="A day with the whole of it; without: until now.")


@router.post("/schedules/{schedule}/runs", status_code=201, response_model=shapes.RunsDue)
def run(doing: Doing, caller: Operator, schedule: Name, asked: Run) -> Response:
    """Make runs due: one now, or those of a range."""

    def do() -> shapes.RunsDue:
        if asked.start is None:
            doing.operator(caller).run_schedule(schedule)
            return shapes.RunsDue(due=1)
        return shapes.RunsDue(due=doing.operator(caller).backfill(schedule, asked.start, asked.end).due)

    return doing.once(caller, asked.model_dump_json(), do, status=201)


@router.delete("/schedules/{schedule}")
def remove(doing: Doing, caller: Admin, schedule: Name) -> shapes.Forgotten:
    """Remove it. Its batches, jobs and outputs stay; which files are done is forgotten."""
    gone = doing.operator(caller).remove_schedule(schedule)
    doing.session.commit()
    return shapes.Forgotten(files=gone.files)
