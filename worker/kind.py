"""What a job kind is: one file in `worker/kinds/` makes one `Kind`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from provider.wire import Json, Request

__all__ = ["Args", "Checked", "Intent", "Kind", "OnUnknown", "Output", "Outputs", "Pending",
           "Remote", "RemoteFailed", "Result", "UnreadableAnswerError"]  # fmt: skip


class Args(BaseModel):
    """The input of a job: the API's own field names, checked when enqueued. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)

    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A request about to be made: which job, and the id that the provider is told."""

    job_id: int
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Something to store: by URL, or the bytes themselves. `text`: small text, kept in Postgres too."""

    role: str
    suffix: str
    mime: str
    url: str | None = None
    data: bytes | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """The work is done; these are to be stored."""

    outputs: list[Output]


@dataclass(frozen=True, slots=True)
class Remote:
    """Accepted; the provider works on it under this id."""

    remote_id: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider still works on it."""


@dataclass(frozen=True, slots=True)
class RemoteFailed:
    """The provider gave up on it."""

    code: str
    message: str


Result = Outputs | Remote | Pending | RemoteFailed


class UnreadableAnswerError(Exception):
    """A successful answer without what it should hold. It is kept as it came."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A valid input row: the args of each job it becomes, and what is odd about it."""

    jobs: list[Json]
    warnings: list[str] = field(default_factory=list)


class OnUnknown(StrEnum):
    """What to do when an answer was lost after sending: at most one more purchase, or ask."""

    RETRY = "retry"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Everything the flow needs to know of a kind; the kind knows nothing of the flow.

    check: (input row, folder that relative paths start from) → Checked; raises
        pydantic.ValidationError, whose errors name field, value and remedy.
    request: (stored args, Intent) → the call; may read local files, raising OSError.
    read: body of an answer, of the call or of a poll → Result; raises UnreadableAnswerError.
    poll: remote id → the call that asks for the result; None where answers come at once.
    cost: stored args → US dollars that a success costs, by the price list in `provider.catalog`.
    """

    name: str
    default_model: str
    fields: list[str]
    check: Callable[[dict[str, Any], Path], Checked]
    request: Callable[[Json, Intent], Request]
    read: Callable[[Json], Result]
    cost: Callable[[Json], Decimal]
    poll: Callable[[str], Request] | None = None
    on_unknown: OnUnknown = OnUnknown.RETRY
    max_attempts: int = 3
    default_concurrency: int = 5
