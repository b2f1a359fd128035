"""`python -m web.flower`: Flower, by the dashboard's login, or with a key as the password.

It takes Flower's own options, and with them (FLOWER_BASIC_AUTH, as `mediajobs up` sets it) logins of admins. Whoever
may see the dashboard may see it; only admins may act in it, and what they do is in the trail.
"""

import html
import json
import re
import secrets
import signal
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from hmac import compare_digest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import flower.app
import flower.command
import tornado.web
from flower.options import options
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from tornado.httputil import HTTPServerRequest

from models.session import make_engine
from web.access import COOKIE, FORWARDED, Asker, Caller, Door
from web.guard import SAFE, crosses_sites
from web.problems import ProblemError
from web.templating import STATIC
from worker import keys
from worker.app import app as celery_app
from worker.keys import Role
from worker.settings import LOOPBACK, NoServicesError, Settings, settings
from worker.trail import note

#: Supervisors look here.
HEALTH = "/healthcheck"
#: POSTs that only read.
READS = frozenset({"/tasks/datatable"})
SCRIPT = "/static/js/flower.js"
BATCH = text("select b.id, b.name from jobs j join batches b on b.id = j.batch_id where j.id = :id")
# As the worker's events have them.
JOBS = re.compile(r"\{'job_ids': \[(\d+)(.*?)\], 'kind': '(\w+)', 'model': '([^']+)'\}")
RUN = re.compile(r"\{'schedule_id': \d+, 'tick': '([^']+)', 'schedule': '([^']+)'\}")


class Guarded(flower.app.Flower):  # type: ignore[misc]  # it has no types
    """Looks at each request before Flower does. Flower itself takes a secret that only this process knows."""

    def __init__(
        self, *, engine: Engine, config: Settings, door: Door, password: str, logins: Iterable[str], **more: Any
    ) -> None:
        super().__init__(**more)
        self._engine, self._config, self._door = engine, config, door
        self._authorization = basic(password)
        #: Header → name of who is let in by Flower's own option.
        self._logins = {basic(each): each.partition(":")[0] for each in logins}

    def find_handler(self, request: HTTPServerRequest, **more: Any) -> Any:
        if request.path != HEALTH:
            try:
                self._let_in(request)
            except ProblemError as problem:
                return self._refused(request, problem)
            except SQLAlchemyError:
                return self._refused(request, ProblemError(503, "database_away", "the database does not answer"))
            request.headers["Authorization"] = self._authorization
        if request.path == SCRIPT:
            return self.get_handler_delegate(request, Script, {"dashboard": dashboard_of(self._config)})
        return super().find_handler(request, **more)

    def _refused(self, request: HTTPServerRequest, problem: ProblemError) -> Any:
        login = f"{dashboard_of(self._config)}/login"
        return self.get_handler_delegate(request, Refusal, {"problem": problem, "login": login})

    def _let_in(self, request: HTTPServerRequest) -> None:
        """Raises ProblemError."""
        host = request.headers.get("Host", "")
        known = {*LOOPBACK, urlsplit(self._config.flower_url or "").hostname or "localhost"}
        if self._door.alone and (urlsplit(f"//{host}").hostname or "") not in known:
            raise ProblemError(421, "wrong_host", f"this is not {host!r}; set MEDIAJOBS_FLOWER_URL to its address")
        changes = request.method not in SAFE and request.path not in READS
        if request.method not in SAFE and crosses_sites(request.headers, host):
            raise ProblemError(403, "cross_site", "refused: the request comes from another site")
        cookie = request.cookies.get(COOKIE)
        asker = Asker(
            authorization=request.headers.get("Authorization", ""),
            session=cookie.value if cookie else None,
            address=request.remote_ip or "unknown",
            forwarded=any(name in request.headers for name in FORWARDED),
            via="Flower",
        )
        with self._engine.begin() as conn:
            name = self._login(asker.authorization)
            caller = Caller(name, Role.ADMIN, "Flower") if name else self._door.recognised(conn, asker)
            if changes:
                self._note(conn, caller, request)

    def _login(self, given: str) -> str | None:
        """Who is let in by Flower's own option."""
        header = given.encode("utf-8", "replace")
        return next((name for each, name in self._logins.items() if compare_digest(each.encode(), header)), None)

    def _note(self, conn: Any, caller: Caller, request: HTTPServerRequest) -> None:
        if not caller.role.may(Role.ADMIN):
            raise ProblemError(403, "role", f"this takes the role admin; {caller.name!r} is {caller.role}")
        note(conn, caller.actor, "Flower", request.path.removeprefix("/api/"))


