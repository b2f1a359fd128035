from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, small_zero


class PublishedFile(Base):
    """An output that is put where a schedule wants it. The row is there before the file."""

    __tablename__ = "published_files"
    __table_args__ = (
        CheckConstraint("state IN ('done', 'failed', 'out_exists', 'putting')", "state_known"),
        Index("ix_published_files_again", "again_at", postgresql_where=text("state = 'failed'")),
        Index("ix_published_files_job", "job_id"),
        Index("ix_published_files_target", "target"),
    )

    #: Its name: what was put stays ours when the schedule is removed, and is its again when it is added again.
    schedule: Mapped[str] = mapped_column(primary_key=True)
    #: The source's.
    path: Mapped[str] = mapped_column(primary_key=True)
    #: A path or s3:// URL.
    target: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'putting'"))
    #: Of the file that is put there, and of all that ever were: what has another is not ours to replace.
    sha256: Mapped[str]
    sha256s: Mapped[list[str]] = mapped_column(ARRAY(Text))
    message: Mapped[str | None]
    tries: Mapped[small_zero]
    again_at: Mapped[datetime | None]
    put_at: Mapped[datetime | None]
