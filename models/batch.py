from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now, zero


class Batch(Base):
    """Jobs submitted together, under a name of the user's."""

    __tablename__ = "batches"
    __table_args__ = (Index("ix_batches_open", "id", postgresql_where=text("finished_at is null")),)

    id: Mapped[bigint_pk]
    name: Mapped[str] = mapped_column(unique=True)
    #: Where its end is told.
    webhook: Mapped[str | None]
    created_at: Mapped[now]
    #: When it was seen that nothing of it is open. Taken back by a trigger when a job is added or runs again.
    finished_at: Mapped[datetime | None]
    #: Times that it finished.
    completions: Mapped[zero]
