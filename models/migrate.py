"""The schema's versions, through Alembic."""

from importlib.util import find_spec
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from models.session import driver_url, make_engine


def config(url: str) -> Config:
    spec = find_spec("migrations")  # a folder of scripts, beside `models` in the checkout and in the wheel
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the folder `migrations` is not installed with this package")
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(next(iter(spec.submodule_search_locations)))))
    alembic.attributes["url"] = driver_url(url)
    return alembic


def upgrade(url: str, revision: str = "head") -> None:
    command.upgrade(config(url), revision)


def downgrade(url: str, revision: str) -> None:
    command.downgrade(config(url), revision)


def current(url: str) -> str | None:
    """The database's revision; None where nothing was migrated yet."""
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect() as conn:
            return MigrationContext.configure(conn).get_current_revision()
    finally:
        engine.dispose()


def newest(url: str) -> str | None:
    """The revision that this code needs."""
    return ScriptDirectory.from_config(config(url)).get_current_head()
