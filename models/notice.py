from datetime import datetime

from sqlalchemy.orm import Mapped

from models.base import Base, bigint_pk


class Notice(Base):
    """That a job ended. Written by a trigger in the transaction that ends it, taken in by upkeep a moment later."""

    __tablename__ = "outbox"

    id: Mapped[bigint_pk]
    at: Mapped[datetime]
    #: No foreign key, as with events.
    job_id: Mapped[int]
    #: The final state.
    event: Mapped[str]
    code: Mapped[str | None]
