from decimal import Decimal
from typing import Any

from sqlalchemy import Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now


class AuditEntry(Base):
    """Something that a person did, written in the transaction that did it."""

    __tablename__ = "audit"

    id: Mapped[bigint_pk]
    at: Mapped[now]
    #: The key's name, or the user's of the command line.
    who: Mapped[str]
    #: command line, api, dashboard or Flower.
    via: Mapped[str]
    #: cancel, retry, pause, set budget …
    action: Mapped[str]
    #: To what: `batch boats`, `job 17`, `model glm-image`.
    subject: Mapped[str | None]
    #: How many jobs it changed.
    jobs: Mapped[int | None]
    #: US dollars that it may cost.
    cost: Mapped[Decimal | None] = mapped_column(Numeric(14, 6))
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
