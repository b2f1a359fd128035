from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk


class Event(Base):
    """One change of a job's state. Written by a trigger on `jobs`, in the transaction that makes the change."""

    __tablename__ = "events"

    #: No foreign key: its check would cost each change a look-up; `prune` deletes both.
    job_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[bigint_pk]
    #: The clock, not the transaction's start: what a lock made wait comes after what it waited for.
    at: Mapped[datetime]
    source: Mapped[str]
    target: Mapped[str]
    #: The request it was about: `attempts.number`, 0 before the first.
    number: Mapped[int]
    code: Mapped[str | None]
    reason: Mapped[str | None]
