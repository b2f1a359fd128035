"""Schedules: in words, when they run next, how their last runs went."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from worker.cron import explain, ticks
from worker.patterns import SOUND

#: Runs that a picture has; and times to come that are told.
RUNS, TO_COME = 40, 3
#: Schedules that a page shows; who has more finds the others with `mediajobs schedule list`.
MOST = 100


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """`to_come`: when it runs next, none while it is paused. `runs`: the newest first."""

    row: Any
    words: str
    patterns: str
    to_come: list[datetime]
    runs: list[Any]

    @property
    def last(self) -> Any:
        return self.runs[0] if self.runs else None


LIST = text("""
    select id, name, cron, timezone, source, patterns, out, webhook, paused_at, next_at from schedules
    where cast(:id as bigint) is null or id = :id order by name limit :most
""")
LAST = text("""
    select w.id as schedule_id, r.tick, r.state, r.batch_id, b.name as batch, r.found, r.added, r.known, r.unsettled,
        r.problems, r.error, r.finished_at
    from unnest(cast(:ids as bigint[])) as w (id) cross join lateral (
        select * from schedule_runs where schedule_id = w.id order by tick desc limit :most
    ) r left join batches b on b.id = r.batch_id
    order by r.tick desc
""")


def read(conn: Connection, schedule: int | None = None) -> list[ScheduleRow]:
    """All, or the one of this id."""
    rows = conn.execute(LIST, {"id": schedule, "most": MOST}).all()
    runs: dict[int, list[Any]] = {row.id: [] for row in rows}
    for run in conn.execute(LAST, {"ids": list(runs), "most": RUNS}):
        runs[run.schedule_id].append(run)
    return [
        ScheduleRow(
            row=row,
            words=explain(row.cron),
            patterns="all sound" if row.patterns == [SOUND] else ", ".join(row.patterns),
            to_come=to_come(row),
            runs=runs[row.id],
        )
        for row in rows
    ]


def to_come(row: Any) -> list[datetime]:
    if row.paused_at is not None or row.next_at is None:
        return []
    return [row.next_at, *islice(ticks(row.cron, ZoneInfo(row.timezone), row.next_at), TO_COME - 1)]


PROBLEMS = text("""
    select tick, path, problem from run_files where schedule_id = :id and problem is not null
    order by tick desc, path limit 50
""")
NOT_PUT = text("""
    select target, state, message, again_at from published_files
    where schedule = :name and state in ('failed', 'out_exists') order by target limit 50
""")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Files that the last runs could not take, and outputs that could not be put in place."""

    problems: list[Any]
    not_put: list[Any]


def trouble(conn: Connection, row: Any) -> Trouble:
    return Trouble(list(conn.execute(PROBLEMS, {"id": row.id})), list(conn.execute(NOT_PUT, {"name": row.name})))
