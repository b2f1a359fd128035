"""Engines: how this product connects to Postgres."""

from typing import Any

from sqlalchemy import Engine, create_engine, make_url


def driver_url(url: str) -> str:
    """The URL with psycopg 3 as its driver: people write `postgresql://`, or `postgres://` as some hosts do."""
    given = make_url(url)
    if given.drivername in {"postgresql", "postgres"}:
        given = given.set(drivername="postgresql+psycopg")
    return given.render_as_string(hide_password=False)


def make_engine(url: str, *, name: str = "mediajobs", **options: Any) -> Engine:
    """An engine whose pool heals by itself. `name` is what the server shows of its sessions."""
    settled = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10, **options}
    return create_engine(driver_url(url), connect_args={"application_name": name, "connect_timeout": 10}, **settled)
