"""Engines: how this product connects to Postgres."""

from typing import Any

from sqlalchemy import Engine, create_engine, make_url


def driver_url(url: str) -> str:
    """The URL with psycopg 3 as its driver: people write `postgresql://`, or `postgres://` as some hosts do."""
    given = make_url(url)
    if given.drivername in {"postgresql", "postgres"}:
        given = given.set(drivername="postgresql+psycopg")
    return given.render_as_string(hide_password=False)


#: Every statement and every lock is bounded in time, and a peer that is gone is noticed. Milliseconds.
BOUNDS: dict[str, int | str] = {"statement_timeout": 60_000, "lock_timeout": 15_000}
#: For processes whose transactions are a few statements: one that stands still within one is cut off, before those
#: that wait for its locks give up.
BRIEF: dict[str, int | str] = {"idle_in_transaction_session_timeout": 5_000}
#: For the way of a call, whose statements find their rows by keys, some hundred times a second: planned once, and
#: never as a scan, whatever the tables held when they were planned or last analysed.
BY_KEY: dict[str, int | str] = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 20_000}


def make_engine(
    url: str, *, name: str = "mediajobs", brief: bool = False, by_key: bool = False, **options: Any
) -> Engine:
    """An engine whose pool heals by itself. `name` is what the server shows of its sessions.

    `brief`: no transaction waits for anything but the database. `by_key`: all that its statements read has an index.

    Where the URL has `options` of its own (`?options=` for PgBouncer, which knows none), ours are left out.
    """
    url = driver_url(url)
    settled = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 10, "pool_timeout": 20, **options}
    connect: dict[str, Any] = {"application_name": name, "connect_timeout": 10, **KEEPALIVES}
    if "options" not in make_url(url).query:
        said = BOUNDS | (BRIEF if brief else {}) | (BY_KEY if by_key else {})
        connect["options"] = " ".join(f"-c {setting}={value}" for setting, value in said.items())
    # Prompts and answers are nobody's business in a log.
    return create_engine(url, connect_args=connect, hide_parameters=True, **settled)
