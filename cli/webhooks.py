"""`mediajobs webhooks`."""

import json
import sys

import click

from cli.main import WRONG_USE
from cli.options import JOB_ID, data_dir_option, operator, plural, session, table
from worker import report
from worker.addresses import networks
from worker.settings import settings
from worker.webhooks import EVENTS, manage

STATES = ("pending", "delivered", "failed")


@click.group(invoke_without_command=True)
@click.pass_context
@data_dir_option
def webhooks(context: click.Context) -> None:
    """Show who is told of what; the commands below change it.

    A batch's own URL (submit --webhook) is told of that batch's end, and is
    not listed here.
    """
    if context.invoked_subcommand:
        return
    with session() as database:
        found = manage.listed(database.connection())
    rows = [
        [
            str(each["id"]),
            str(each["delivered"]),
            str(each["pending"]),
            str(each["failed"]),
            f"{each['url']} ({', '.join(each['events'])})"
            + (f"; stopped: {each['stopped']}" if each["stopped"] else ""),
        ]
        for each in found
    ]
    headers = ["id", "delivered", "pending", "failed", "of the last 7 days"]
    click.echo(table(headers, rows) if rows else "nobody is told of anything; `webhooks add URL` changes that")


@webhooks.command("add")
@click.argument("url")
@click.option("--event", "events", type=click.Choice(list(EVENTS)), multiple=True,
              help="Of this; may be given several times.  [default: all but jobs that succeeded]")  # fmt: skip
@data_dir_option
def add(url: str, *, events: tuple[str, ...]) -> None:
    """Tell URL of events from now on; again: of these instead. Prints its secret."""
    wanted = events or [each for each in EVENTS if each != "job.succeeded"]
    with operator() as acting:
        try:
            webhook = acting.add_webhook(url, wanted, allowed=networks(settings().webhook_allow))
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        secret = manage.secret_for(acting.session.connection(), url)
        acting.session.commit()
    click.echo(f"webhook {webhook} is told of {', '.join(wanted)}; its secret:")
    click.echo(secret)


@webhooks.command("rm")
@click.argument("webhook", type=JOB_ID)
@data_dir_option
def remove(webhook: int) -> None:
    """Tell it nothing more; what it was still to be told is given up."""
    with operator() as acting:
        there = acting.remove_webhook(webhook)
        acting.session.commit()
    if not there:
        click.echo(f"mediajobs: there is no webhook {webhook}; `mediajobs webhooks` lists them", err=True)
        sys.exit(WRONG_USE)
    click.echo("removed")


@webhooks.command("secret")
@click.argument("url")
@data_dir_option
def secret(url: str) -> None:
    """Print the secret by which the receiver at URL knows our messages.

    All URLs of one scheme, host and port have one secret.
    """
    with session() as database:
        try:
            found = manage.secret_for(database.connection(), url)
        except ValueError as error:
            raise click.UsageError(f"{url} {error}") from None
        database.commit()
    click.echo(found)


@webhooks.command("rotate")
@data_dir_option
def rotate() -> None:
    """Give every receiver a new secret; the old ones are good for a day."""
    with operator() as acting:
        acting.rotate_secrets()
        acting.session.commit()
    click.echo("all secrets are new; `webhooks secret URL` prints them, and the old ones are good for a day")


@webhooks.command("log")
@click.option("--state", type=click.Choice(STATES), help="In this state.")
@click.option("--batch", help="About this batch (name or id).")
@click.option("--before", type=JOB_ID, help="Only ids below this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array.")
@data_dir_option
def log(*, state: str | None, batch: str | None, before: int | None, limit: int, as_json: bool) -> None:
    """List messages, the newest first."""
    with session() as database:
        conn = database.connection()
        batch_id = report.find_batch(conn, batch) if batch is not None else None
        found = manage.deliveries(conn, state=state, batch=batch_id, before=before, limit=limit)
    if as_json:
        click.echo(json.dumps(found, default=report.as_json, ensure_ascii=False))
        return
    rows = [[str(each["id"]), each["event"], each["state"], str(each["tries"]), said(each)] for each in found]
    click.echo(table(["id", "event", "state", "tries", ""], rows) if rows else "no such messages")
    if len(found) == limit:
        click.echo(f"more: --before {found[-1]['id']}")


def said(message: dict[str, object]) -> str:
    """What a message is about, and what went wrong with it."""
    about = message["batch"] or (f"job {message['job']}" if message["job"] else "")
    return ": ".join(str(each) for each in (about, message["error"]) if each)


@webhooks.command("replay")
@click.argument("messages", metavar="ID...", type=JOB_ID, nargs=-1)
@click.option("--failed", is_flag=True, help="All that were given up.")
@data_dir_option
def replay(messages: tuple[int, ...], *, failed: bool) -> None:
    """Send messages once more, under the same message ids."""
    if not messages and not failed:
        raise click.UsageError("name messages by their ids, or use --failed; `webhooks log` lists them")
    with operator() as acting:
        count = acting.replay(messages or None, state="failed" if failed else None)
        acting.session.commit()
    if count < len(messages):
        click.echo(f"mediajobs: {plural(len(messages) - count, 'id')} of no such message", err=True)
    click.echo(f"{plural(count, 'message')} to be sent once more")
    sys.exit(WRONG_USE if count < len(messages) else 0)
