"""`mediajobs pause`, `resume`, `limits`, `budget`, `costs`."""

import json
import sys
from dataclasses import asdict
from decimal import Decimal

import click
from sqlalchemy.orm import Session

from cli.main import WRONG_USE
from cli.options import BUDGET, F, data_dir_option, dollars, operator, session, table
from models.limit import ACCOUNT
from models.money import DAY, Scope
from worker import reasons, report
from worker.costs import SUBJECTS, By
from worker.costs import costs as read_costs
from worker.fields import parse_time
from worker.operating import doubt, published
from worker.waiting import why


def warn(doubt: str | None) -> None:
    if doubt:
        click.echo(f"warning: {doubt}", err=True)


@click.command()
@click.argument("model", default=ACCOUNT)
@click.option("--until", help="ISO 8601, such as 2026-12-31T18:00+01:00; without a zone it is UTC.")
@click.option("--reason", default="paused by an operator", show_default=True)
@data_dir_option
def pause(model: str, *, until: str | None, reason: str) -> None:
    """Make no more calls of MODEL, or, without one, of any."""
    try:
        end = parse_time(until) if until else None
    except ValueError as error:
        raise click.UsageError(f"--until: {error}") from None
    with operator() as acting:
        warn(doubt(acting.session.connection(), model))
        try:
            acting.pause(model, reason=reason, until=end)
        except ValueError as error:
            raise click.UsageError(f"--until: {error}") from None
        acting.session.commit()
    click.echo(f"paused {'everything' if model == ACCOUNT else model}; calls under way are not cut off")


@click.command()
@click.argument("model", default=ACCOUNT)
@data_dir_option
def resume(model: str) -> None:
    """End the pause of MODEL, or, without one, of the account."""
    with operator() as acting:
        known = acting.resume(model)
        acting.session.commit()
    if not known and model != ACCOUNT:
        click.echo(f"mediajobs: no limit is known for {model}; `mediajobs limits` lists them", err=True)
        sys.exit(WRONG_USE)
    click.echo("the account is resumed; models paused by name stay so" if model == ACCOUNT else f"{model} is resumed")


@click.group(invoke_without_command=True)
@click.pass_context
@data_dir_option
def limits(context: click.Context) -> None:
    """Show what each model may do at once; `limits set` and `limits rm` change it."""
    if context.invoked_subcommand:
        return
    with session() as database:
        states = reasons.model_states(database.connection())
    rows = [
        [
            state.model,
            str(state.in_use),
            str(state.slots),
            str(state.concurrency),
            str(state.per_minute or "-"),
            reason if (reason := why(state)) != "dispatch" else "",
        ]
        for state in sorted(states.values(), key=lambda each: each.model)
    ]
    headers = ["model", "in use", "learned", "set", "a minute", ""]
    click.echo(table(headers, rows) if rows else "no model was used yet")


@limits.command("set")
@click.argument("model")
@click.option("--concurrency", type=click.IntRange(1, 10000), help="Calls or tasks at once, at most.")
@click.option("--start", type=click.IntRange(1, 10000), help="At once to begin with; then it is learned.")
@click.option("--per-minute", type=click.IntRange(0, 100000), help="Calls a minute at most; 0: as the slots allow.")
@data_dir_option
def set_limit(model: str, *, concurrency: int | None, start: int | None, per_minute: int | None) -> None:
    """Set how much MODEL may do; it holds at once, without a restart.

    What the provider bears is learned below --concurrency: fewer at once
    when it says that there are too many, more while all is well.
    """
    if concurrency is None and start is None and per_minute is None:
        raise click.UsageError("say --concurrency, --start or --per-minute")
    with operator() as acting:
        warn(doubt(acting.session.connection(), model))
        try:
            now = acting.set_limit(model, concurrency=concurrency, start=start, per_minute=per_minute)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        acting.session.commit()
    rate = f"{now.per_minute} calls a minute at most" if now.per_minute else "no limit of calls a minute"
    click.echo(f"{model}: {now.learned} at once now, {now.concurrency} at most; {rate}")


