"""Which URL format worked, kept in Postgres per provider and endpoint."""

import asyncio
import logging

from sqlalchemy import Engine, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

REMEMBER = text("""
    insert into endpoint_formats as f (provider, endpoint, format, evidence)
    values (:provider, :endpoint, :format, :evidence)
    on conflict (provider, endpoint) do update set
        format = excluded.format, evidence = excluded.evidence, decided_at = now()
    where f.format <> excluded.format
""")
RECALL = text("select format from endpoint_formats where provider = :provider and endpoint = :endpoint")
FORGET = text("delete from endpoint_formats where provider = :provider and endpoint = :endpoint")


class PostgresFormats:
    """The memory of one provider's formats; read once per process, written when it changes.

    Trouble with the database is told and no more: no answer that was paid for is lost by it.
    """

    def __init__(self, engine: Engine, provider: str) -> None:
        self._engine = engine
        self._provider = provider
        self._known: dict[str, str | None] = {}

    async def get(self, endpoint: str) -> str | None:
        if endpoint not in self._known:
            try:
                self._known[endpoint] = await asyncio.to_thread(self._recall, endpoint)
            except SQLAlchemyError as error:
                log.warning("%s: cannot look which URL format worked: %s", endpoint, type(error).__name__)
                return None
        return self._known[endpoint]

    async def remember(self, endpoint: str, url_format: str, evidence: str) -> None:
        if self._known.get(endpoint) == url_format:
            return
        self._known[endpoint] = url_format
        log.info("%s: the %s URL format works (%s)", endpoint, url_format, evidence)
        values = {"provider": self._provider, "endpoint": endpoint, "format": url_format, "evidence": evidence}
        await self._write(REMEMBER, values)

    async def forget(self, endpoint: str) -> None:
        self._known[endpoint] = None
        log.info("%s: neither URL format works; the next call begins with the new one", endpoint)
        await self._write(FORGET, {"provider": self._provider, "endpoint": endpoint})

    def _recall(self, endpoint: str) -> str | None:
        with self._engine.connect() as conn:
            return conn.execute(RECALL, {"provider": self._provider, "endpoint": endpoint}).scalar()

    async def _write(self, statement: TextClause, values: dict[str, str]) -> None:
        try:
            await asyncio.to_thread(self._execute, statement, values)
        except SQLAlchemyError as error:
            self._known.pop(values["endpoint"], None)  # the next call looks, and writes, anew
            log.warning("%s: cannot write which URL format works: %s", values["endpoint"], type(error).__name__)

    def _execute(self, statement: TextClause, values: dict[str, str]) -> None:
        with self._engine.begin() as conn:
            conn.execute(statement, values)
