"""Log lines: plain for people, or JSON for a collector of logs, each with the job that it is about."""

import logging
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from models.transitions import Claim, Fetch, Move, Poll
from provider.redact import redact
from worker.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import Processor

#: Each step of each job. For people it would be too much: the record has it.
steps = logging.getLogger("mediajobs.steps")
#: What the running coroutine has in hand. A variable of its own, as it is set for each job: no dict is made for it.
in_hand: ContextVar[Claim | Fetch | Poll | None] = ContextVar("in_hand", default=None)


@contextmanager
def about(held: Claim | Fetch | Poll) -> Iterator[None]:
    """Lines that are written in this block, and by threads that it waits for, are about this job."""
    token = in_hand.set(held)
    try:
        yield
    finally:
        in_hand.reset(token)


def step(move: Move) -> None:
    """Tell what a job came to; that the provider is still at work is nothing new."""
    if move.target is move.source or not steps.isEnabledFor(logging.INFO):
        return
    told: dict[str, Any] = {"source": move.source.value, "state": move.target.value}
    if (end := move.attempt_end) is not None:
        told |= {"outcome": end.outcome, "http_status": end.http_status, "cost": float(end.cost)}
    if move.error_code:
        told |= {"code": move.error_code, "reason": move.error_message}
    steps.info("%s", move.target.value, extra={"told": told})


def set_up(logger: logging.Logger, config: Settings) -> None:
    """Give the logger's handlers the form that the settings ask for."""
    steps.setLevel(logging.INFO if config.log_format == "json" else logging.WARNING)
    if config.log_format == "json":
        for handler in logger.handlers:
            handler.setFormatter(as_json(config.api_token.get_secret_value()))


def as_json(token: str) -> logging.Formatter:
    """`timestamp`, `level`, `logger`, `event`, and of a job `job`, `batch`, `attempt`, `kind`, `model`."""
    import structlog  # noqa: PLC0415 - a seventh of a worker's start, for those alone who collect logs

    def without_secrets(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {name: redact(value, token) if isinstance(value, str) else value for name, value in line.items()}

    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        of_the_job,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            without_secrets,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def of_the_job(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.update(getattr(line["_record"], "told", {}))
    if (held := in_hand.get()) is not None:
        line.update(job=held.job_id, batch=held.batch_id, attempt=held.number, kind=held.kind, model=held.model)
    return line