def basic(login: str) -> str:
    return f"Basic {b64encode(login.encode()).decode()}"


class Script(tornado.web.RequestHandler):
    """Flower's script, and ours behind it: its tables have no place for links."""

    def initialize(self, dashboard: str) -> None:
        self.dashboard = dashboard

    def get(self) -> None:
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        theirs = Path(flower.app.__file__).with_name("static") / "js" / "flower.js"
        ours = STATIC / "flower-links.js"
        self.finish(f"const MEDIAJOBS_DASHBOARD = {json.dumps(self.dashboard)};\n"
                    + theirs.read_text("utf-8") + ours.read_text("utf-8"))  # fmt: skip


class Refusal(tornado.web.RequestHandler):
    """Says why, and where to log in. A browser that is not logged in asks for a key."""

    def initialize(self, problem: ProblemError, login: str) -> None:
        self.problem, self.login = problem, login

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here; the reason is to be the one that is told."""

    def prepare(self) -> None:
        self.set_status(self.problem.status)
        if self.problem.status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="mediajobs: what `up` printed, or a key as the password"')
        said = html.escape(self.problem.detail)
        self.finish(
            f"<!doctype html><title>mediajobs</title><p>{said}</p>"
            f'<p><a href="{html.escape(self.login)}">Log in to the dashboard</a> and come back here, or give the '
            "login that <code>mediajobs up</code> printed.</p>"
        )


def dashboard_of(config: Settings) -> str:
    host = f"[{config.web_host}]" if ":" in config.web_host else config.web_host
    return (config.web_url or f"http://{host}:{config.web_port}").rstrip("/")


def reader(engine: Engine) -> Callable[[Any], Any]:
    """What writes a message's arguments as people read them: which jobs, of which batch."""

    @lru_cache(maxsize=10_000)
    def batch_of(job_id: int) -> str:
        with engine.connect() as conn:
            row = conn.execute(BATCH, {"id": job_id}).one_or_none()
        return f" of batch {row.id} {row.name}" if row else ""

    def told(task: Any) -> Any:
        if run := RUN.match(str(task.kwargs)):
            task.args = f"schedule {run[2]}, its run of {run[1]}"
        elif found := JOBS.match(str(task.kwargs)):
            first, more, kind, model = found.groups()
            batch = ""
            with suppress(SQLAlchemyError):  # shown without it while the database is away
                batch = batch_of(int(first))
            task.args = f"job{'s' if more else ''} {first}{more}{batch}: {kind} by {model}"
        return task

    return told


def main() -> None:
    try:
        config = settings()
        engine = make_engine(config.require_database_url(), name="mediajobs-flower", pool_size=1, max_overflow=1)
        if key := config.web_key.get_secret_value():
            with engine.begin() as conn:
                keys.take_from_settings(conn, key)
    except NoServicesError as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"cannot use the database: {str(getattr(error, 'orig', error)).strip().splitlines()[0]}")
    options.tasks_columns = "name,args,state,received,runtime,worker,uuid"  # which jobs, before all else
    flower.command.apply_env_options()
    flower.command.apply_options("flower", sys.argv[1:])
    logins = list(options.basic_auth)
    password = f"mediajobs:{secrets.token_urlsafe(32)}"
    options.basic_auth, options.auth = [password], ""
    options.format_task = reader(engine)
    flower.command.extract_settings()
    flower.command.setup_logging()
    # It can end workers: even who is on this machine logs in.
    door = Door(alone=(options.address or "") in LOOPBACK and not config.web_url, keyless=False)
    served = Guarded(
        engine=engine, config=config, door=door, password=password, logins=logins, capp=celery_app, options=options,
        **flower.command.settings,
    )  # fmt: skip
    signal.signal(signal.SIGTERM, flower.command.sigterm_handler)
    served.start_http_server()
    try:
        served.start()
    except (KeyboardInterrupt, SystemExit):
        served.stop()


def fail(message: str) -> None:
    print(f"mediajobs: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(3)


if __name__ == "__main__":
    main()
