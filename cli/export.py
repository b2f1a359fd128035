"""`mediajobs export`."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cli.options import connection, data_dir_option, plural
from worker import report
from worker.export import SUFFIXES, Form
from worker.export import export as write
from worker.settings import settings
from worker.storage import Storage


class Rate(ProgressColumn):
    """Jobs a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.0f}/s")


@click.command()
@click.argument("batch")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--format", "form", type=click.Choice(["jsonl", "csv", "openai"]), default="jsonl",
              show_default=True, help="openai: the lines of OpenAI's Batch API.")  # fmt: skip
@data_dir_option
def export(batch: str, folder: Path, *, form: Form) -> None:
    """Write BATCH (name or id) into DIR: manifest and files.

    DIR/manifest has a line for each job, in the order of the input; the files
    are under DIR/files. Again: adds only what is new.
    """
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with connection() as conn:
        batch_id = report.find_batch(conn, batch)
        total = report.status(conn, str(batch)).total
        shown = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
        with shown:
            task = shown.add_task("", total=total)
            storage = Storage.open(settings().outputs)
            done = write(conn.engine, storage, batch_id, folder, form=form, on_job=lambda: shown.advance(task))
    already = f", {done.already} were there already" if done.already else ""
    click.echo(
        f"{plural(done.jobs, 'job')}, {plural(done.files, 'new file')}{already}, {done.bytes / 1e6:.1f} MB: "
        f"{folder}/manifest.{SUFFIXES[form]}"
    )
