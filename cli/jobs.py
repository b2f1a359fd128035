"""`mediajobs jobs` and `mediajobs show`."""

import json
import sys
from typing import Any

import click

from cli.main import WRONG_USE
from cli.options import JOB_ID, connection, data_dir_option, dollars, table
from models.recordings import PIECES
from models.state import JobState
from worker import report
from worker.kinds import KINDS


def short(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def remark(job: dict[str, Any]) -> str:
    """What there is to say about a job in a list: its error, what it waits for, or what it is about."""
    if job["error_code"] and job["state"] != JobState.SUCCEEDED:
        return f"{job['error_code']}: {job['error_message']}"
    return str(job["waiting_for"] or job["subject"])


@click.command()
@click.option("--batch", help="Of this batch (name or id).")
@click.option("--state", type=click.Choice([each.value for each in JobState]), metavar="STATE",
              help=f"In this state: {', '.join(JobState)}.")  # fmt: skip
@click.option("--kind", type=click.Choice(sorted(KINDS)), help="Of this kind.")
@click.option("--model", help="Of this model.")
@click.option("--search", help="With this in key, input or error.")
@click.option("--pieces-of", type=JOB_ID, help="The pieces of this recording, by its job's id.")
@click.option("--after", type=click.IntRange(0, JOB_ID.max), default=0, help="Only ids above this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array.")
@data_dir_option
def jobs(*, batch: str | None, as_json: bool, **wanted: Any) -> None:
    """List jobs, oldest first, a page at a time."""
    with connection() as conn:
        batch_id = report.find_batch(conn, batch) if batch is not None else None
        found = report.jobs(conn, report.Filter(batch=batch_id, **wanted))
    if as_json:
        click.echo(json.dumps(found, default=report.as_json, ensure_ascii=False))
        return
    if not found:
        click.echo("no such jobs")
        return
    rows = [
        [
            str(job["job"]),
            job["state"],
            job["model"],
            short(job["key"] or (f"(row {job['row']})" if job["row"] else "-"), 14),
            dollars(job["cost"]),
            short(remark(job), 40),
        ]
        for job in found
    ]
    click.echo(table(["job", "state", "model", "key", "cost", ""], rows))
    if len(found) == wanted["limit"]:
        click.echo(f"more: --after {found[-1]['job']}")


def tell_pieces(pieces: list[dict[str, Any]]) -> None:
    """How far a recording is, and which of its pieces need a look."""
    if not pieces:
        return
    heard = sum(each["text"] is not None for each in pieces)
    click.echo(f"  pieces: {heard} of {len(pieces)} heard; `jobs --pieces-of` lists those that were sent")
    for each in pieces:
        if each["state"] in (JobState.FAILED, JobState.HELD, JobState.CANCELLED):
            why = f": {each['error_code']}: {each['error_message']}" if each["error_code"] else ""
            click.echo(f"    {each['start_s']:.1f}-{each['end_s']:.1f} s: job {each['job']} {each['state']}{why}")


@click.command()
@click.argument("job", type=JOB_ID)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@data_dir_option
def show(job: int, *, as_json: bool) -> None:
    """Show one job: its input, attempts, outputs and history."""
    with connection() as conn:
        found = report.show(conn, job)
    if found is None:
        click.echo(f"mediajobs: there is no job {job}", err=True)
        sys.exit(WRONG_USE)
    if as_json:
        click.echo(json.dumps(found, default=report.as_json, ensure_ascii=False))
        return
    click.echo(f"job {job}: {found['kind']} by {found['model']}, {found['state']}, {dollars(found['cost'])}")
    if found["after"]:
        click.echo(f"  after: {', '.join(found['after'])}")
    for name in ("batch", "row", "key", "piece_of", "remote_id", "waiting_for"):
        if found[name] is not None and found[name] != PIECES:
            click.echo(f"  {name.replace('_', ' ')}: {found[name]}")
    click.echo(f"  input: {json.dumps(found['args'], ensure_ascii=False)}")
    if found["error_code"]:
        click.echo(f"  error {found['error_code']}: {found['error_message']}")
    if found["possibly_charged"]:
        click.echo("  it may have been charged for more: an answer was lost, or a task failed that had been accepted")
    if found["partial"]:
        click.echo(f"  so far: {short(found['partial'][-200:], 200)}")
    for problem in found["problems"]:
        click.echo(f"  the file {problem}")
    tell_pieces(found["pieces"])
    for step in found["history"]:
        code = f" {step['code']}" if step["code"] else ""
        reason = f":{code} {step['reason']}" if step["reason"] else ""
        click.echo(f"  {step['at']:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f" {step['state']}{reason}")
    for each in found["requests"]:
        outcome = each["outcome"] or "open"
        click.echo(f"  request {each['number']} {each['request_id']}: {outcome}, {dollars(each['cost'])}"
                   + (" (possibly charged)" if each["possibly_charged"] else "") + (" (late)" if each["late"] else "")
               + (f"; {each['error_code']}: {each['error_message']}" if each["error_code"] else ""))  # fmt: skip
        if each["excerpt"]:
            click.echo(f"    what came back: {short(each['excerpt'], 300)}")
    for each in found["outputs"]:
        click.echo(f"  output {each['role']}: {each['location']} ({each['mime']}, {each['bytes']} bytes)")
        if each["text"]:
            click.echo(f"    {short(each['text'], 200)}")
