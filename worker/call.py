"""One call of any endpoint, outside of any job: nothing of it is recorded, and no budget counts it."""

import asyncio
import json
import mimetypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from models.session import make_engine
from provider.address import is_direct, with_provider
from provider.client import Client
from provider.endpoints import Endpoint, fields_of
from provider.errors import Action, AnswerLost, ProviderError
from provider.formats import Forgetful, FormatMemory
from provider.wire import Answer, Json, Request, Upload
from worker.format_memory import PostgresFormats
from worker.glm import usage
from worker.prices import price_of
from worker.settings import Settings
from worker.tariff import Price, TokenPrice, Tokens, cost_of

#: As long as the slowest of them may take.
READ_TIMEOUT_S = 300.0
#: What the provider's refusals mean to the person who called.
ADVICE = {
    Action.RETRY_LATER: "try again in a minute",
    Action.SHRINK: "too many calls at once: try again in a moment",
    Action.SLOW: "too many calls: try again in a minute",
    Action.OVERLOADED: "the model is overloaded: try again in a while",
    Action.PAUSE_ACCOUNT: "see to the account or the token: `mediajobs doctor` tells which are in use",
    Action.PAUSE_MODEL: "there is no balance, no package or no right for this, or a limit is reached",
    Action.FAIL_MODEL: "is the model's name right?",
    Action.REFUSED: "its content is refused; sent again as it is, it would be again",
    Action.ALREADY_ACCEPTED: "a call with this request_id was accepted before",
    Action.PATIENCE: "it may be known in a moment, or no more",
}
#: The same, where an endpoint means something else by it.
ADVICE_OF = {
    ("agent_history", Action.PATIENCE): "is it a `conversation_id` that an answer of this agent named?",
}


def doubts(endpoint: Endpoint, fields: Json, *, file: bool) -> Iterator[str]:
    """Of fields that are in no document: they are sent as they are; and of those that the API requires.

    `file`: one goes with it.
    """
    known = fields_of(endpoint.request)
    for name in fields.keys() - known.keys():
        near = get_close_matches(name, known, n=1)
        yield f"no document has a field {name}{f'; is it {near[0]}?' if near else ''}"
    required: frozenset[str] = getattr(endpoint.request, "__required_keys__", frozenset())
    for name in sorted(required - fields.keys() - ({"file"} if file else set())):
        yield f"{name} is missing, which the API requires"


def advice_of(name: str, error: ProviderError, *, paid: bool) -> str | None:
    """What to do about it, or to make of it. `name`: of the endpoint."""
    if isinstance(error, AnswerLost):
        doubt = "it may have been accepted, and charged" if paid else "it may have been accepted"
        return f"{doubt}; it was sent once, and is not sent again"
    if error.http_status == 404 and error.code is None:
        return "nothing is at this path; `mediajobs doctor --api` tells what the proxy has"
    return ADVICE_OF.get((name, error.ruling.action)) or ADVICE.get(error.ruling.action)


def make_request(
    name: str,
    endpoint: Endpoint,
    fields: Json,
    *,
    file: Path | None = None,
    data: bytes | None = None,
    query: Json | None = None,
    known: bool,
) -> Request:
    """The call that these fields make. known: it is in the table of endpoints. Raises OSError for the file.

    data: what is in the file, where it is not on this machine.

    A file goes up under a name that no other has: the proxy keeps uploads by their names in one folder.
    """
    path = {each: str(fields[each]) for each in endpoint.path_names if each in fields}
    body = {each: value for each, value in fields.items() if each not in path}
    form: dict[str, str] | None = None
    upload = None
    if file is not None:
        mime = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        upload = Upload(
            filename=f"{file.stem}-{uuid4().hex[:8]}{file.suffix}",
            mime=mime,
            source=str(file),
            data=file.read_bytes() if data is None else data,
        )
        form = {each: value if isinstance(value, str) else json.dumps(value) for each, value in body.items()}
    elif endpoint.upload:
        form = {each: value if isinstance(value, str) else json.dumps(value) for each, value in body.items()}
    return Request(
        endpoint=name,
        json=body if form is None and endpoint.method != "GET" else None,
        form=form,
        upload=upload,
        path=path,
        query={each: str(value) for each, value in (query or {}).items()},
        at=None if known else endpoint,
        read_timeout_s=READ_TIMEOUT_S,
        stream=fields.get("stream") is True,
    )


def base_url_of(config: Settings, provider: str | None) -> str:
    """Where the API is: the setting's base URL or, behind the same proxy, another provider's. Raises ValueError."""
    if provider is None:
        return config.api_base_url
    if is_direct(config.api_base_url, config.api_style):
        raise ValueError("other providers are behind the proxy, and MEDIAJOBS_API_BASE_URL is Z.AI's own")
    return with_provider(config.api_base_url, provider)


def call(request: Request, base_url: str, config: Settings, *, on_text: Callable[[str], None] | None = None) -> Answer:
    """Make the call, once. Raises NotSent, Rejected or AnswerLost."""

    async def ask(formats: FormatMemory) -> Answer:
        token = config.api_token.get_secret_value()
        client = Client(base_url=base_url, token=token, style=config.api_style, formats=formats)
        try:
            return await client.send(request, on_text=on_text)
        finally:
            await client.close()

    with formats_of(base_url, config) as formats:
        return asyncio.run(ask(formats))


@contextmanager
def formats_of(base_url: str, config: Settings) -> Iterator[FormatMemory]:
    """What is remembered of URL formats; without a database, nothing: a call needs none."""
    if not config.database_url:
        yield Forgetful()
        return
    engine = make_engine(config.database_url, name="mediajobs-call", pool_size=1)
    try:
        yield PostgresFormats(engine, base_url) if answers(engine) else Forgetful()
    finally:
        engine.dispose()


def answers(engine: Engine) -> bool:
    try:
        with engine.connect():
            return True
    except SQLAlchemyError:
        return False


def price_of_call(endpoint: Endpoint, fields: Json) -> Price | None:
    """By the endpoint, the model or the agent; None where it is not known."""
    if endpoint.price is not None:
        return endpoint.price
    return price_of(str(fields.get("agent_id") or fields.get("model")))


def cost_of_answer(price: Price | None, body: Json) -> tuple[Tokens, Decimal] | None:
    """What it counts, and US dollars, where the answer counts its tokens."""
    tokens = usage(body) if isinstance(price, TokenPrice) else None
    return None if tokens is None else (tokens, cost_of(price, tokens=tokens))
