"""`mediajobs watch`, and the waiting of `submit --wait`."""

import shlex
import sys
import time
from collections.abc import Callable

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.options import data_dir_option, dollars, look, session
from cli.status import pieces_in_words
from models.state import FINAL, JobState
from worker.report import Status
from worker.report import status as read_status

EVERY_S = 0.5
#: Without a terminal: a line at each change, at most this often.
LINE_EVERY_S = 5.0


def summary(found: Status) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items())
    pieces = f"; pieces: {pieces_in_words(found.pieces)}" if found.pieces["total"] else ""
    return f"{found.finished}/{found.total} ended ({counts}), {dollars(found.cost)}{pieces}"


def active(found: Status) -> int:
    return sum(count for state, count in found.counts.items() if state not in FINAL and state != JobState.QUEUED)


def standstill(found: Status) -> str:
    """Why nothing moves: for what the queued jobs wait while no job is under way; "" if one is."""
    if active(found):
        return ""
    return "\n".join(f"{count} queued, waiting for: {reason}" for reason, count in found.waiting_for.items())


def over(found: Status) -> bool:
    """Nothing moves any more without a person."""
    return found.finished + found.stuck + found.behind >= found.total


def follow(batch: str | None, *, quiet: bool = False) -> Status:
    """Show progress, unless `quiet`, until the batch is over; returns how it stands then."""
    console = Console()
    with session() as opened:
        opened.connection()  # away from the beginning: said at once

        def read() -> Status:
            return look(opened, lambda each: read_status(each.connection(), batch))

        return follow_bar(read, console) if console.is_terminal and not quiet else follow_lines(read, quiet=quiet)


def follow_bar(read: Callable[[], Status], console: Console) -> Status:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    found = read()
    began, at_first = time.monotonic(), found.finished
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(found.batch or "all", total=found.total, rate="", note="")
        told = ""
        while True:
            failed = found.counts.get(JobState.FAILED, 0)
            note = f"{active(found)} active, {failed} failed, {dollars(found.cost)}"
            if found.pieces["total"]:
                note += f"; pieces {found.pieces['done']}/{found.pieces['total']}"
            rate = (found.finished - at_first) / max(time.monotonic() - began, 0.1)
            progress.update(task, completed=found.finished, total=found.total, note=note, rate=f"{rate:.1f}/s")
            if over(found):
                return found
            if (reason := standstill(found)) and reason != told:
                progress.console.print(reason, markup=False, highlight=False)
                told = reason
            time.sleep(EVERY_S)
            found = read()


def follow_lines(read: Callable[[], Status], *, quiet: bool) -> Status:
    shown, at = "", 0.0
    while True:
        found = read()
        line = summary(found)
        if not over(found) and (reason := standstill(found)):
            line += f"\n{reason}"
        if not quiet and (over(found) or (line != shown and time.monotonic() - at > LINE_EVERY_S)):
            click.echo(line)
            shown, at = line, time.monotonic()
        if over(found):
            return found
        time.sleep(EVERY_S)


def finish(found: Status) -> None:
    """Exit 0 only if all succeeded."""
    good = found.counts.get(JobState.SUCCEEDED, 0)
    batch = f" --batch {shlex.quote(found.batch)}" if found.batch else ""
    for state, count in found.counts.items():
        if state in (JobState.FAILED, JobState.HELD, JobState.CANCELLED):
            then = ", then `mediajobs resolve` decides: their outcome is unknown" if state == JobState.HELD else ""
            click.echo(f"{count} {state}: `mediajobs jobs{batch} --state {state}` lists why{then}", err=True)
    if good < found.total:
        click.echo(f"{found.total - good} of {found.total} did not succeed", err=True)
        sys.exit(1)


@click.command()
@click.argument("batch", required=False)
@data_dir_option
def watch(batch: str | None) -> None:
    """Follow a batch (name or id), or everything, until it ends.

    Exits 0 only if all jobs succeeded.
    """
    found = follow(batch)
    if sys.stdout.isatty():
        click.echo(summary(found))
    finish(found)
