from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, false, now, small_zero, zero


class ScheduleRun(Base):
    """One look at a schedule's source. The key makes it one a tick, whoever ticks."""

    __tablename__ = "schedule_runs"
    __table_args__ = (
        CheckConstraint("state IN ('done', 'due', 'failed', 'listing', 'skipped')", "state_known"),
        CheckConstraint("(finished_at IS NOT NULL) = (state IN ('done', 'failed', 'skipped'))", "finished_iff_final"),
        CheckConstraint("state <> 'listing' OR lease_until IS NOT NULL", "leased_while_listing"),
        # Two at once would both find the same files new.
        Index("uq_schedule_runs_listing", "schedule_id", unique=True, postgresql_where=text("state = 'listing'")),
        Index("ix_schedule_runs_open", "lease_until", postgresql_where=text("state IN ('due', 'listing')")),
    )

    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"), primary_key=True)
    tick: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default=text("'due'"))
    #: It does not wait for the run before it: a person asked for it, or it makes up for a missed one.
    regardless: Mapped[false]
    #: Only files changed after `since`, and by `until`; null: any.
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]
    #: Null where nothing was new. No foreign key: batches are pruned, and runs are the schedule's history.
    batch_id: Mapped[int | None]
    #: Files that match; of them: jobs made, of known content, still being written, refused or unreadable.
    found: Mapped[zero]
    added: Mapped[zero]
    known: Mapped[zero]
    unsettled: Mapped[zero]
    problems: Mapped[zero]
    #: Why it failed, was skipped, or has to try again.
    error: Mapped[str | None]
    #: Grows at every claim; a write that carries an older one changes no row.
    fence: Mapped[zero]
    #: While listing: the claim's end. While due: not before then.
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    #: While due: since when workers are told of it.
    told_at: Mapped[datetime | None]
    #: Claims that ended with the source's failure or the worker's death.
    failures: Mapped[small_zero]
    created_at: Mapped[now]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