@limits.command("rm")
@click.argument("model")
@data_dir_option
def remove_limit(model: str) -> None:
    """Take away what was set and learned for MODEL: its published limit holds.

    A model that no job has is forgotten altogether, its pause too.
    """
    with operator() as acting:
        done = acting.remove_limit(model)
        acting.session.commit()
    match done:
        case None:
            click.echo(f"mediajobs: no limit is known for {model}; `mediajobs limits` lists them", err=True)
            sys.exit(WRONG_USE)
        case "forgotten":
            click.echo(f"{model} is forgotten: no job has it")
        case "reset":
            click.echo(f"{model}: {published(model)} at once at most, as published; fewer where less is borne")


def scope_of(database: Session, batch: str | None, model: str | None, *, day: bool) -> Scope:
    """The one budget that was named. Raises UsageError where it was none, or more."""
    if sum((batch is not None, model is not None, day)) != 1:
        raise click.UsageError("name one: --batch, --model or --day")
    if batch is not None:
        return "batch", str(report.find_batch(database.connection(), batch))
    return ("model", model) if model is not None else DAY


def scope_options(command: F) -> F:
    for option in (
        click.option("--day", is_flag=True, help="Of each day (UTC), all models together."),
        click.option("--model", help="Of a model."),
        click.option("--batch", help="Of a batch (name or id)."),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True)
@click.pass_context
@data_dir_option
def budget(context: click.Context) -> None:
    """Show budgets; `budget set` and `budget rm` change them.

    A job that would pass a budget waits; nothing fails. What lost answers
    may have cost counts as spent.
    """
    if context.invoked_subcommand:
        return
    with session() as database:
        found = reasons.budget_states(database.connection())
    rows = [
        [each.name, dollars(each.amount), dollars(each.spent), dollars(each.reserved), dollars(each.left)]
        for each in found.values()
    ]
    click.echo(table(["budget of", "amount", "spent", "reserved", "left"], rows) if rows else "no budget is set")


@budget.command("set")
@click.argument("amount", type=BUDGET)
@scope_options
@data_dir_option
def set_budget(amount: Decimal, *, batch: str | None, model: str | None, day: bool) -> None:
    """Allow AMOUNT US dollars; what was spent before counts."""
    with operator() as acting:
        scope = scope_of(acting.session, batch, model, day=day)
        warn(doubt(acting.session.connection(), model) if model is not None else None)
        state = acting.set_budget(scope, amount)
        acting.session.commit()
    click.echo(f"{state.name}: {dollars(state.amount)}, of which {dollars(state.spent)} is spent")


@budget.command("rm")
@scope_options
@data_dir_option
def remove_budget(*, batch: str | None, model: str | None, day: bool) -> None:
    """Take a budget away: no limit from then on."""
    with operator() as acting:
        there = acting.remove_budget(scope_of(acting.session, batch, model, day=day))
        acting.session.commit()
    if not there:
        click.echo("mediajobs: there is no such budget; `mediajobs budget` lists them", err=True)
        sys.exit(WRONG_USE)
    click.echo("removed")


@click.command("costs")
@click.option("--by", type=click.Choice(list(SUBJECTS)), default="day", show_default=True, help="A row for each.")
@click.option("--batch", help="Of this batch alone (name or id).")
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array.")
@data_dir_option
def costs(*, by: By, batch: str | None, as_json: bool) -> None:
    """Say what was spent, in US dollars.

    By the published prices, or yours (MEDIAJOBS_PRICES). `possibly` is what
    lost answers would add if all of them were charged.
    """
    with session() as database:
        conn = database.connection()
        found = read_costs(conn, by, batch_id=report.find_batch(conn, batch) if batch is not None else None)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], default=report.as_json))
        return
    rows = [[e.subject, str(e.requests), dollars(e.cost), dollars(e.possibly)] for e in found]
    if len(rows) > 1:
        total = sum((e.cost for e in found), Decimal(0)), sum((e.possibly for e in found), Decimal(0))
        rows.append(["total", "", *map(dollars, total)])
    click.echo(table([by, "requests", "cost", "possibly"], rows) if rows else "nothing was spent")
