"""`mediajobs schedule`: recordings that are transcribed as they come."""

import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from cli.main import FAILED
from cli.oneoff import HEARING, fields_of, of_transcription
from cli.options import data_dir_option, dollars, operator, plural
from models.state import JobState
from worker import scheduling
from worker.cron import explain
from worker.forecast import in_words
from worker.operating import Operator
from worker.patterns import SOUND
from worker.report import as_json
from worker.scheduling import BadFieldError, FirstLook, NameTakenError, Plan, UnknownScheduleError

EVERY_S = 0.3
#: Fields that have an option of their own; the others are given by --set.
OPTIONS = {"cron", "timezone", "source", "pattern", "out", "max-age", "webhook", "from", "to", *HEARING}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Age(click.ParamType[int]):
    """A span of time; in seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
        if not found:
            self.fail(f"{value!r} is no span of time; write it as 3d, 12h or 90m", param, ctx)
        return int(found[1]) * SECONDS[found[2]]


@contextmanager
def opened() -> Iterator[Operator]:
    """Who types the command, on a session; mistakes in what was asked for end as wrong use."""
    try:
        with operator() as acting:
            yield acting
    except BadFieldError as error:
        field = f"--{error.field}" if error.field in OPTIONS else error.field
        raise click.UsageError(f"{field}{str(error).removeprefix(error.field)}") from None
    except (NameTakenError, UnknownScheduleError) as error:
        raise click.UsageError(str(error)) from None


@click.group()
@data_dir_option
def schedule() -> None:
    """Transcribe what is new in a folder or a bucket, at set times."""


@schedule.command()
@click.argument("name")
@click.option("--cron", required=True, help='Minute, hour, day, month, weekday: "0 2 * * *" is 02:00 every day.')
@click.option("--timezone", default="UTC", show_default=True, help="Such as Europe/Berlin.")
@click.option("--source", required=True, metavar="DIR|s3://...", help="Where the recordings are.")
@click.option("--pattern", "patterns", multiple=True,
              help='Which of them, such as "**/*.m4a"; with ! in front: which not. May be repeated.  '
                   "[default: all sound]")  # fmt: skip
@of_transcription
@click.option(
    "--out", metavar="beside|DIR|s3://...", help="Put the transcripts there too; beside: by their recordings."
)
@click.option("--catch-up", type=click.Choice(["skip", "once", "all"]), default="once", show_default=True,
              help="Of the times that were missed: run none, one for all of them, or each.")  # fmt: skip
@click.option("--max-age", "max_age_s", type=Age(), default="3d", show_default=True,
              help="What was missed for longer is not caught up on.")  # fmt: skip
@click.option("--overlap", type=click.Choice(["skip", "queue"]), default="skip", show_default=True,
              help="While the run before has not ended: leave this one out, or let it wait.")  # fmt: skip
@click.option("--webhook", help="URL that is told when a batch of it has finished.")
@click.option("--replace", is_flag=True, help="Change the schedule of this name; it still knows its files.")
@click.option("--no-check", is_flag=True, help="Do not look at the source: it is on the workers' machine alone.")
@data_dir_option
def add(name: str, *, more: tuple[str, ...], replace: bool, no_check: bool, **given: Any) -> None:
    """Add a schedule.

    At its times it lists the source, and makes a batch of the files that are
    new or have changed. The first run takes all that is there.
    """
    args = {each: given.pop(each) for each in HEARING}
    args = {field: value for field, value in args.items() if value is not None} | fields_of(more)
    with opened() as acting:
        plan, warnings = scheduling.plan(name=name, args=args, **given)
        seen = None if no_check else scheduling.look(plan)
        next_at = acting.add_schedule(plan, replace=replace)
        acting.session.commit()
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"{name!r}: {explain(plan.cron)} ({plan.timezone}); next: {when(next_at, plan.timezone)}")
    if seen is not None:
        click.echo(first_look(seen, plan))


def first_look(seen: FirstLook, plan: Plan) -> str:
    if not seen.files:
        return f"nothing in {plan.source} matches now"
    more = "more than " if seen.more else ""
    return f"{more}{plural(seen.files, 'file')} in {plan.source} ({seen.bytes / 1e6:,.1f} MB) match now"


@schedule.command("list")
@click.option("--json", "as_json_", is_flag=True, help="As JSON, one array.")
@data_dir_option
def list_(*, as_json_: bool) -> None:
    """List schedules: when they run next, and how the last runs went."""
    with opened() as acting:
        found = scheduling.schedules(acting.session.connection())
        now = scheduling.database_now(acting.session.connection())
    if as_json_:
        click.echo(json.dumps(found, default=as_json, ensure_ascii=False))
        return
    if not found:
        click.echo("there is no schedule; `mediajobs schedule add` makes one")
    for each in found:
        tell(each, now)


@schedule.command()
@click.argument("name")
@click.option("--json", "as_json_", is_flag=True, help="As JSON.")
@data_dir_option
def show(name: str, *, as_json_: bool) -> None:
    """Show one schedule: its last runs, and what they could not take or put."""
    with opened() as acting:
        found = scheduling.show(acting.session.connection(), name)
        now = scheduling.database_now(acting.session.connection())
    if as_json_:
        click.echo(json.dumps(found, default=as_json, ensure_ascii=False))
        return
    tell(found, now)
    fields = json.dumps(found["args"], ensure_ascii=False)
    days, rest = divmod(found["max_age_s"], 86400)
    age = f"{days} d" if not rest else in_words(found["max_age_s"])
    say(f"  catch-up {found['catch_up']}, within {age}; overlap {found['overlap']}; fields {fields}")
    if found["webhook"]:
        say(f"  webhook {found['webhook']}")
    for each in found["problems"]:
        say(f"  {when(each['tick'], found['timezone'])}  {each['path']}: {each['problem']}")
    for each in found["not_put"]:
        again = f"; again {when(each['again_at'], found['timezone'])}" if each["again_at"] else ""
        say(f"  {each['state']}: {each['target']}: {each['message']}{again}")


@schedule.command()
@click.argument("name")
@data_dir_option
def pause(name: str) -> None:
    """Make no more runs of NAME; one that has begun goes on."""
    with opened() as acting:
        acting.pause_schedule(name)
        acting.session.commit()
    click.echo(f"{name!r} is paused; `mediajobs schedule resume` goes on")


@schedule.command()
@click.argument("name")
@data_dir_option
def resume(name: str) -> None:
    """Go on with NAME; what was missed meanwhile is not caught up on."""
    with opened() as acting:
        zone = scheduling.find(acting.session.connection(), name).timezone
        next_at = acting.resume_schedule(name)
        acting.session.commit()
    click.echo(f"{name!r} is resumed; next: {when(next_at, zone)}")


@schedule.command()
@click.argument("name")
@click.option("--from", "start", help="Run the times since then too: 2026-11-01, or 2026-11-01T02:00.")
@click.option("--to", "end", help="Up to then, a day with the whole of it.  [default: now]")
@click.option("--wait", is_flag=True, help="Until the run has made its batch; exit 1 if it failed.")
@data_dir_option
def run(name: str, *, start: str | None, end: str | None, wait: bool) -> None:
    """Run NAME now; or, with --from, for each of its times in a range.

    Of a range each run takes what was changed since the time before it.
    Files that are done are done: nothing is transcribed twice.
    """
    if end is not None and start is None:
        raise click.UsageError("--to takes --from")
    if wait and start is not None:
        raise click.UsageError("--wait is for one run, not for a range")
    with opened() as acting:
        if start is not None:
            made = acting.backfill(name, start, end)
            acting.session.commit()
            had = f"; {made.ticks - made.due} had run, or are due already" if made.ticks > made.due else ""
            click.echo(f"{plural(made.due, 'run')} due{had}")
            return
        zone = scheduling.find(acting.session.connection(), name).timezone
        tick = acting.run_schedule(name)
        acting.session.commit()
        click.echo(f"the run of {when(tick, zone)} is due")
        if wait:
            follow(acting.session, name, tick)


def follow(database: Session, name: str, tick: datetime) -> None:
    """Until the run has ended; tell how."""
    while True:
        found = scheduling.run_of(database.connection(), name, tick)
        database.rollback()  # each look is a new snapshot
        if found["finished_at"] or found["again_at"]:
            break
        time.sleep(EVERY_S)
    click.echo(outcome(found))
    if found["batch"]:
        click.echo(f"batch {found['batch']!r}")
    if found["state"] != "done":
        sys.exit(FAILED)


@schedule.command()
@click.argument("name")
@data_dir_option
def rm(name: str) -> None:
    """Remove NAME. Its batches, jobs and transcripts stay.

    It forgets which files are done: a new schedule of the same source would
    transcribe them again. `add --replace` changes one without that.
    """
    with opened() as acting:
        files = acting.remove_schedule(name).files
        acting.session.commit()
    click.echo(f"{name!r} is removed; {plural(files, 'file')} that it had done are not known any more")


def tell(found: dict[str, Any], now: datetime) -> None:
    zone = found["timezone"]
    patterns = "all sound" if found["patterns"] == [SOUND] else ", ".join(found["patterns"])
    say(f"{found['name']}: {explain(found['cron'])} ({zone})")
    say(f"  {found['source']}: {patterns}" + (f" -> {found['out']}" if found["out"] else ""))
    if found["paused_at"]:
        say(f"  paused since {when(found['paused_at'], zone)}")
    elif found["next_at"] is None:
        say("  never again")
    else:
        left_s = (found["next_at"] - now).total_seconds()
        say(f"  next: {when(found['next_at'], zone)}, " + (f"in {in_words(left_s)}" if left_s > 0 else "now"))
    for each in found["runs"]:
        say(f"  {when(each['tick'], zone)}  {outcome(each)}")


def outcome(run: dict[str, Any]) -> str:
    """How a run went, in words."""
    match run["state"]:
        case "due" if run["again_at"]:
            return f"tries again at {run['again_at']:%H:%M:%S} UTC: {run['error']}"
        case "due":
            return "due"
        case "listing":
            return "looking what is new"
        case "failed" | "skipped":
            return f"{run['state']}: {run['error']}"
    parts = [f"{run['added']:,} new of {plural_of(run['found'])}" if run["found"] else "no file matches"]
    for field, what in (
        ("known", "known already (moved, copied or touched)"),
        ("unsettled", "still being written"),
        ("problems", "not taken"),
    ):
        if run[field]:
            parts.append(f"{run[field]:,} {what}")
    told = ", ".join(parts)
    if run["jobs"]:
        states = [f"{run['jobs'][state]:,} {state}" for state in JobState if state in run["jobs"]]
        told += f"; {', '.join(states)}, {dollars(run['cost'])}"
    if lost := {state: run["outputs"][state] for state in ("failed", "out_exists") if state in run["outputs"]}:
        told += f"; not put: {', '.join(f'{count:,} {state}' for state, count in lost.items())}"
    return told


def plural_of(files: int) -> str:
    return f"{files:,} file" if files == 1 else f"{files:,} files"


def when(instant: datetime, zone: str) -> str:
    """By the schedule's clock."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M:%S %Z}" if local.second else f"{local:%Y-%m-%d %H:%M %Z}"


def say(line: str) -> None:
    """A line, broken where the terminal ends; paths and URLs stay whole."""
    width = max(shutil.get_terminal_size((80, 24)).columns, 40)
    click.echo(textwrap.fill(line, width, subsequent_indent="      ", break_long_words=False, break_on_hyphens=False))
