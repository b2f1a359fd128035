from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, Numeric, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, false, now


class Attempt(Base):
    """One request that may cost money. The row is there before the bytes go out."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_late", "job_id", postgresql_where=text("late")),
        Index("ix_attempts_charged", "sent_at", postgresql_where=text("possibly_charged")),
        # Costs by day. Rows come in the order of this column, so that a BRIN index does, and costs no write.
        Index("ix_attempts_sent_at", "sent_at", postgresql_using="brin"),
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    #: The claim's fence: says which claim made the request.
    fence: Mapped[int]
    #: Ours; quoted to the provider, and in the ledger of the sandbox.
    request_id: Mapped[str]
    worker: Mapped[str | None]
    #: When the intent was committed; the request goes out after it.
    sent_at: Mapped[now]
    ended_at: Mapped[datetime | None]
    #: answered, rejected, unsent, unknown or interrupted; null while open.
    outcome: Mapped[str | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    #: The start of a response that was no success; redacted.
    excerpt: Mapped[str | None]
    #: The whole successful response, as it came: kept before it is read.
    answer: Mapped[bytes | None]
    remote_id: Mapped[str | None]
    #: US dollars.
    cost: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    possibly_charged: Mapped[false]
    #: The answer came when a later claim had the job: paid for, and still to be put to use.
    late: Mapped[false]
