from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, now


class WebSession(Base):
    """A browser that is logged in. It ends with its key."""

    __tablename__ = "web_sessions"

    #: SHA-256 of the cookie.
    digest: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[now]
    expires_at: Mapped[datetime]
