from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now


class Batch(Base):
    """Jobs submitted together, under a name of the user's."""

    __tablename__ = "batches"

    id: Mapped[bigint_pk]
    name: Mapped[str] = mapped_column(unique=True)
    webhook: Mapped[str | None]
    created_at: Mapped[now]
    #: Set when the last of its jobs ended; cleared when one is retried or added.
    finished_at: Mapped[datetime | None]
