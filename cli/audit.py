"""`mediajobs audit`."""

import json

import click

from cli.options import JOB_ID, connection, data_dir_option, dollars, plural, table
from worker.report import as_json as to_json
from worker.trail import entries


@click.command()
@click.option("--who", help="By this one alone.")
@click.option("--action", help="Only this, such as cancel.")
@click.option("--before", type=JOB_ID, help="Only entries before this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 10000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON, one array.")
@data_dir_option
def audit(*, who: str | None, action: str | None, before: int | None, limit: int, as_json: bool) -> None:
    """Say what people did to jobs, limits, budgets and keys, the latest first."""
    with connection() as conn:
        found = entries(conn, before=before, limit=limit, who=who, action=action)
    if as_json:
        click.echo(json.dumps(found, default=to_json, ensure_ascii=False))
        return
    rows = [
        [
            f"{each['at']:%Y-%m-%d %H:%M:%S}",
            each["who"],
            each["action"],
            each["subject"] or "",
            "; ".join(remarks(each["jobs"], each["cost"])),
        ]
        for each in found
    ]
    click.echo(table(["when", "who", "what", "", ""], rows) if rows else "nothing was done yet")


def remarks(jobs: int | None, cost: object) -> list[str]:
    told = [plural(jobs, "job")] if jobs is not None else []
    return [*told, f"may cost {dollars(cost)}"] if cost else told
