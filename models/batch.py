from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now


class Batch(Base):
    """Jobs submitted together, under a name of the user's."""

    __tablename__ = "batches"

    id: Mapped[bigint_pk]
    name: Mapped[str] = mapped_column(unique=True)
    webhook: Mapped[str | None]
    created_at: Mapped[now]
