from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, now


class Schedule(Base):
    """When to look at a source, and what to do with the files that are new there."""

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("catch_up IN ('all', 'once', 'skip')", "catch_up_known"),
        CheckConstraint("overlap IN ('queue', 'skip')", "overlap_known"),
        Index("ix_schedules_due", "next_at", postgresql_where=text("paused_at IS NULL")),
    )

    id: Mapped[bigint_pk]
    name: Mapped[str] = mapped_column(unique=True)
    cron: Mapped[str]
    timezone: Mapped[str]
    #: A folder's absolute path, or s3://bucket/prefix; paths of files are relative to it.
    source: Mapped[str]
    patterns: Mapped[list[str]] = mapped_column(ARRAY(Text))
    #: Fields of each job, but for `file`.
    args: Mapped[dict[str, Any]]
    #: Where outputs are put: `beside` their source, a folder, or s3://bucket/prefix; null: they stay in the store.
    out: Mapped[str | None]
    #: What becomes of ticks at which nothing ran.
    catch_up: Mapped[str]
    #: Ticks that were missed for longer are not made up for.
    max_age_s: Mapped[int]
    #: What a tick does while the run before it has not ended.
    overlap: Mapped[str]
    webhook: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    #: The next tick; null: it never comes again.
    next_at: Mapped[datetime | None]
    #: Some process puts its outputs in place until then.
    publishing_until: Mapped[datetime | None]
    created_at: Mapped[now]
