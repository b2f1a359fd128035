"""`python -m web`: the application as a server, at the address of the settings."""

import socket
import sys

import uvicorn
from pydantic import ValidationError

from web.app import make_app
from worker.settings import NoServicesError, settings

#: How long a stop waits for answers under way; an event stream never ends by itself.
STOP_TIMEOUT_S = 3


def main() -> None:
    try:
        config = settings()
        app = make_app(config)
        family = socket.AF_INET6 if ":" in config.web_host else socket.AF_INET
        listener = socket.create_server((config.web_host, config.web_port), family=family, backlog=256)
    except NoServicesError as error:
        fail(3, str(error))
    except ValidationError as error:
        fail(2, str(error))
    except OSError as error:
        fail(2, f"cannot listen on {config.web_host} port {config.web_port}: {error.strerror}")
    print(f"dashboard: http://{shown(config.web_host)}:{listener.getsockname()[1]}", flush=True)  # noqa: T201
    options = uvicorn.Config(
        app, ws="none", log_level="warning", server_header=False, timeout_graceful_shutdown=STOP_TIMEOUT_S
    )
    server = uvicorn.Server(options)
    server.run(sockets=[listener])


def shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def fail(code: int, message: str) -> None:
    print(f"mediajobs: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
