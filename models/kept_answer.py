from sqlalchemy import SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, now


class KeptAnswer(Base):
    """The answer to a request that named an Idempotency-Key: given again when the request comes again."""

    __tablename__ = "kept_answers"

    #: Whose it is: keys of two callers have nothing to do with each other.
    who: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    #: SHA-256 of what was asked for.
    fingerprint: Mapped[str]
    status: Mapped[int] = mapped_column(SmallInteger)
    body: Mapped[bytes]
    created_at: Mapped[now] = mapped_column(index=True)
