from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, now


class EndpointFormat(Base):
    """Which URL format worked, per provider and endpoint: tried first from then on."""

    __tablename__ = "endpoint_formats"

    #: The API's base URL, without a token.
    provider: Mapped[str] = mapped_column(primary_key=True)
    endpoint: Mapped[str] = mapped_column(primary_key=True)
    #: `new` or `old`.
    format: Mapped[str]
    #: What was seen that decided it.
    evidence: Mapped[str]
    decided_at: Mapped[now]
