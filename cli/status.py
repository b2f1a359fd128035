"""`mediajobs status`."""

import json

import click

from cli.options import connection, data_dir_option, dollars, plural
from worker.report import Status
from worker.report import status as read_status


def as_contract(found: Status) -> dict[str, object]:
    """What `status --json` prints; `pieces` only where there are recordings that were cut."""
    contract: dict[str, object] = {
        "batch": found.batch,
        "total": found.total,
        "counts": found.counts,
        "cost": float(found.cost),
        "possibly_charged": found.possibly_charged,
        "waiting_for": found.waiting_for,
    }
    if found.pieces["total"]:
        contract["pieces"] = found.pieces
    return contract


def pieces_in_words(pieces: dict[str, int]) -> str:
    failed = f", {pieces['failed']} failed" if pieces["failed"] else ""
    return f"{pieces['done']} of {pieces['total']} heard{failed}"


@click.command()
@click.argument("batch", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@data_dir_option
def status(batch: str | None, *, as_json: bool) -> None:
    """Say how a batch (name or id), or everything, stands, and why the rest waits."""
    with connection() as conn:
        found = read_status(conn, batch)
    if as_json:
        click.echo(json.dumps(as_contract(found)))
        return
    click.echo(f"{found.batch or 'all jobs'}: {plural(found.total, 'job')}, {dollars(found.cost)}")
    for state, count in found.counts.items():
        click.echo(f"  {state:<10} {count:>8}")
    if found.pieces["total"]:
        click.echo(f"  pieces of recordings: {pieces_in_words(found.pieces)}")
    for reason, count in found.waiting_for.items():
        click.echo(f"  {count} queued, waiting for: {reason}")
    if found.possibly_charged:
        click.echo(f"  {plural(found.possibly_charged, 'job')} may have been charged for a lost answer as well")
    if found.stuck:
        click.echo("  held jobs need a decision: `mediajobs jobs --state held`, then `mediajobs resolve`")
