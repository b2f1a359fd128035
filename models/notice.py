from datetime import datetime

from sqlalchemy import Double, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk


class Notice(Base):
    """That a job ended, or a request of it came to something.

    Written by a trigger in the transaction that makes it so, taken in by upkeep a moment later.
    """

    __tablename__ = "outbox"

    id: Mapped[bigint_pk]
    at: Mapped[datetime]
    #: No foreign key, as with events.
    job_id: Mapped[int]
    #: A job's final state, or a request's outcome.
    event: Mapped[str]
    code: Mapped[str | None]
    #: Of a request.
    http_status: Mapped[int | None] = mapped_column(SmallInteger)
    #: How long it took; null: it is about a job.
    seconds: Mapped[float | None] = mapped_column(Double)
