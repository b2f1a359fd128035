"""`mediajobs up`: everything on this machine, under one process."""

import contextlib
import fcntl
import os
import secrets
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO

import click
import httpx
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import OperationalError

from cli.main import UNREACHABLE, WRONG_USE
from cli.options import data_dir_option, is_away
from cli.supervisor import Child, Supervisor
from models.migrate import upgrade
from sandbox import process
from sandbox.postgres import EmbeddedPostgres, PostgresError
from sandbox.process import SandboxProcess
from sandbox.valkey import EmbeddedValkey, ValkeyError, free_port
from worker import doctor
from worker.settings import SERVICES_FILE, Settings, shared, write_services

READY_TIMEOUT_S = 90.0
BEAT_ENDS_S = 5.0
WILDCARD = {"0.0.0.0", "::"}


class SandboxService:
    """The stand-in, on the same port at each start."""

    def __init__(self, data_dir: Path, port: int, speed: float, token: str) -> None:
        self._data_dir, self._port, self._speed, self._token = data_dir, port, speed, token
        self._running: SandboxProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        flags = ["--speed", str(self._speed), "--state", str(self._data_dir / "sandbox.db")]
        log = self._data_dir / "logs" / "sandbox.log"
        self._running = process.start(*flags, port=self._port, token=self._token, log=log)

    def alive(self) -> bool:
        return self._running is not None and self._running.alive()

    def stop(self) -> None:
        if self._running:
            self._running.stop()


@click.command()
@click.option("--sandbox", is_flag=True, help="Use a stand-in for the API, started here.")
@click.option("--speed", type=click.FloatRange(min=0.01), default=20.0, show_default=True,
              help="How many times faster than the real API the stand-in is.")  # fmt: skip
@click.option(
    "--port",
    type=click.IntRange(0, 65533),
    default=8080,
    show_default=True,
    help="The dashboard's; Flower takes the one after it, the sandbox the next. 0: any.",
)
@click.option("--no-flower", is_flag=True, help="Without Flower.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that make requests."
)
@click.option("--concurrency", type=click.IntRange(1, 2000), default=64, show_default=True,
              help="Threads of each; they only wait. More than the slots of all models.")  # fmt: skip
@data_dir_option
def up(*, sandbox: bool, speed: float, port: int, no_flower: bool, workers: int, concurrency: int) -> None:
    """Run everything here, until SIGTERM or Ctrl-C.

    Without MEDIAJOBS_DATABASE_URL and MEDIAJOBS_BROKER_URL, Postgres and
    Valkey are started too; their data is kept in the data dir.
    """
    data_dir = Settings().data_dir.resolve()
    (data_dir / "logs").mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = locked(data_dir)
    (data_dir / SERVICES_FILE).unlink(missing_ok=True)  # of one that was killed
    config = Settings()
    supervisor = Supervisor(lambda text: click.echo(text, err=True))
    stopping = Stopping(supervisor)
    try:
        start_all(supervisor, config, data_dir, sandbox=sandbox, speed=speed, port=port, flower=not no_flower,
                  workers=workers, concurrency=concurrency, stopping=stopping)  # fmt: skip
        while not stopping.asked:
            supervisor.check()
            time.sleep(0.1)
        click.echo("stopping: calls under way are finished first, once more to stop at once", err=True)
    except (PostgresError, ValkeyError, RuntimeError, UnreachableError) as error:
        supervisor.kill()  # what could not start has nothing in hand
        click.echo(f"mediajobs: {error}", err=True)
        sys.exit(UNREACHABLE)
    finally:
        supervisor.stop()
        (data_dir / SERVICES_FILE).unlink(missing_ok=True)
        lock.close()
    click.echo("stopped", err=True)


class UnreachableError(Exception):
    """Something that `up` needs and does not start itself does not answer."""


