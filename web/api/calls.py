"""Calls of the API as it is, outside of any job; and whether all that the product needs is there."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from provider.address import is_direct, offered
from provider.endpoints import ENDPOINTS, Endpoint, endpoint_at, fields_of
from provider.errors import Action, AnswerLost, NotSent, ProviderError
from web.access import Operator, Viewer
from web.api import shapes
from web.api.once import Doing, LostError
from web.api.steer import Asked
from web.problems import ProblemError
from web.uploads import uploads
from web.wiring import MOST_CALLS, Parts, Wired
from worker import call as calls
from worker.doctor import definition, examine
from worker.folders import UPLOAD
from worker.storage import read_source

router = APIRouter(tags=["the API itself"])

MAX_FILE_BYTES = 256 * 1024**2


@router.get("/endpoints")
def endpoints(_: Viewer) -> list[shapes.Endpoint]:
    """What the provider's API has, and what can be called by its name."""
    return [
        shapes.Endpoint(
            name=name, title=each.title, method=each.method, path=each.new_path or each.direct_path, paid=each.paid,
            takes_file=each.upload, fields=fields_of(each.request), answer=fields_of(each.answer), source=each.source,
        )
        for name, each in ENDPOINTS.items()
    ]  # fmt: skip


class Call(Asked):
    """An endpoint by its name, or a path of the API's new URL format with its parameters in braces."""

    endpoint: str = Field(min_length=1, max_length=500, examples=["chat"])
    fields: dict[str, Any] = Field(
        default={}, description="The body, and the path's parameters.",
        examples=[{"model": "glm-4.7", "messages": [{"role": "user", "content": "hello"}]}],
    )  # fmt: skip
    file: str | None = Field(default=None, description="What to upload: as `POST /uploads` answered, or s3://…")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = Field(
        default=None, description="Of a path; without: GET, or POST where there are fields."
    )
    query: dict[str, str] = Field(default={}, description="Of a path.")
    provider: str | None = Field(default=None, max_length=100, description="Another one behind the proxy.")

    def found(self) -> tuple[Endpoint, bool]:
        """The endpoint, and whether it is in the table. Raises ProblemError."""
        if self.endpoint.startswith("/"):
            found = endpoint_at(self.endpoint, self.method or ("POST" if self.fields or self.file else "GET"))
        elif (known := ENDPOINTS.get(self.endpoint)) is None:
            names = ", ".join(ENDPOINTS)
            raise ProblemError(404, "unknown_endpoint", f"there is no {self.endpoint!r}; there are {names}, and paths")
        else:
            found = known
        if missing := [name for name in found.path_names if name not in self.fields]:
            raise ProblemError(422, "invalid_request", f"fields: {missing[0]} is missing: it is a part of the path")
        return found, not self.endpoint.startswith("/")


@router.post("/calls", response_model=shapes.Called)
def call(doing: Doing, wired: Wired, caller: Operator, asked: Call) -> Response:
    """Call an endpoint once, and answer what it answers. It may cost money, which no budget counts.

    What is called is in the trail before it is called. A lost answer is not asked for again: 502 `answer_lost`.
    """
    endpoint, known = asked.found()
    config = wired.settings
    if not (config.api_token.get_secret_value() or endpoint.described):
        raise ProblemError(503, "no_token", "no API token: set MEDIAJOBS_API_TOKEN where the web application runs")
    try:
        base_url = calls.base_url_of(config, asked.provider)
    except ValueError as error:
        raise ProblemError(422, "invalid_request", f"provider: {error}") from None
    try:
        offered(asked.endpoint, endpoint, direct=is_direct(base_url, config.api_style))
    except ProviderError as error:
        raise problem_of(asked.endpoint, error, paid=endpoint.paid) from None
    price = calls.price_of_call(endpoint, asked.fields) if known and endpoint.paid else None

    def note() -> None:
        doing.operator(caller).call(asked.endpoint, None if endpoint.upload else price)

    # Taken before the file is read: eight files at most are in memory.
    if not wired.calls.acquire(blocking=False):
        raise ProblemError(
            429, "too_many_calls", f"{MOST_CALLS} calls are under way; enqueue jobs where there are many",
            headers={"Retry-After": "5"},
        )  # fmt: skip
    try:
        name, data = contents(wired, asked.file)
        making = calls.make_request(
            asked.endpoint, endpoint, asked.fields, file=name, data=data, query=dict(asked.query), known=known
        )

        def do() -> shapes.Called:
            try:
                answer = calls.call(making, base_url, config)
            except ProviderError as error:
                raise problem_of(asked.endpoint, error, paid=endpoint.paid) from None
            counted = calls.cost_of_answer(price, answer.body)
            tokens, cost = counted or (None, price if isinstance(price, Decimal) and not endpoint.upload else None)
            doubts = calls.doubts(endpoint, asked.fields, file=asked.file is not None) if known else ()
            return shapes.Called(
                answer=answer.body, warnings=list(doubts), cost=cost,
                tokens_in=tokens.input if tokens else None, tokens_out=tokens.output if tokens else None,
            )  # fmt: skip

        return doing.once_paid(caller, asked.model_dump_json(), note, do)
    finally:
        wired.calls.release()


def contents(wired: Parts, given: str | None) -> tuple[Path | None, bytes | None]:
    """A file's name, and what is in it. Raises ProblemError."""
    if given is None:
        return None, None
    if not given.startswith((UPLOAD, "s3://")):
        raise ProblemError(
            422, "invalid_request", f"file: names {given[:60]!r}; upload it first, or name an object as s3://…"
        )
    try:
        place = uploads(wired.settings, wired.storage).find(given)
        return Path(place.rpartition("/")[2]), asyncio.run(read_source(place, MAX_FILE_BYTES))
    except OSError as error:
        raise ProblemError(422, "invalid_request", f"file: {given[:200]}: {error.strerror or error}") from None
    except ValueError as error:
        raise ProblemError(422, "invalid_request", f"file: {given[:80]!r} {error}") from None


def problem_of(name: str, error: ProviderError, *, paid: bool) -> ProblemError:
    """What went wrong at the API, as our answer."""
    more: dict[str, Any] = {
        "api_status": error.http_status,
        "api_code": error.code,
        "advice": calls.advice_of(name, error, paid=paid),
    }
    if isinstance(error, AnswerLost):
        return LostError(502, "answer_lost", str(error), **more)
    if not isinstance(error, NotSent):
        return ProblemError(502, "api_refused", str(error), **more)
    if error.ruling.action is Action.FAIL:
        return ProblemError(422, "invalid_request", str(error), **more)
    return ProblemError(502, "api_away", str(error), **more)


@router.get("/doctor")
def doctor(wired: Wired, _: Operator, *, api: bool = False) -> list[shapes.Finding]:
    """Look at database, schema, broker, workers, API and store, and say how to mend what is wrong.

    It writes a small file into the store and deletes it. `api`: hold the API's definition against what is sent, too.
    """
    found = [*examine(wired.settings), *(definition(wired.settings) if api else ())]
    return [shapes.Finding.model_validate(each) for each in found]
