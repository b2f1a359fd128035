"""What a job kind is: one file in `worker/kinds/` makes one `Kind`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from provider.unwrap import UNSTORABLE
from provider.wire import Json, Request
from worker.folders import Files
from worker.tariff import NO_TOKENS, Price, Tokens
from worker.wording import shown

AnyArgs = TypeVar("AnyArgs", bound="Args")

__all__ = [
    "ASSUMED_CONCURRENCY",
    "KINDS_OF",
    "Args",
    "Cell",
    "Checked",
    "Intent",
    "Kind",
    "Model",
    "NotBool",
    "OnUnknown",
    "Output",
    "Outputs",
    "Pending",
    "Prompt",
    "Remote",
    "RemoteFailed",
    "Result",
    "Text",
    "UnreadableAnswerError",
    "folder_of",
    "read_args",
    "renamed",
]  # fmt: skip


def storable(value: Any) -> Any:
    """Refuse what Postgres cannot hold, at any depth."""
    match value:
        case str() if found := UNSTORABLE.search(value):
            raise ValueError(f"has a character that cannot be stored ({found[0]!r} at {found.start()}); take it out")
        case dict():
            for each in value.items():
                storable(each)
        case list() | tuple():
            for each in value:
                storable(each)
    return value


def from_cell(value: Any) -> Any:
    """A CSV cell that holds a JSON list or object, read as one; `{{` begins neither."""
    text = value.lstrip() if isinstance(value, str) else ""
    if text.startswith("[") or (text.startswith("{") and not text.startswith("{{")):
        try:
            return json.loads(text)
        except ValueError as error:
            what = "a JSON list" if text.startswith("[") else "a JSON object"
            raise ValueError(f"starts like {what} but is none: {error}") from None
    return value


Cell = BeforeValidator(from_cell)


def not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; say what is to be made")
    return value


def not_blank_name(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; give it a name, or leave it out")
    return value


def not_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is no number; write it in digits")  # noqa: TRY004 - of the value, for pydantic
    return value


Text = Annotated[str, AfterValidator(storable)]
Prompt = Annotated[str, AfterValidator(storable), AfterValidator(not_blank)]
NotBool = BeforeValidator(not_bool)
UserId = Annotated[str, Field(min_length=6, max_length=128), AfterValidator(storable)]


class Args(BaseModel):
    """The input of a job: the API's own field names, checked when enqueued. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[Text, AfterValidator(not_blank_name)] = Field(min_length=1, max_length=100)
    user_id: UserId | None = None

    def stored(self) -> Json:
        """The fields that were given: what the job keeps and the API gets."""
        return self.model_dump(mode="json", exclude_none=True)


def renamed(error: ValidationError, names: Mapping[str, str]) -> ValidationError:
    """The same, with the fields called what they are called in the row."""
    lines = [again(each, names) for each in error.errors(include_url=False)]
    return ValidationError.from_exception_data(error.title, lines)


def again(error: ErrorDetails, names: Mapping[str, str]) -> InitErrorDetails:
    first, *rest = error["loc"] or ("",)
    return InitErrorDetails(
        type=PydanticCustomError(error["type"], "{reason}", {**(error.get("ctx") or {}), "reason": error["msg"]}),
        loc=(names.get(str(first), first), *rest) if error["loc"] else (),
        input=error["input"],
    )


OURS = {"request_id": "is made by mediajobs, one for each attempt; use `key` to name a row"}


def folder_of(info: ValidationInfo) -> Files:
    """Where the files lie that a row names, for validators."""
    folder: Files = (info.context or {}).get("folder", Path())
    return folder


def read_args(
    args: type[AnyArgs], row: dict[str, Any], kind: "Kind", *, context: dict[str, Any] | None = None
) -> tuple[AnyArgs, list[str]]:
    """An input row as args, and what is odd about it. Raises pydantic.ValidationError.

    `context` is what the args' validators get to see.

    Unknown models pass with a warning, for providers add models; a model of another kind does not.
    """
    given = {name: value for name, value in row.items() if value is not None}
    given.setdefault("model", kind.default_model)
    unknown = [name for name in given if name not in args.model_fields]
    model = given["model"]
    owners = KINDS_OF.get(model, []) if isinstance(model, str) else []
    others = [] if kind in owners else owners
    if unknown or others:
        lines = refusals(given, unknown, sorted(args.model_fields), kind=kind, others=others)
        try:
            args.model_validate({name: given[name] for name in given if name not in unknown}, context=context)
        except ValidationError as error:
            # Those of single fields: what is missing may stand under an unknown name.
            told = [each for each in error.errors(include_url=False) if each["loc"] and each["type"] != "missing"]
            lines += [again(each, {}) for each in told]
        raise ValidationError.from_exception_data(args.__name__, lines)
    warnings = [] if owners else [f"model {model!r} is not known here; its limits are not checked"]
    return args.model_validate(given, context=context), warnings


def refusals(
    given: dict[str, Any], unknown: list[str], fields: list[str], *, kind: "Kind", others: "list[Kind]"
) -> list[InitErrorDetails]:
    """What is wrong with unknown fields and a model of another kind."""
    lines = [
        line_of(name, given[name], OURS.get(name) or unknown_field(name, given[name], fields), kind="unknown_field")
        for name in unknown
    ]
    if others:
        names = [each.name for each in others]
        reason = (
            f"is a model for {' and '.join(names)} jobs, not for {kind.name}; "
            f"choose another, or submit with --kind {names[0]}"
        )
        lines.append(line_of("model", given["model"], reason))
    return lines


