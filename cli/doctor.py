"""`mediajobs doctor`."""

import sys
from itertools import chain

import click

from cli.main import UNREACHABLE
from cli.options import connection, data_dir_option
from worker.audit import audit
from worker.doctor import definition, examine
from worker.settings import settings
from worker.storage import Storage


@click.command()
@click.option("--api", "defined", is_flag=True, help="Hold the API's definition against what is sent too.")
@click.option("--audit", "audits", is_flag=True, help="Hold the record against itself and the stored files too.")
@data_dir_option
def doctor(*, audits: bool, defined: bool) -> None:
    """Check everything, and say how to mend what is wrong.

    --api fetches what the proxy says of itself, in the new form, then the
    old, and tells what was added, removed or changed since mediajobs was made.

    --audit reads every job, request, event and output: it takes minutes
    where there are millions.
    """
    worst = 0
    for finding in chain(examine(settings()), definition(settings()) if defined else ()):
        mark = "ok     " if finding.ok else "PROBLEM"
        click.echo(f"{mark}  {finding.what}: {finding.found}")
        if not finding.ok:
            click.echo(f"         -> {finding.mend}")
            worst = max(worst, UNREACHABLE if finding.unreachable else 1)
    if audits:
        worst = max(worst, hold_against_itself())
    sys.exit(worst)


def hold_against_itself() -> int:
    """1 if something of the record is wrong."""
    with connection() as conn:
        found = list(audit(conn, Storage.open(settings().outputs)))
    for wrong in found:
        click.echo(f"WRONG    {wrong}")
    if not found:
        click.echo("ok       audit: states, paths, purchases, costs, files, slots, limits, fences and order agree")
    return int(bool(found))
