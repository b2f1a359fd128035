from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now


class ApiKey(Base):
    """Who may use the web application. The key itself is not kept: it is shown once, when it is made."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("role IN ('viewer', 'operator', 'admin')", "role_known"),)

    id: Mapped[bigint_pk]
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    #: SHA-256 of the key. Keys are long and random, so that a slow hash would add nothing.
    digest: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[now]
    #: To within a few minutes.
    used_at: Mapped[datetime | None]