def line_of(name: str, value: Any, reason: str, *, kind: str = "value_error") -> InitErrorDetails:
    # The reason is a value of the message, so that its braces are no places to fill.
    error = PydanticCustomError(kind, "{reason}", {"reason": reason})
    return InitErrorDetails(type=error, loc=(name,), input=value)


def unknown_field(name: str, value: Any, fields: list[str]) -> str:
    near = get_close_matches(name, fields, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"is no field of this kind (it holds {shown(value)}); {meant}known are {', '.join(fields)}"


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
    """The work is done; these are to be stored. `missing`: what is not in them, in words, if they are not the whole."""

    outputs: list[Output]
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Remote:
    """Accepted; the provider works on it under this id."""

    remote_id: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The provider still works on it."""


@dataclass(frozen=True, slots=True)
class RemoteFailed:
    """The provider gave up on it, in its words (the start of them)."""

    code: str
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", self.code[:100])
        object.__setattr__(self, "message", self.message[:500])

    @classmethod
    def told_by(cls, answer: Json) -> "RemoteFailed":
        """No reason is documented; clients have seen it in `error` or in `message`."""
        error = answer.get("error")
        if isinstance(error, dict):
            return cls(str(error.get("code") or "remote_failed"), str(error.get("message") or "no reason given"))
        return cls("remote_failed", str(error or answer.get("message") or "the provider gave no reason"))


Result = Outputs | Remote | Pending | RemoteFailed


class UnreadableAnswerError(Exception):
    """A successful answer without what it should hold. It is kept as it came."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A valid input row: the args of each job it becomes, and what is odd about it.

    What each job takes, at most, of what its model is paid by: `units` are calls, or minutes of audio;
    `tokens` count where the price is by tokens.
    `limit`: the row of limits whose slots they take, where it is not their model's.
    `calls`: how many each makes, about.
    """

    jobs: list[Json]
    warnings: list[str] = field(default_factory=list)
    units: Decimal = Decimal(1)
    tokens: Tokens = NO_TOKENS
    limit: str | None = None
    calls: int = 1


class OnUnknown(StrEnum):
    """What to do when an answer was lost after sending: at most one more purchase, or ask."""

    RETRY = "retry"
    HOLD = "hold"


#: At once, where nothing is published; the true limit is learned.
ASSUMED_CONCURRENCY = 5


@dataclass(frozen=True, slots=True)
class Model:
    """What is published of a model.

    price: US dollars a call, or a minute of audio for transcription; or by tokens. concurrency: at
    once, per account. believed_s: seconds that a job takes, where they are not its kind's.
    output_tokens: written at most, where a job does not say how many.
    """

    price: Price
    concurrency: int = ASSUMED_CONCURRENCY
    believed_s: float | None = None
    output_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Everything the flow needs to know of a kind; the kind knows nothing of the flow.

    check: (input row, where the files lie that it names) → Checked; raises
        pydantic.ValidationError, whose errors name field, value and remedy.
    request: (stored args, Intent) → the call; may read local files, raising OSError.
    read: (body of an answer, of the call or of a poll; stored args) → Result; raises UnreadableAnswerError.
    usage: body of an answer → the tokens that it says are on the bill; None where it says nothing of them.
    makes: the roles of its outputs, that of the first one first. files: fields that name files, at any depth.
    check_upload: bytes of the file that `request` names → None; raises ValueError where the API would refuse it.
    poll: (remote id, stored args) → the call that asks for the result; None where answers come at once.
    models: those that are known; others pass with a warning, for providers add models.
    believed_s: seconds that a job takes, as documented or believed, until there are jobs to measure.
    result_life_s: seconds that a result's URL lives where it does not say so itself.
    """

    name: str
    default_model: str
    models: Mapping[str, Model]
    believed_s: float
    fields: list[str]
    check: Callable[[dict[str, Any], Files], Checked]
    request: Callable[[Json, Intent], Request]
    read: Callable[[Json, Json], Result]
    makes: tuple[str, ...]
    files: frozenset[str] = frozenset()
    usage: Callable[[Json], Tokens | None] | None = None
    check_upload: Callable[[bytes], None] | None = None
    max_upload_bytes: int = 0
    poll: Callable[[str, Json], Request] | None = None
    on_unknown: OnUnknown = OnUnknown.RETRY
    result_life_s: float = 86400.0
    max_attempts: int = 3

    @property
    def slot_scope(self) -> str:
        """`task` where a slot is believed to be held until the remote task ends, else `answer`."""
        return "task" if self.poll else "answer"

    def concurrency(self, model: str) -> int:
        """Jobs at once to begin with."""
        known = self.models.get(model)
        return known.concurrency if known else ASSUMED_CONCURRENCY

    def seconds(self, model: str) -> float:
        """How long a job takes, about."""
        known = self.models.get(model)
        return (known.believed_s if known else None) or self.believed_s


#: Model → its kinds, of every model that is known. `worker.kinds` fills it as it loads the kinds: import it from there.
KINDS_OF: dict[str, list[Kind]] = {}


def read_answer(kind: Kind, body: Json, args: Json) -> Result:
    """What an answer holds. Raises UnreadableAnswerError, whatever went wrong: it was paid for, and is kept."""
    try:
        return kind.read(body, args)
    except UnreadableAnswerError:
        raise
    except Exception as error:
        raise UnreadableAnswerError(f"reading it failed: {type(error).__name__}: {str(error)[:300]}") from error
