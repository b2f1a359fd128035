"""The tick of schedules: makes runs due, takes back those whose worker died, and tells workers what may start.

However many tick at once: a run is a row whose key is the schedule and the tick.
"""

import logging
from datetime import datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from cronsim import CronSimError
from sqlalchemy import Connection, Engine

from models import runs
from models.runs import DueSchedule, NewRun, Ready
from worker.cron import CatchUp, due
from worker.failpoints import failpoint
from worker.upkeep.rescue import SETTLE_S

log = logging.getLogger(__name__)

#: Seconds after which a run that no worker has taken is told again.
TOLD_S = 10.0


def tick(engine: Engine, *, settle_s: float = SETTLE_S) -> list[Ready]:
    """One pass; returns the runs to tell workers of."""
    with engine.begin() as conn:
        for schedule in runs.lock_due(conn):
            try:
                make_due(conn, schedule)
            except (KeyError, ValueError, CronSimError) as error:
                # Such as a zone that another machine knew when it was added. The others go on.
                log.warning("schedule %s cannot be read, looked at again in an hour: %s", schedule.name, error)
                runs.move_on(conn, schedule.id, schedule.now + timedelta(hours=1))
    failpoint("schedules.committed")
    with engine.begin() as conn:
        for expired in runs.take_back_expired(conn, settle_s=settle_s):
            log.warning("schedule %d, run of %s: its worker died", expired.schedule_id, expired.tick)
        runs.skip_overlapping(conn)
        return runs.renew_ready(conn, lease_s=TOLD_S)


def make_due(conn: Connection, schedule: DueSchedule) -> None:
    """Make the runs of the ticks that have come, and move on to the next."""
    found = due(
        schedule.cron,
        ZoneInfo(schedule.timezone),
        schedule.next_at,
        schedule.now,
        catch_up=cast("CatchUp", schedule.catch_up),
        max_age=timedelta(seconds=schedule.max_age_s),
    )
    if schedule.catch_up == "all" and len(found.ticks) > 1:
        # Each takes what was there at its time, as if it had run.
        new = [NewRun(each, until=each) for each in found.ticks]
        runs.add_runs(conn, schedule.id, new, regardless=True)
    else:
        runs.add_runs(conn, schedule.id, [NewRun(each) for each in found.ticks], regardless=False)
    if found.missed is not None:
        reason = why_missed(schedule.catch_up, found.missed, schedule)
        runs.add_skipped(conn, schedule.id, found.missed, reason)
    runs.move_on(conn, schedule.id, found.next_at)


def why_missed(catch_up: str, missed: datetime, schedule: DueSchedule) -> str:
    late = timedelta(seconds=int((schedule.now - missed).total_seconds()))
    if catch_up == "skip":
        return f"missed: nothing ran until {late} later, and --catch-up is skip"
    return f"missed: nothing ran until {late} later, which is more than --max-age"
