"""`mediajobs prune`."""

import sys
from datetime import timedelta
from typing import Any

import click

from cli.options import data_dir_option, operator, plural
from models import prune as record
from models.session import make_engine
from worker.ages import parse_age
from worker.settings import settings
from worker.storage import Storage
from worker.upkeep.prune import prune as take_away


class Age(click.ParamType[timedelta]):
    """How long ago."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_age(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--older-than", "age", type=Age(), required=True, help="Such as 30d; 12h and 8w are ages too.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed; remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir_option
def prune(age: timedelta, *, dry_run: bool, yes: bool) -> None:
    """Remove what ended long ago: batches, jobs, their history and files.

    A batch is removed when all its jobs have ended before that, and then as a
    whole; submitted again, its rows are new, and are paid for. Exported files
    stay. What has not ended, or waits for a decision, is never removed.
    """
    engine = make_engine(settings().require_database_url(), name="mediajobs-prune", pool_size=1)
    try:
        with engine.connect() as conn:
            before = record.time_of(conn, age)
            plan = record.plan(conn, before)
        click.echo(f"{in_words(plan)}, which ended before {before:%Y-%m-%d %H:%M %Z}")
        if dry_run or not plan.batches + plan.jobs:
            click.echo("nothing was removed")
            return
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("this cannot be undone; where nobody can be asked, say --yes")
            click.confirm("Remove them, for good?", abort=True)
        with operator() as acting:
            acting.note("prune", f"what ended before {before:%Y-%m-%d %H:%M %Z}", jobs=plan.jobs, batches=plan.batches)
            acting.session.commit()
        done = take_away(engine, Storage.open(settings().outputs), age)
    finally:
        engine.dispose()
    batches = f"{done.batches} batch{'es' * (done.batches != 1)}"
    click.echo(f"removed {plural(done.jobs, 'job')} and {plural(done.files, 'file')}; {batches}")


def in_words(plan: record.Plan) -> str:
    size = f" of {plan.bytes / 1e9:,.1f} GB" if plan.bytes >= 10**8 else ""
    alone = f", {plan.alone:,} of them without a batch" if plan.alone else ""
    batches = f"{plan.batches:,} batch{'es' * (plan.batches != 1)}"
    return f"{batches} and {plan.jobs:,} job{'s' * (plan.jobs != 1)}{alone}, with {plan.files:,} files{size}"
