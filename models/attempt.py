from datetime import datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Numeric, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, false, now


class Attempt(Base):
    """One request that may cost money. The row is there before the bytes go out."""

    __tablename__ = "attempts"

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
