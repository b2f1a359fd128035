from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Link(Base):
    """One job comes after another: it runs when that has succeeded, and may take what it made."""

    __tablename__ = "links"
    __table_args__ = (Index("ix_links_later_id", "later_id"),)

    earlier_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    later_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
