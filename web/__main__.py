"""`python -m web`: the application as a server, at the address of the settings."""

import logging
import socket
import sys

import uvicorn
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from web.app import make_app
from worker import keys, logs
from worker.settings import LOOPBACK, NoServicesError, Settings, settings

#: How long a stop waits for answers under way; an event stream never ends by itself.
STOP_TIMEOUT_S = 3


def main() -> None:
    try:
        config = settings()
        app = make_app(config)
        if not let_in(app.state.engine, config):
            fail(2, f"refuses to listen on {config.web_host} without a key: others could do as they like; "
                    "make one with `mediajobs keys add NAME --role admin`, or set MEDIAJOBS_WEB_KEY")  # fmt: skip
        family = socket.AF_INET6 if ":" in config.web_host else socket.AF_INET
        listener = socket.create_server((config.web_host, config.web_port), family=family, backlog=256)
        # asyncio does this for sockets that it makes; without it every answer waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except NoServicesError as error:
        fail(3, str(error))
    except ValidationError as error:
        fail(2, str(error))
    except (OperationalError, ProgrammingError) as error:
        reason = str(error.orig).strip().splitlines()[0]
        fail(3, f"cannot use the database: {reason}; is it up, and `mediajobs migrate` done?")
    except OSError as error:
        fail(2, f"cannot listen on {config.web_host} port {config.web_port}: {error.strerror}")
    print(f"dashboard: http://{shown(config.web_host)}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logs.set_up(logging.getLogger(), config)
    options = uvicorn.Config(
        app, ws="none", log_config=None, server_header=False, timeout_graceful_shutdown=STOP_TIMEOUT_S
    )
    server = uvicorn.Server(options)
    server.run(sockets=[listener])


def let_in(engine: Engine, config: Settings) -> bool:
    """Take the settings' key in; whether the address may be listened on."""
    with engine.begin() as conn:
        keys.take_from_settings(conn, config.web_key.get_secret_value())
        return config.web_host in LOOPBACK or keys.any_key(conn)


def shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def fail(code: int, message: str) -> None:
    print(f"mediajobs: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
