from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Piece(Base):
    """A stretch of a recording that one call of the API takes. Its text is its job's, or known without one."""

    __tablename__ = "pieces"
    __table_args__ = (
        Index("uq_pieces_job_id", "job_id", unique=True),
        Index("ix_pieces_cache_key", "cache_key"),
        Index("ix_pieces_location", "parent_id", postgresql_where=text("location is not null")),
    )

    parent_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    #: None: there is nothing to hear, the text was known, or the piece before it is not done.
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    #: In samples of 1/16000 s from the recording's start.
    begins: Mapped[int]
    ends: Mapped[int]
    #: What is between it and the next: a pause, an overlap, or the end.
    seam: Mapped[str]
    #: Where in it somebody speaks: pairs of seconds from its own start.
    speech: Mapped[list[Any]] = mapped_column(JSONB)
    #: Its file below the outputs URL, until the recording has its transcript.
    location: Mapped[str | None]
    #: The same sound, asked about in the same way.
    cache_key: Mapped[str | None]
    #: Where it has no job of its own.
    text: Mapped[str | None]
