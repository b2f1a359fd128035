"""`mediajobs keys`."""

import sys
from datetime import datetime

import click

from cli.main import WRONG_USE
from cli.options import data_dir_option, operator, session, table
from worker.keys import KeyNameTakenError, Role
from worker.keys import keys as read_keys


@click.group()
def keys() -> None:
    """Say who may use the dashboard and the HTTP API.

    As long as there is no key, whoever reaches them on this machine may do
    all; with the first key they ask for one.
    """


@keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice([each.value for each in Role]), default=Role.VIEWER.value, show_default=True,
              help="viewer sees; operator acts on jobs; admin sets limits, budgets and keys.")  # fmt: skip
@data_dir_option
def add(name: str, *, role: str) -> None:
    """Make a key for NAME and print it. It is shown this once."""
    with operator() as acting:
        try:
            key = acting.add_key(name, Role(role))
        except (ValueError, KeyNameTakenError) as error:
            click.echo(f"mediajobs: {error}", err=True)
            sys.exit(WRONG_USE)
        acting.session.commit()
    click.echo(key)


@keys.command("list")
@data_dir_option
def list_keys() -> None:
    """List the keys by name, with their roles."""
    with session() as database:
        found = read_keys(database.connection())
    rows = [[each.name, each.role, day(each.created_at), day(each.used_at)] for each in found]
    click.echo(table(["name", "role", "made", "used"], rows) if rows else "there is no key; `mediajobs keys add`")


def day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d}" if at else "never"


@keys.command()
@click.argument("name")
@data_dir_option
def rm(name: str) -> None:
    """Take the key of NAME away: its browsers are logged out at once."""
    with operator() as acting:
        there = acting.remove_key(name)
        acting.session.commit()
    if not there:
        click.echo(f"mediajobs: there is no key {name!r}; `mediajobs keys list` names them", err=True)
        sys.exit(WRONG_USE)
    click.echo("removed")
