"""`mediajobs doctor`."""

import sys

import click

from cli.main import UNREACHABLE
from cli.options import data_dir_option
from worker.doctor import examine


@click.command()
@data_dir_option
def doctor() -> None:
    """Check everything, and say how to mend what is wrong."""
    worst = 0
    for finding in examine():
        mark = "ok     " if finding.ok else "PROBLEM"
        click.echo(f"{mark}  {finding.what}: {finding.found}")
        if not finding.ok:
            click.echo(f"         -> {finding.mend}")
            worst = max(worst, UNREACHABLE if finding.unreachable else 1)
    sys.exit(worst)
