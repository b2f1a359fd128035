"""What people do with schedules: add, pause, resume, run and remove them; and how they stand."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy import ARRAY, Connection, Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from models import runs
from models.runs import NewRun
from provider.unwrap import UNSTORABLE
from worker.addresses import networks, parse
from worker.cron import MOST, MOST_AGE, before, between, parse_cron, parse_zone, ticks
from worker.kinds import KINDS
from worker.patterns import Patterns, parse_patterns
from worker.settings import settings
from worker.storage import Found, PlaceError, open_place
from worker.upkeep.intake import KIND
from worker.upkeep.publish import BESIDE
from worker.wording import explain, shown

MOST_NAME_CHARS = 60
MOST_PLACE_BYTES = 500
#: Files that `first_look` counts at most.
MOST_COUNTED = 10_000


class BadFieldError(Exception):
    """A field of a schedule that cannot be; in words."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(f"{field}: {message}")


class UnknownScheduleError(Exception):
    """No schedule has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no schedule {name!r}; `mediajobs schedule list` names them")


class NameTakenError(Exception):
    """There is a schedule of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a schedule {name!r} already; --replace changes it, and keeps what it has done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A schedule as it is asked for; made by `plan`, which checks it."""

    name: str
    cron: str
    timezone: str
    source: str
    patterns: list[str]
    args: dict[str, Any]
    out: str | None
    catch_up: str
    max_age_s: int
    overlap: str
    webhook: str | None


def plan(
    *,
    name: str,
    cron: str,
    timezone: str,
    source: str,
    patterns: Sequence[str],
    args: dict[str, Any],
    out: str | None,
    catch_up: str,
    max_age_s: int,
    overlap: str,
    webhook: str | None,
) -> tuple[Plan, list[str]]:
    """The checked schedule, and what is odd about it. Raises BadFieldError.

    Looks at nothing outside but the system's time zones.
    """
    if not name.strip() or len(name) > MOST_NAME_CHARS or UNSTORABLE.search(name):
        raise BadFieldError("name", f"{shown(name)} is no name; use 1 to {MOST_NAME_CHARS} characters")
    if not timedelta(minutes=1) <= timedelta(seconds=max_age_s) <= MOST_AGE:
        raise BadFieldError("max-age", "use 1m to 31d")
    if webhook is not None:
        try:
            parse(webhook, networks(settings().webhook_allow))
        except ValueError as error:
            raise BadFieldError("webhook", f"{webhook!r} {error}") from None
    given, warnings = checked_args(args)
    found = Plan(
        name=name,
        cron=parsed("cron", cron, parse_cron),
        timezone=parsed("timezone", timezone, parse_zone).key,
        source=parsed("source", source, parse_place),
        patterns=parsed("pattern", patterns, parse_patterns),
        args=given,
        out=out if out in (None, BESIDE) else parsed("out", out, parse_place),
        catch_up=catch_up,
        max_age_s=max_age_s,
        overlap=overlap,
        webhook=webhook,
    )
    return found, warnings


def parsed(field: str, value: Any, parse: Any) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise BadFieldError(field, str(error)) from None


def parse_place(given: str) -> str:
    """A folder as its absolute path, or s3://bucket/prefix."""
    if given.startswith("s3://"):
        bucket, _, prefix = given.removeprefix("s3://").partition("/")
        if not bucket:
            raise ValueError(f"{given!r} names no bucket; write it as s3://bucket/prefix")
        place = f"s3://{bucket}/{prefix.strip('/')}".rstrip("/")
    elif "://" in given:
        raise ValueError(f"{given!r} is neither a folder nor s3://bucket/prefix")
    elif not given.strip():
        raise ValueError("is empty; name a folder, or s3://bucket/prefix")
    else:
        place = os.path.abspath(given)  # noqa: PTH100 - without `..`; links stay as they are
    if UNSTORABLE.search(place) or len(place.encode()) > MOST_PLACE_BYTES:
        raise ValueError(f"{shown(given)} cannot be kept; use at most {MOST_PLACE_BYTES} bytes of UTF-8")
    return place


