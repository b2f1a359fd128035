"""Looks at all that the product needs, a finding at a time."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import obstore
from obstore.store import from_url
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from models import migrate
from models.limit import ACCOUNT
from models.session import make_engine
from models.slots import HALF_OPEN, PAUSED
from provider.address import is_direct
from provider.definitions import differences, read_definition
from provider.errors import NotSent, ProviderError
from provider.wire import Request
from worker import pulse
from worker.call import call
from worker.settings import NO_KEY, NoServicesError, Settings, runs
from worker.storage import Storage
from worker.waiting import until

CHANGED = "its calls may be refused: try it with `mediajobs call`, and see whether a newer mediajobs knows it"
LOW_DISK_BYTES = 2 * 1024**3
#: A store that has taken no small file by then is out of reach. Its client would go on for minutes.
STORE_TIMEOUT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """`mend`: what to do if it is not ok. `unreachable`: a service that does not answer."""

    what: str
    ok: bool
    found: str
    mend: str = ""
    unreachable: bool = False


def examine(config: Settings) -> Iterator[Finding]:
    """All findings; a check that fails does not keep the others from being made."""
    yield from database(config)
    yield from broker(config)
    yield from api(config)
    yield from outputs(config)


def place(url: str) -> str:
    """A URL without its password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def database(config: Settings) -> Iterator[Finding]:
    if not config.database_url:
        yield Finding("database", ok=False, found="not set", unreachable=True,
                      mend=str(NoServicesError(config.data_dir)))  # fmt: skip
        return
    engine = make_engine(config.database_url, name="mediajobs-doctor", pool_size=1)
    try:
        with engine.connect() as conn:
            version = conn.execute(text("show server_version")).scalar_one()
        yield Finding("database", ok=True, found=f"Postgres {version} at {place(config.database_url)}")
        has, needs = migrate.current(config.database_url), migrate.newest(config.database_url)
        yield Finding(
            "schema", ok=has == needs, found=f"{has or 'none'} (needed: {needs})", mend="run `mediajobs migrate`"
        )
        if has == needs:
            yield from memory(engine, config.api_base_url)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
        yield Finding("database", ok=False, found=reason, unreachable=True,
                      mend="is `mediajobs up` running? is MEDIAJOBS_DATABASE_URL right?")  # fmt: skip
    finally:
        engine.dispose()


#: A tick comes each second, and is told of each few.
TICK_LATE_S = 30
# What is learned, and not what is set: so many calls may be under way.
ROOM = text("""
    select (select coalesce(sum(learned), 0) from limits where model not in ('*', 'cut')) as slots,
        sum(threads) as threads
    from workers where 'run' = any(queues) and seen_at > now() - :gone_s * interval '1 second'
""")
PAUSES = text(f"""
    select l.model, l.pause_reason, l.paused_until, l.pause_code, l.probes, {HALF_OPEN} as probing
    from limits l where {PAUSED} or {HALF_OPEN} order by l.model
""")
FORMATS = text("select provider, endpoint, format, evidence, decided_at from endpoint_formats order by 1, 2")


def memory(engine: Engine, base_url: str) -> Iterator[Finding]:
    from worker.metrics import TICK  # noqa: PLC0415 - Prometheus's client, for this one line

    with engine.connect() as conn:
        formats = conn.execute(FORMATS).all()
        pauses = conn.execute(PAUSES).all()
        held = conn.execute(text("select count(*) from jobs where state = 'held'")).scalar_one()
        slots, threads = conn.execute(ROOM, {"gone_s": pulse.GONE_S}).one()
        age_s = conn.execute(TICK).scalar_one()
    if age_s is not None:
        yield Finding("clock", ok=age_s < TICK_LATE_S, found=f"ticked {age_s:.0f} s ago",
                      mend="do beat and the worker of upkeep run? without ticks all waits")  # fmt: skip
    for row in pauses:
        what = "the account" if row.model == ACCOUNT else row.model
        # What has an end ends by itself, and who pauses by hand knows it.
        yield Finding("pause", ok=row.pause_code is None or not (row.probes or row.paused_until is None),
                      found=f"{what} is paused{until(row.paused_until, probing=row.probing)}: {row.pause_reason}",
                      mend="mend its cause; one call looks whether it is, or `mediajobs resume` goes on")  # fmt: skip
    for row in formats:
        since = f"{row.decided_at:%Y-%m-%d %H:%M}"
        where = "" if row.provider == base_url else f" at {row.provider}"
        yield Finding("URL format", ok=True, found=f"{row.endpoint}{where}: {row.format} ({row.evidence}, {since})")
    if threads is not None:
        idle = "" if slots <= threads else ": where all are busy, some stand idle (`up --concurrency`)"
        yield Finding("slots", ok=True, found=f"{slots} over all models, {threads} threads to run them{idle}")
    yield Finding(
        "held jobs", ok=not held, found=str(held), mend="`mediajobs jobs --state held`, then `mediajobs resolve`"
    )


