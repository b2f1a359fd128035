from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class SourceFile(Base):
    """A file of a schedule's source that is known: what it was when it was last taken, and the job that did it."""

    __tablename__ = "source_files"
    __table_args__ = (
        Index("ix_source_files_content", "schedule_id", "sha256"),
        Index("ix_source_files_job", "job_id"),
    )

    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    mtime: Mapped[datetime]
    etag: Mapped[str | None]
    sha256: Mapped[str]
    #: Copies share one. No foreign key: jobs are pruned, and the content stays known.
    job_id: Mapped[int]