def checked_args(args: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields of each job, as its kind would have them. Raises BadFieldError."""
    if "file" in args:
        raise BadFieldError("file", "is each file of the source")
    try:
        found = KINDS[KIND].check({**args, "file": "s3://any/file"}, Path.cwd())
    except ValidationError as error:
        field, message = explain(error.errors(include_url=False)[0])
        raise BadFieldError(field or "job", message) from None
    return args, found.warnings


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What a source has now: files that match, their bytes, and whether there are more than were counted."""

    files: int
    bytes: int
    more: bool


def look(schedule: Plan) -> FirstLook:
    """Look at the source, and at where outputs are to go (a folder is made). Raises BadFieldError."""
    look_out(schedule)
    files = size = 0
    try:
        for found in open_place(schedule.source).files(Patterns.of(schedule.patterns)):
            if files == MOST_COUNTED:
                return FirstLook(files, size, more=True)
            if isinstance(found, Found):
                files += 1
                size += found.size
    except PlaceError as error:
        raise BadFieldError("source", str(error)) from None
    return FirstLook(files, size, more=False)


def look_out(schedule: Plan) -> None:
    if schedule.out is None:
        return
    out = schedule.source if schedule.out == BESIDE else schedule.out
    try:
        if not out.startswith("s3://"):
            if schedule.out != BESIDE:
                Path(out).mkdir(parents=True, exist_ok=True)
            if Path(out).exists() and not os.access(out, os.W_OK):
                raise BadFieldError("out", f"cannot write to {out}; name another place")
        elif schedule.out != BESIDE:
            open_place(out).look()
    except OSError as error:
        raise BadFieldError("out", f"cannot make the folder {out}: {error.strerror}") from None
    except PlaceError as error:
        raise BadFieldError("out", str(error)) from None


ADD = text("""
    insert into schedules (
        name, cron, timezone, source, patterns, args, out, catch_up, max_age_s, overlap, webhook, next_at
    )
    values (:name, :cron, :timezone, :source, :patterns, :args, :out, :catch_up, :max_age_s, :overlap, :webhook,
        :next_at)
    on conflict (name) do update set
        cron = excluded.cron, timezone = excluded.timezone, source = excluded.source, patterns = excluded.patterns,
        args = excluded.args, out = excluded.out, catch_up = excluded.catch_up, max_age_s = excluded.max_age_s,
        overlap = excluded.overlap, webhook = excluded.webhook, next_at = excluded.next_at
    where :replace
    returning id
""").bindparams(bindparam("args", type_=JSONB), bindparam("patterns", type_=ARRAY(Text)))


def add(session: Session, schedule: Plan, *, replace: bool = False) -> datetime:
    """Add a schedule; returns when it runs first. Raises NameTakenError, unless it is to `replace` what is there."""
    next_at = next_tick(session.connection(), schedule.cron, schedule.timezone)
    values = {**asdict(schedule), "next_at": next_at, "replace": replace}
    if session.execute(ADD, values).first() is None:
        raise NameTakenError(schedule.name)
    return next_at


def next_tick(conn: Connection, cron: str, timezone: str) -> datetime:
    return next(ticks(cron, ZoneInfo(timezone), database_now(conn)))


def database_now(conn: Connection) -> datetime:
    found: datetime = conn.execute(text("select now()")).scalar_one()
    return found


def find(conn: Connection, name: str) -> Any:
    """The schedule's row. Raises UnknownScheduleError."""
    row = conn.execute(text("select * from schedules where name = :name"), {"name": name}).first()
    if row is None:
        raise UnknownScheduleError(name)
    return row


def pause(session: Session, name: str) -> None:
    """Make no more runs due; those that are due go on. Raises UnknownScheduleError."""
    schedule = find(session.connection(), name)
    session.execute(text("update schedules set paused_at = coalesce(paused_at, now()) where id = :id"),
                    {"id": schedule.id})  # fmt: skip


def resume(session: Session, name: str) -> datetime:
    """Go on with the next tick, which is returned: what was missed in a pause is not made up for."""
    schedule = find(session.connection(), name)
    next_at = next_tick(session.connection(), schedule.cron, schedule.timezone)
    session.execute(text("update schedules set paused_at = null, next_at = :at where id = :id"),
                    {"id": schedule.id, "at": next_at})  # fmt: skip
    return next_at


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What goes with a schedule: files that are not known any more. Its batches, jobs and outputs stay."""

    files: int


def remove(session: Session, name: str) -> Forgotten:
    """Remove a schedule, and what it knows of its files. Raises UnknownScheduleError."""
    schedule = find(session.connection(), name)
    files = session.execute(
        text("select count(*) from source_files where schedule_id = :id"), {"id": schedule.id}
    ).scalar_one()
    session.execute(text("delete from schedules where id = :id"), {"id": schedule.id})
    return Forgotten(files)


def run_now(session: Session, name: str) -> datetime:
    """Make a run due now, whatever else goes on; returns its tick. One that waits to try again is woken."""
    conn = session.connection()
    schedule = find(conn, name)
    tick = database_now(conn).replace(microsecond=0)
    conn.execute(text("update schedule_runs set lease_until = null where schedule_id = :id and state = 'due'"),
                 {"id": schedule.id})  # fmt: skip
    while not runs.add_runs(conn, schedule.id, [NewRun(tick)], regardless=True):
        tick += timedelta(seconds=1)  # one was asked for, or came, in this very second
    return tick


@dataclass(frozen=True, slots=True)
class Backfill:
    """Ticks of a range, and how many of them are due now; the others had run, or are due already."""

    ticks: int
    due: int


def backfill(session: Session, name: str, start: str, end: str | None) -> Backfill:
    """Make the ticks from `start` to `end` (or now) due: each takes what was changed since the tick before it.

    ISO 8601; without an offset by the schedule's clock, and a day alone as `end` with the whole of it.
    Raises UnknownScheduleError and BadFieldError.
    """
    conn = session.connection()
    schedule = find(conn, name)
    zone, now = ZoneInfo(schedule.timezone), database_now(conn)
    first = parsed("from", start, lambda given: parse_local(given, zone))
    last = parsed("to", end, lambda given: parse_local(given, zone, whole_day=True)) if end else now
    if first > now:
        raise BadFieldError("from", f"{start} has not come yet")
    found = list(islice(between(schedule.cron, zone, first, min(last, now)), MOST + 1))
    if not found:
        raise BadFieldError("from", f"no tick lies between {start} and {end or 'now'}")
    if len(found) > MOST:
        raise BadFieldError(
            "from", f"more than {MOST} ticks lie between {start} and {end or 'now'}; take them in parts"
        )
    since = [before(schedule.cron, zone, found[0]), *found]
    new = [NewRun(tick, since=earlier, until=tick) for earlier, tick in zip(since, found, strict=False)]
    return Backfill(len(found), runs.add_runs(conn, schedule.id, new, regardless=True, again=True))


def parse_local(given: str, zone: ZoneInfo, *, whole_day: bool = False) -> datetime:
    """A time in UTC; by the zone's clock where it has no offset. Raises ValueError."""
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError(f"{given!r} is no time; write it as 2026-11-30 or 2026-11-30T02:00") from None
    if not 1900 <= found.year < 9000:
        raise ValueError(f"{given!r} is no time that a schedule can have")
    if whole_day and len(given) <= len("2026-11-30"):
        found += timedelta(days=1) - timedelta(microseconds=1)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


SCHEDULES = text("""
    select * from schedules where cast(:name as text) is null or name = :name order by name
""")
RUNS = text("""
    select r.*, b.name as batch, j.jobs, j.cost, p.files as puts
    from unnest(cast(:ids as bigint[])) as wanted (id)
    cross join lateral (
        select * from schedule_runs
        where schedule_id = wanted.id and (cast(:tick as timestamptz) is null or tick = :tick)
        order by tick desc limit :most
    ) r
    left join batches b on b.id = r.batch_id
    left join lateral (
        select jsonb_object_agg(state, jobs) filter (where jobs > 0) as jobs, sum(cost) as cost from (
            select state, count(*) filter (where parent_id is null) as jobs, sum(cost) as cost
            from jobs where batch_id = r.batch_id group by state
        ) states
    ) j on r.batch_id is not null
    left join lateral (
        select jsonb_object_agg(state, files) as files from (
            select p.state, count(*) as files from published_files p join jobs j on j.id = p.job_id
            where j.batch_id = r.batch_id group by p.state
        ) states
    ) p on r.batch_id is not null
    order by r.tick desc
""")
PROBLEMS = text("""
    select tick, path, problem from run_files
    where schedule_id = :id and tick = any(cast(:ticks as timestamptz[])) and problem is not null
    order by tick desc, path limit :most
""")
NOT_PUT = text("""
    select target, state, message, again_at from published_files
    where schedule = :name and state in ('failed', 'out_exists') order by target limit :most
""")


def schedules(
    conn: Connection, *, name: str | None = None, last: int = 3, tick: datetime | None = None
) -> list[dict[str, Any]]:
    """Schedules by name, or one, each with its `last` runs, or the one of `tick`. Raises UnknownScheduleError."""
    rows = conn.execute(SCHEDULES, {"name": name}).mappings().all()
    if name is not None and not rows:
        raise UnknownScheduleError(name)
    found: dict[int, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
    for run in conn.execute(RUNS, {"ids": list(found), "most": last, "tick": tick}).mappings():
        found[run["schedule_id"]].append(run_as_told(run))
    return [{**schedule_as_told(row), "runs": found[row["id"]]} for row in rows]


def run_of(conn: Connection, name: str, tick: datetime) -> dict[str, Any]:
    """One run. Raises UnknownScheduleError, also where the schedule was removed and added anew since."""
    [found] = schedules(conn, name=name, tick=tick)
    if not found["runs"]:
        raise UnknownScheduleError(name)
    run: dict[str, Any] = found["runs"][0]
    return run


def schedule_as_told(row: Any) -> dict[str, Any]:
    fields = ("name", "cron", "timezone", "source", "patterns", "args", "out", "catch_up", "max_age_s", "overlap",
              "webhook", "paused_at")  # fmt: skip
    return {**{each: row[each] for each in fields}, "next_at": None if row["paused_at"] else row["next_at"]}


def run_as_told(row: Any) -> dict[str, Any]:
    fields = ("tick", "state", "since", "until", "batch", "found", "added", "known", "unsettled", "problems", "error",
              "started_at", "finished_at")  # fmt: skip
    return {
        **{each: row[each] for each in fields},
        "again_at": row["lease_until"] if row["state"] == "due" and row["failures"] else None,
        "jobs": row["jobs"] or {},
        "cost": row["cost"] or 0,
        "outputs": row["puts"] or {},
    }


def show(conn: Connection, name: str, *, last: int = 10, most: int = 50) -> dict[str, Any]:
    """One schedule with its runs, the files that they could not take, and outputs that could not be put in place.

    Raises UnknownScheduleError.
    """
    [found] = schedules(conn, name=name, last=last)
    ticks_shown = [run["tick"] for run in found["runs"]]
    problems = conn.execute(PROBLEMS, {"id": find(conn, name).id, "ticks": ticks_shown, "most": most}).mappings()
    not_put = conn.execute(NOT_PUT, {"name": name, "most": most}).mappings()
    return {**found, "problems": [dict(each) for each in problems], "not_put": [dict(each) for each in not_put]}
