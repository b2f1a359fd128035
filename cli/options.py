"""What commands share: the data dir, the database, the batch."""

import getpass
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cli.main import DATA_DIR_HELP, use_data_dir
from models.session import make_engine
from worker.settings import settings
from worker.trail import Actor

if TYPE_CHECKING:
    from worker.operating import Operator

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
#: For so long who waits for jobs bears that Postgres is away.
AWAY_S = 30


def data_dir_option(command: F) -> F:
    """`--data-dir` after the command's name too, where people write it."""
    option = click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        expose_value=False,
        is_eager=True,
        callback=use_data_dir,
        help=DATA_DIR_HELP,
    )
    return option(command)


@contextmanager
def session() -> Iterator[Session]:
    """A session on the settings' database. Raises NoServicesError or sqlalchemy's OperationalError."""
    engine = make_engine(settings().require_database_url(), name="mediajobs-cli", pool_size=1)
    try:
        with Session(engine) as opened:
            yield opened
    finally:
        engine.dispose()


def is_away(error: OperationalError) -> bool:
    """Whether the database cannot be reached, rather than that it could not do what was asked."""
    state = getattr(error.orig, "sqlstate", None)
    # Class 08: connection; 57P: starting up, shutting down; 53300: too many connections.
    return state is None or state.startswith(("08", "57P", "53300"))


def look(opened: Session, read: Callable[[Session], T]) -> T:
    """What `read` finds, in a snapshot of its own. Postgres may be away for half a minute, as when it starts again.

    Raises sqlalchemy's OperationalError when it is away for longer.
    """
    tries = 0
    while True:
        try:
            found = read(opened)
            opened.rollback()
        except OperationalError:
            opened.rollback()
            if tries == 0:
                click.echo("the database does not answer, trying again", err=True)
            tries += 1
            if tries > AWAY_S:
                raise
            time.sleep(1)
        else:
            return found


@contextmanager
def operator() -> Iterator["Operator"]:
    """Who types the command, on a session as above."""
    from worker.operating import Operator  # noqa: PLC0415 - all that acts, for those commands that do

    with session() as opened:
        yield Operator(opened, Actor(user(), "command line"))


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


@contextmanager
def connection() -> Iterator[Connection]:
    with session() as opened:
        yield opened.connection()


class Dollars(click.ParamType[Decimal]):
    """An amount of money."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(str(value).removeprefix("$"))
        except InvalidOperation:
            amount = Decimal(-1)
        if not 0 <= amount < 10**8:
            self.fail(f"{value!r} is no amount in US dollars; write it as 12.50", param, ctx)
        return amount


BUDGET = Dollars()
#: As the database numbers them.
JOB_ID = click.IntRange(1, 2**63 - 1)


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def dollars(amount: Any) -> str:
    """To a hundredth of a cent; less than ten of those, as a chat may cost, to a millionth of a dollar."""
    return f"${amount:,.{4 if amount >= Decimal('0.001') else 6}f}".rstrip("0").rstrip(".") if amount else "$0"


def table(headers: list[str], rows: list[list[str]]) -> str:
    """Plain aligned columns, the last as long as it likes."""
    widths = [max(len(row[place]) for row in [headers, *rows]) for place in range(len(headers) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in [headers, *rows]
    )