def broker(config: Settings) -> Iterator[Finding]:
    from worker.app import app  # noqa: PLC0415 - Celery is slow to import

    if not config.broker_url:
        mend = (
            "set MEDIAJOBS_BROKER_URL here too"
            if runs(config.data_dir)
            else "start `mediajobs up`, or set MEDIAJOBS_BROKER_URL"
        )
        yield Finding("broker", ok=False, found="not set", unreachable=True, mend=mend)
        return
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
        workers = sorted(name for reply in app.control.ping(timeout=1.0) for name in reply)
    except Exception as error:  # noqa: BLE001 - brokers' clients have no common base class
        yield Finding("broker", ok=False, found=f"{place(config.broker_url)} does not answer ({type(error).__name__})",
                      unreachable=True,
                      mend="is `mediajobs up` running? is MEDIAJOBS_BROKER_URL right?")  # fmt: skip
        return
    yield Finding("broker", ok=True, found=place(config.broker_url))
    yield Finding("workers", ok=bool(workers), found=", ".join(workers) or "none answers",
                  mend="start `mediajobs up`, or `celery -A worker.app worker`")  # fmt: skip


def api(config: Settings) -> Iterator[Finding]:
    style = "Z.AI directly" if is_direct(config.api_base_url, config.api_style) else "through the proxy"
    token = config.api_token.get_secret_value()
    yield Finding("API token", ok=bool(token), found="set" if token else "not set", mend=NO_KEY)
    try:
        # Any answer will do: it costs nothing, and says that somebody is there.
        httpx.get(place(config.api_base_url), timeout=10)
    except httpx.HTTPError as error:
        yield Finding("API", ok=False, found=f"{place(config.api_base_url)}: {type(error).__name__}", unreachable=True,
                      mend="is MEDIAJOBS_API_BASE_URL right, and the network there?")  # fmt: skip
        return
    yield Finding("API", ok=True, found=f"{place(config.api_base_url)} ({style})")


def definition(config: Settings) -> Iterator[Finding]:
    """What the proxy says of itself, held against what we send. It costs nothing and needs no token."""
    if is_direct(config.api_base_url, config.api_style):
        yield Finding("API definition", ok=True, found="only the proxy has one; this is Z.AI directly")
        return
    try:
        answer = call(Request(endpoint="openapi", read_timeout_s=60.0), config.api_base_url, config)
        described = read_definition(answer.body)
    except (ProviderError, ValueError) as error:
        lost = isinstance(error, NotSent)
        yield Finding("API definition", ok=False, found=str(error), unreachable=lost,
                      mend="is MEDIAJOBS_API_BASE_URL right? `mediajobs call openapi` shows what comes")  # fmt: skip
        return
    found = differences(described)
    for each in found:
        yield Finding("API definition", ok=not each.breaks, found=str(each), mend=CHANGED)
    yield Finding("API definition", ok=True, found=f"{len(described)} endpoints are described, with "
                  f"{len(found) or 'no'} difference{'s' * (len(found) != 1)} to what is sent")  # fmt: skip


def outputs(config: Settings) -> Iterator[Finding]:
    def look() -> Finding:
        storage = Storage.open(config.outputs)
        try_out(config.outputs)
        if storage.folder is None:
            return Finding("outputs", ok=True, found=config.outputs)
        free = shutil.disk_usage(storage.folder).free
        return Finding("outputs", ok=free > LOW_DISK_BYTES, found=f"{storage.folder} ({free / 1e9:.0f} GB free)",
                       mend="make room on that disk")  # fmt: skip

    mend = "is MEDIAJOBS_OUTPUTS_URL right, and may this user write there?"
    if config.outputs.startswith("s3://"):
        mend += " for S3: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and AWS_ENDPOINT_URL if it is not AWS"
    yield guarded("outputs", look, where=config.outputs, mend=mend)


def try_out(url: str) -> None:
    """Put a small file and delete it. Raises what the store raises.

    Not by `Storage`: its calls are async, and a command that ends just after one may be aborted.
    """
    store = from_url(url, retry_config={"max_retries": 3, "retry_timeout": STORE_TIMEOUT})
    name = f".doctor-{uuid4().hex}"
    obstore.put(store, name, b"?", use_multipart=False)
    obstore.delete(store, name)


def guarded(what: str, look: Callable[[], Finding], *, where: str, mend: str) -> Finding:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        # A store may say pages; its first line tells enough.
        said = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
    return Finding(what, ok=False, found=f"cannot write to {where}: {said}", mend=mend, unreachable=True)
