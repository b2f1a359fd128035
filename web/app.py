"""The application, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from sqlalchemy import text
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from models.session import make_engine
from web import api, metrics, pages
from web.access import Door
from web.database import Database
from web.guard import Guard
from web.problems import add_handlers
from web.templating import STATIC
from web.wiring import Parts
from worker.settings import LOOPBACK, Settings
from worker.traceparent import GIVEN

#: As many as there are threads for requests.
CONNECTIONS = 40


def make_app(config: Settings) -> FastAPI:
    """Raises NoServicesError where no database is known."""
    # Not `brief`: a manifest's files are looked at within the transaction that enqueues it.
    engine = make_engine(config.require_database_url(), name="mediajobs-web", pool_size=5, max_overflow=CONNECTIONS - 5)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = Application(
        title="mediajobs",
        version=version("mediajobs"),
        openapi_url=f"{api.PREFIX}/openapi.json",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.engine = engine
    app.state.settings = config
    app.state.door = Door(alone=config.web_host in LOOPBACK and not config.web_url)
    app.state.parts = Parts(engine, config)
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.include_router(api.router)
    app.include_router(metrics.router)
    app.include_router(pages.router)
    app.mount("/static", Static(directory=STATIC))
    add_handlers(app)
    hosts = {*LOOPBACK, urlsplit(config.web_url or "").hostname or "localhost"}
    app.add_middleware(
        Guard,
        hosts=hosts if config.web_host in LOOPBACK else None,
        https=(config.web_url or "").startswith("https://"),
        max_upload_bytes=config.web_max_upload_bytes,
    )
    app.add_middleware(Traced)
    return app


class Application(FastAPI):
    """With its own words in its OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = api.documented(super().openapi())
        return self.openapi_schema


class Traced:
    """Jobs that a request enqueues are of its trace."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("traceparent") if scope["type"] == "http" else None
        token = GIVEN.set(given)
        try:
            await self.app(scope, receive, send)
        finally:
            GIVEN.reset(token)


class Static(StaticFiles):
    """Files whose URL has a mark of their content: they never change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def healthz(database: Database) -> dict[str, str]:
    """For supervisors: it answers, and so does the database."""
    database.execute(text("select 1"))
    return {"status": "ok"}
