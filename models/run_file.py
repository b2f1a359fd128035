from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class RunFile(Base):
    """A file that a run found new or changed, while it works; when it has ended: one that it could not take."""

    __tablename__ = "run_files"
    __table_args__ = (
        ForeignKeyConstraint(
            ["schedule_id", "tick"], ["schedule_runs.schedule_id", "schedule_runs.tick"], ondelete="CASCADE",
            name="fk_run_files_run",
        ),
    )  # fmt: skip

    schedule_id: Mapped[int] = mapped_column(primary_key=True)
    tick: Mapped[datetime] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    #: As listed; null where even that failed.
    size: Mapped[int | None]
    mtime: Mapped[datetime | None]
    etag: Mapped[str | None]
    #: Null until it was read.
    sha256: Mapped[str | None]
    #: The job to be.
    args: Mapped[dict[str, Any] | None]
    estimate: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))
    #: The row of limits whose slots it takes, where it is not its model's.
    slots_of: Mapped[str | None]
    #: Why it could not be taken.
    problem: Mapped[str | None]
