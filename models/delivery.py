from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now, zero

#: Scheme, name and port: what is down is down as a whole.
HOST = "lower(substring(url from '^[^:]+://[^/?#]+'))"


class Delivery(Base):
    """One message to one receiver. Its row is committed with what it tells; it is delivered at least once."""

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", "state_known"),
        Index("ix_deliveries_due", "host", "next_at", "id", postgresql_where=text("state = 'pending'")),
        Index("ix_deliveries_batch_id", "batch_id", postgresql_where=text("batch_id is not null")),
        Index("ix_deliveries_created_at", "created_at", postgresql_using="brin"),
    )

    id: Mapped[bigint_pk]
    #: The same at every try, so that a receiver knows what it has already.
    message_id: Mapped[str] = mapped_column(
        server_default=text("'msg_' || replace(cast(gen_random_uuid() as text), '-', '')")
    )
    #: None: a batch's own URL.
    webhook_id: Mapped[int | None] = mapped_column(ForeignKey("webhooks.id", ondelete="SET NULL"))
    url: Mapped[str]
    host: Mapped[str] = mapped_column(Computed(HOST, persisted=True))
    event: Mapped[str]
    data: Mapped[dict[str, Any]]
    #: No foreign keys: what is told stays told.
    batch_id: Mapped[int | None]
    job_id: Mapped[int | None]
    #: When it happened.
    created_at: Mapped[now]

    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    #: Tries so far: also the fence of a try, for only the newest may write what came of it.
    tries: Mapped[zero]
    #: From when the days count after which it is given up: begins anew at a replay.
    since: Mapped[now]
    next_at: Mapped[now]
    #: When it was delivered or given up.
    ended_at: Mapped[datetime | None]
    #: Of the last try.
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    error: Mapped[str | None]
