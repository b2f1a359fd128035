"""`mediajobs migrate`."""

import click

from cli.options import data_dir_option
from models import migrate as migrations
from worker.settings import settings


@click.command()
@data_dir_option
def migrate() -> None:
    """Bring the database's schema up to date. Safe to run again, and twice at once."""
    url = settings().require_database_url()
    before = migrations.current(url)
    migrations.upgrade(url)
    after = migrations.current(url)
    click.echo(f"schema: {after}" if before == after else f"schema: {before or 'none'} -> {after}")
