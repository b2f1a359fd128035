from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now


class Webhook(Base):
    """A receiver that wants to be told of what happens, whichever batch it is of."""

    __tablename__ = "webhooks"

    id: Mapped[bigint_pk]
    url: Mapped[str] = mapped_column(unique=True)
    #: Of EVENTS in `worker/webhooks`.
    events: Mapped[list[str]] = mapped_column(ARRAY(Text))
    #: Why it gets nothing any more: it said itself that it is gone.
    stopped: Mapped[str | None]
    created_at: Mapped[now]


class WebhookKey(Base):
    """What receivers' secrets are made from. The newest counts; the one before it signs too, for a while."""

    __tablename__ = "webhook_keys"

    id: Mapped[bigint_pk]
    key: Mapped[str]
    created_at: Mapped[now]
