"""`mediajobs image`, `video`, `transcribe`: one job, waited for."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from sqlalchemy import text
from sqlalchemy.orm import Session

from cli.main import FAILED, WRONG_USE
from cli.options import F, data_dir_option, look, session
from models.state import FINAL, JobState
from worker import report
from worker.producer import enqueue
from worker.settings import settings
from worker.storage import Storage
from worker.wording import explain

EVERY_S = 0.3
#: Where nobody sees a spinner, what it would say is told once, of a job that waits so long.
TELL_AFTER_S = 3
STATES = text("select state, count(*) as jobs, min(id) as first from jobs where id = any(:ids) group by state")


def run(kind: str, inputs: Sequence[dict[str, Any]]) -> None:
    """Enqueue, wait, and print where the outputs are; exit 1 if a job did not succeed."""
    with session() as database:
        job_ids: list[int] = []
        for given in inputs:
            try:
                job_ids += enqueue(database, kind, {name: value for name, value in given.items() if value is not None})
            except ValidationError as error:
                for each in error.errors(include_url=False):
                    field, message = explain(each)
                    click.echo(f"mediajobs: {field}: {message}", err=True)
                sys.exit(WRONG_USE)
            except ValueError as error:  # it begins with the field's name
                click.echo(f"mediajobs: {error}", err=True)
                sys.exit(WRONG_USE)
        database.commit()
        wait(database, job_ids)
        good = [tell(database, job_id) for job_id in job_ids]
    if not all(good):
        sys.exit(FAILED)


def wait(database: Session, job_ids: list[int]) -> None:
    """Until none of them moves without a person."""
    console = Console(stderr=True)
    began, told = time.monotonic(), False
    with console.status("queued") as shown:
        while True:
            found, why = look(database, lambda each: standing(each, job_ids))
            if set(found) <= {*FINAL, JobState.HELD}:
                return
            line = ", ".join(f"{count} {state}" for state, count in sorted(found.items()))
            if why:
                line += f", waiting for: {why}"
            shown.update(escape(line))
            if why and not (told or console.is_terminal) and time.monotonic() - began > TELL_AFTER_S:
                click.echo(line, err=True)
                told = True
            time.sleep(EVERY_S)


def standing(database: Session, job_ids: list[int]) -> tuple[dict[str, int], str | None]:
    """Jobs by state, and for what the first of them waits where none is under way."""
    rows = database.execute(STATES, {"ids": job_ids}).all()
    found = {row.state: row.jobs for row in rows}
    waiting = next((row.first for row in rows if row.state == JobState.QUEUED), None)
    if waiting is None or not set(found) <= {*FINAL, JobState.HELD, JobState.QUEUED}:
        return found, None
    job = report.show(database.connection(), waiting)
    return found, job["waiting_for"] if job else None


def tell(database: Session, job_id: int) -> bool:
    job = report.show(database.connection(), job_id)
    assert job is not None
    if job["state"] != JobState.SUCCEEDED:
        held = "; `mediajobs resolve` decides it" if job["state"] == JobState.HELD else ""
        click.echo(f"job {job_id} {job['state']}: {job['error_code']}: {job['error_message']}{held}", err=True)
        return False
    for problem in job["problems"]:
        click.echo(f"note: {job['args']['file']} {problem}", err=True)
    storage = Storage.open(settings().outputs)
    for output in job["outputs"]:
        if output["text"] is not None:
            click.echo(output["text"])
        click.echo(storage.local_path(output["location"]) or f"{settings().outputs}/{output['location']}")
    return True


def fields_of(given: tuple[str, ...]) -> dict[str, str]:
    """`--set field=value`, for the fields without an option of their own."""
    fields = dict(each.partition("=")[::2] for each in given)
    if "" in fields or not all("=" in each for each in given):
        raise click.UsageError("--set takes field=value")
    return fields


SET = click.option("--set", "more", multiple=True, metavar="FIELD=VALUE", help="Any other field of the API.")


#: The fields of a transcription, but for its file.
HEARING = {
    "model": click.option("--model", help="[default: glm-asr-2512]"),
    "language": click.option("--language", help="Sent as it is."),
    "prompt": click.option("--prompt", help="What was said before, or what names to expect."),
    "context": click.option(
        "--context", is_flag=True, default=None, help="Long ones: tell each piece what the one before said."
    ),
    "pieces": click.option(
        "--pieces", type=click.Choice(["wav", "mp3"]), help="Long ones: as what pieces go out.  [default: wav]"
    ),
    "stream": click.option("--stream", is_flag=True, default=None, help="Have the text come as it is recognised."),
}


def of_transcription(command: F) -> F:
    """The options of HEARING, and SET."""
    for option in reversed([*HEARING.values(), SET]):
        command = option(command)
    return command


@click.command()
@click.argument("prompt")
@click.option("--model", help="[default: cogview-4-250304]")
@click.option("--size", help="Such as 1024x1024.")
@click.option("--quality", help="hd or standard.")
@click.option("-n", "n", type=int, help="How many; each is a job.")
@SET
@data_dir_option
def image(prompt: str, *, more: tuple[str, ...], **fields: Any) -> None:
    """Make an image of PROMPT, wait for it, and print where it is."""
    run("image", [{"prompt": prompt, **fields, **fields_of(more)}])


@click.command()
@click.argument("prompt")
@click.option("--model", help="[default: cogvideox-3]")
@click.option("--size", help="Such as 1920x1080.")
@click.option("--duration", type=int, help="Seconds.")
@click.option("--image-url", help="To start from.")
@SET
@data_dir_option
def video(prompt: str, *, more: tuple[str, ...], **fields: Any) -> None:
    """Make a video of PROMPT, wait for it, and print where it is."""
    run("video", [{"prompt": prompt, **fields, **fields_of(more)}])


@click.command()
@click.argument("files", nargs=-1, required=True)
@of_transcription
@data_dir_option
def transcribe(files: tuple[str, ...], *, more: tuple[str, ...], **fields: Any) -> None:
    """Transcribe audio FILES of any length and format, wait, and print the text."""
    paths = [each if each.startswith("s3://") else str(Path(each).absolute()) for each in files]
    run("transcription", [{"file": path, **fields, **fields_of(more)} for path in paths])
