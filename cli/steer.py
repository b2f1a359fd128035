"""`mediajobs pause`, `resume`, `limits`."""

import sys
from datetime import UTC, datetime

import click
from sqlalchemy import text

from cli.main import WRONG_USE
from cli.options import data_dir_option, session, table
from models import slots
from models.limit import ACCOUNT
from worker import report
from worker.kick import kick
from worker.waiting import why


@click.command()
@click.argument("model", default=ACCOUNT)
@click.option("--until", type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]), help="UTC.")
@click.option("--reason", default="paused by an operator", show_default=True)
@data_dir_option
def pause(model: str, *, until: datetime | None, reason: str) -> None:
    """Make no more calls of MODEL, or, without one, of any."""
    seconds = (until.replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds() if until else None
    if seconds is not None and seconds <= 0:
        raise click.UsageError(f"--until {until} is over already")
    with session() as database:
        slots.pause(database.connection(), model, reason=reason, for_s=seconds)
        database.commit()
    click.echo(f"paused {'everything' if model == ACCOUNT else model}; calls under way are not cut off")


@click.command()
@click.argument("model", default=ACCOUNT)
@data_dir_option
def resume(model: str) -> None:
    """End the pause of MODEL, or, without one, of the account."""
    with session() as database:
        known = slots.resume(database.connection(), model)
        database.commit()
    if not known and model != ACCOUNT:
        click.echo(f"mediajobs: no limit is known for {model}; `mediajobs limits` lists them", err=True)
        sys.exit(WRONG_USE)
    kick()
    click.echo(f"resumed {'everything' if model == ACCOUNT else model}")


@click.group(invoke_without_command=True)
@click.pass_context
@data_dir_option
def limits(context: click.Context) -> None:
    """Show what each model may do at once; `limits set` changes it."""
    if context.invoked_subcommand:
        return
    with session() as database:
        states = report.model_states(database.connection())
    rows = [
        [
            state.model,
            str(state.in_use),
            str(state.slots),
            str(state.concurrency),
            reason if (reason := why(state)) != "dispatch" else "",
        ]
        for state in sorted(states.values(), key=lambda each: each.model)
    ]
    click.echo(table(["model", "in use", "slots", "set", ""], rows) if rows else "no model was used yet")


@limits.command("set")
@click.argument("model")
@click.option("--concurrency", type=click.IntRange(1, 10000), required=True, help="Calls or tasks at once.")
@data_dir_option
def set_limit(model: str, *, concurrency: int) -> None:
    """Set how much MODEL may do at once; it holds at once, without a restart."""
    with session() as database:
        database.execute(
            text("""
                insert into limits (model, concurrency, learned) values (:model, :concurrency, :concurrency)
                on conflict (model) do update set concurrency = :concurrency, learned = :concurrency
            """),
            {"model": model, "concurrency": concurrency},
        )
        database.commit()
    kick()
    click.echo(f"{model}: {concurrency} at once")