class Stopping:
    """SIGTERM and Ctrl-C: the first asks, a second insists."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.asked = False
        self._supervisor = supervisor
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            self._supervisor.kill()
        self.asked = True


def locked(data_dir: Path) -> IO[str]:
    """Hold the data dir for this process alone; the kernel lets go when it ends, however it ends."""
    lock = (data_dir / "up.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        click.echo(
            f"mediajobs: another `mediajobs up` runs with {data_dir}; stop it, or name another --data-dir", err=True
        )
        sys.exit(WRONG_USE)
    return lock


def start_all(
    supervisor: Supervisor,
    config: Settings,
    data_dir: Path,
    *,
    sandbox: bool,
    speed: float,
    port: int,
    flower: bool,
    workers: int,
    concurrency: int,
    stopping: Stopping,
) -> None:
    found: dict[str, str] = {"data_dir": str(data_dir)}
    addresses: dict[str, str] = {}
    if not config.database_url:
        postgres = EmbeddedPostgres(data_dir)
        supervisor.start("postgres", postgres)
        found["database_url"] = postgres.url
    if not config.broker_url:
        valkey = EmbeddedValkey(data_dir)
        supervisor.start("valkey", valkey)
        found["broker_url"] = valkey.url
    if sandbox:
        stand_in = SandboxService(data_dir, remembered_port(data_dir / "sandbox.port", port and port + 2), speed,
                                  "at_sandbox")  # fmt: skip
        supervisor.start("sandbox", stand_in)
        found |= {"api_base_url": f"{stand_in.url}/zai", "api_token": "at_sandbox", "api_style": "proxy"}
        # Its tasks end sooner, so they are asked for sooner.
        found |= {"poll_first_s": "0.5", "poll_max_s": "2"}
        addresses["sandbox"] = stand_in.url
    environment = {f"MEDIAJOBS_{name.upper()}": value for name, value in found.items()}
    os.environ.update(environment)
    check_outputs(config)
    check_broker(found.get("broker_url") or str(config.broker_url))
    prepare(found.get("database_url") or config.require_database_url())
    web_port, flower_port = free_port(port), free_port(port and port + 1)
    here = "127.0.0.1" if config.web_host in WILDCARD else config.web_host
    dashboard, flowers = f"http://{here}:{web_port}", f"http://127.0.0.1:{flower_port}"
    password = secrets.token_urlsafe(9)
    own = {
        "web": {"MEDIAJOBS_WEB_PORT": str(web_port), **({"MEDIAJOBS_FLOWER_URL": flowers} if flower else {})},
        "flower": {"MEDIAJOBS_WEB_PORT": str(web_port), "FLOWER_BASIC_AUTH": f"mediajobs:{password}"},
    }
    for name, command in commands(workers, concurrency, flower_port if flower else None).items():
        # Beat has nothing in hand, and what it sends to a broker that is frozen may take long.
        ends_in_s = BEAT_ENDS_S if name == "beat" else None
        supervisor.start(name, Child(command, own.get(name, {}), data_dir / "logs" / f"{name}.log", ends_in_s))
    addresses = {"dashboard": dashboard, **addresses}
    if flower:
        addresses |= {"flower": flowers, "flower login": f"mediajobs, password {password}"}
    write_services(data_dir, {**shared(config), **found}, addresses)
    for name, address in addresses.items():
        click.echo(f"{name}: {address}")
    click.echo(f"data dir: {data_dir} (logs below it)")
    wait_for_workers(supervisor, workers + 3, addresses["dashboard"], stopping)


def check_outputs(config: Settings) -> None:
    """Raise UnreachableError where no result could be stored: what is paid for must have a place."""
    for finding in doctor.outputs(config):
        if finding.unreachable:
            raise UnreachableError(f"{finding.found}; {finding.mend}")


def check_broker(url: str) -> None:
    from worker.app import app  # noqa: PLC0415 - reads the settings, which are made just now

    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=3)
    except BrokerError as error:
        raise UnreachableError(
            f"cannot reach the broker {doctor.place(url)}: {error}; "
            "is MEDIAJOBS_BROKER_URL right, and its server running? without it, `up` starts one"
        ) from None


def prepare(database_url: str) -> None:
    """Bring the schema up to date. Raises UnreachableError."""
    try:
        upgrade(database_url)
    except OperationalError as error:
        if not is_away(error):
            raise
        raise UnreachableError(
            f"cannot reach the database {doctor.place(database_url)}: {str(error.orig).strip().splitlines()[0]}; "
            "is MEDIAJOBS_DATABASE_URL right, and its server running? without it, `up` starts one"
        ) from None


def remembered_port(file: Path, wanted: int) -> int:
    """The port that is wanted, or, where any is, that of last time: URLs of unfinished results lead there."""
    try:
        last = int(file.read_text())
    except (OSError, ValueError):
        last = 0
    port = free_port(wanted or last)
    file.write_text(str(port))
    return port


def commands(workers: int, concurrency: int, flower_port: int | None) -> dict[str, list[str]]:
    """The processes, by name: queues by duty, so that a house full of runs delays no poll and no download."""
    celery = [sys.executable, "-m", "celery", "-A", "worker.app"]
    worker = [*celery, "worker", "--pool", "threads", "--without-gossip", "--without-mingle", "-E", "-l", "info"]
    found = {
        f"run{number}": [*worker, "-Q", "run", "-c", str(concurrency), "-n", f"run{number}@%h"]
        for number in range(1, workers + 1)
    }
    found["store"] = [*worker, "-Q", "store", "-c", "32", "-n", "store@%h"]
    found["cut"] = [*worker, "-Q", "cut,schedule", "-c", "8", "-n", "cut@%h"]
    found["upkeep"] = [*worker, "-Q", "poll,upkeep", "-c", "64", "-n", "upkeep@%h"]
    found["beat"] = [*celery, "beat", "-l", "warning"]
    found["web"] = [sys.executable, "-m", "web"]
    if flower_port is not None:
        limits = ["--max-tasks=10000", "--max-workers=100", "--purge-offline-workers=3600"]
        found["flower"] = [sys.executable, "-m", "web.flower", "--address=127.0.0.1", f"--port={flower_port}", *limits]
    return found


def wait_for_workers(supervisor: Supervisor, count: int, dashboard: str, stopping: Stopping) -> None:
    """Say `ready` when all workers and the dashboard answer. Raises UnreachableError if they do not."""
    from worker.app import app  # noqa: PLC0415 - as above

    deadline = time.monotonic() + READY_TIMEOUT_S
    while not stopping.asked:
        supervisor.check()
        with contextlib.suppress(BrokerError):  # started again, or back before the time is over
            if len(app.control.ping(timeout=0.5, limit=count)) >= count and answers(dashboard):
                click.echo("ready")
                return
        if time.monotonic() > deadline:
            raise UnreachableError("the workers or the dashboard do not answer; see their logs below the data dir")


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False
