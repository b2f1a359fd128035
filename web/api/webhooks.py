"""Who is told of what happens, and what became of the messages."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from web.access import Admin, Operator, Viewer
from web.api import shapes
from web.api.once import Doing
from web.api.steer import Asked
from web.database import Database
from web.problems import ProblemError
from worker.addresses import host_of, networks
from worker.settings import settings
from worker.webhooks import EVENTS, manage

router = APIRouter(tags=["webhooks"])

Webhook = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/webhooks")
def webhooks(database: Database, _: Viewer) -> list[shapes.Webhook]:
    """Receivers, with what was sent to each in the last seven days. Of URLs the host alone: paths may be secrets."""
    found = manage.listed(database.connection())
    return [shapes.Webhook.model_validate({**each, "host": host_of(each["url"])}) for each in found]


class NewWebhook(Asked):
    url: str = Field(max_length=2000, examples=["https://hooks.example/ops"])
    events: list[str] = Field(
        default=[each for each in EVENTS if each != "job.succeeded"],
        min_length=1,
        description=f"Of {', '.join(EVENTS)}.",
    )


@router.post("/webhooks", status_code=201)
def add(doing: Doing, caller: Admin, asked: NewWebhook) -> shapes.AddedWebhook:
    """Tell a URL of events from now on; again: of these instead. The answer has the secret that it knows us by.

    An answer with a secret is not kept, so that an Idempotency-Key has no effect here: twice is once anyway.
    """
    try:
        made = doing.operator(caller).add_webhook(asked.url, asked.events, allowed=networks(settings().webhook_allow))
    except ValueError as error:
        raise ProblemError(422, "invalid_request", str(error)) from None
    secret = manage.secret_for(doing.session.connection(), asked.url)
    doing.session.commit()
    return shapes.AddedWebhook(webhook=made, secret=secret)


@router.delete("/webhooks/{webhook}", status_code=204)
def remove(doing: Doing, caller: Admin, webhook: Webhook) -> None:
    """Tell it nothing more; what it was still to be told is given up."""
    if not doing.operator(caller).remove_webhook(webhook):
        raise ProblemError(404, "unknown_webhook", f"there is no webhook {webhook}")
    doing.session.commit()


@router.get("/messages")
def messages(
    database: Database,
    _: Viewer,
    *,
    state: Literal["pending", "delivered", "failed"] | None = None,
    before: Annotated[int | None, Query(ge=1)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> shapes.Page[shapes.Message]:
    """Messages to webhooks, the newest first."""
    found = manage.deliveries(database.connection(), state=state, before=before, limit=limit + 1)
    return shapes.Page[shapes.Message](
        items=[shapes.Message.model_validate({**each, "host": host_of(each["url"])}) for each in found[:limit]],
        next=found[limit - 1]["id"] if len(found) > limit else None,
    )


class Replay(Asked):
    """Messages by id, or all that were given up."""

    ids: list[int] = Field(default=[], max_length=1000)
    failed: bool = False


@router.post("/messages/replay", response_model=shapes.Replayed)
def replay(doing: Doing, caller: Operator, asked: Replay) -> Response:
    """Send messages once more, under the same message ids."""
    if bool(asked.ids) == asked.failed:
        raise ProblemError(422, "invalid_request", "give ids, or failed")

    def do() -> shapes.Replayed:
        count = doing.operator(caller).replay(asked.ids or None, state="failed" if asked.failed else None)
        return shapes.Replayed(messages=count)

    return doing.once(caller, asked.model_dump_json(), do)
