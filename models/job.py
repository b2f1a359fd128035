from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, bigint_pk, false, now, small_zero, zero
from models.state import FINAL, JobState


def listed(states: frozenset[JobState]) -> str:
    return ", ".join(f"'{each}'" for each in sorted(states))


class Job(Base):
    """One unit of paid work: its input, where it stands, and what it cost."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"state IN ({listed(frozenset(JobState))})", "state_known"),
        CheckConstraint(f"(finished_at IS NOT NULL) = (state IN ({listed(FINAL)}))", "finished_iff_final"),
        CheckConstraint("state <> 'waiting' OR remote_id IS NOT NULL", "waiting_has_remote_id"),
        CheckConstraint("state NOT IN ('dispatched', 'running') OR lease_until IS NOT NULL", "leased_in_slot"),
        # One row of an input is one job, however often the file is submitted.
        Index("uq_jobs_batch_dedupe", "batch_id", "dedupe", unique=True, postgresql_where=text("batch_id IS NOT NULL")),
        Index(
            "uq_jobs_dedupe_without_batch", "dedupe", unique=True,
            postgresql_where=text("batch_id IS NULL AND dedupe IS NOT NULL"),
        ),
        # The hot paths. Partial: they stay as small as the work in hand, whatever the history.
        Index(
            "ix_jobs_ready", "model", text("(-priority)"), text("coalesce(batch_id, 0)"), "run_at", "id",
            postgresql_where=text("state = 'queued' and blocked_by = 0"),
        ),
        Index("ix_jobs_blocked", "batch_id", postgresql_where=text("state = 'queued' and blocked_by > 0")),
        Index("ix_jobs_lease", "lease_until", postgresql_where=text("state IN ('dispatched', 'running')")),
        Index("ix_jobs_poll", "next_poll_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_jobs_fetch", "next_fetch_at", postgresql_where=text("state = 'storing'")),
        Index("ix_jobs_publish", "id", postgresql_where=text("finished_at IS NOT NULL AND published_fence < fence")),
        Index("ix_jobs_slot", "model", "batch_id", postgresql_where=text("holds_slot")),
        Index("ix_jobs_parent", "parent_id", postgresql_where=text("parent_id is not null")),
        Index(
            "ix_jobs_parent_open", "parent_id",
            postgresql_where=text("parent_id is not null and finished_at is null"),
        ),
        Index("ix_jobs_batch_state_id", "batch_id", "state", "id"),
        # For pages: what went wrong is rare among what went well.
        Index("ix_jobs_wrong", "state", "id", postgresql_where=text("state IN ('cancelled', 'failed', 'held')")),
        Index("ix_jobs_charged", "batch_id", postgresql_where=text("possibly_charged")),
        Index("ix_jobs_batch_row", "batch_id", "row", "id"),
    )  # fmt: skip

    id: Mapped[bigint_pk]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batches.id"))
    #: The recording that this job has a piece of. Such jobs are its affair: lists and counts leave them out.
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    #: The record's number in its input, from 1.
    row: Mapped[int | None]
    #: The user's name for the row; told apart with #1, #2 where a row became several jobs.
    key: Mapped[str | None]
    #: Keys of the jobs that it comes after, in its batch; `links` has their ids.
    after: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    #: How many of them have not succeeded: while there is one, no look for ready jobs sees it.
    blocked_by: Mapped[small_zero]
    #: What makes a second submission of the same row the same job.
    dedupe: Mapped[str | None]
    kind: Mapped[str]
    model: Mapped[str]
    args: Mapped[dict[str, Any]]

    #: W3C's, of the trace that it was enqueued in.
    traceparent: Mapped[str | None]

    #: A JobState; text and a CHECK, so that a new state needs no type change.
    state: Mapped[str] = mapped_column(server_default=JobState.QUEUED)
    #: Higher runs first.
    priority: Mapped[small_zero]
    run_at: Mapped[now]
    #: Grows at every claim; a write that carries an older one changes no row.
    fence: Mapped[zero]
    #: A claim's end, by the database's clock; renewed by heartbeat.
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None]
    #: 0 until first claimed. A snooze gives its attempt back.
    attempt: Mapped[small_zero]
    #: Requests made or intended: numbers the rows of `attempts`, never given back.
    requests: Mapped[zero]
    #: Claims that ended with the worker's death.
    crashes: Mapped[small_zero]
    #: Whether one of its model's slots is counted as taken by it.
    holds_slot: Mapped[false]
    #: Requests whose answer was lost after sending.
    unknowns: Mapped[small_zero]
    #: After an unknown outcome the same request id is sent again, so that the API may notice.
    next_request_id: Mapped[str | None]
    cancel_requested: Mapped[false]
    #: What is paid for by the time of the cancel is to be stored all the same.
    keep_result: Mapped[false]

    #: The attempt whose answer is stored or waited for; a late answer may be of an earlier one than the last.
    paid_attempt: Mapped[int | None]
    #: The provider's name for the work: opaque, never a number.
    remote_id: Mapped[str | None]
    next_poll_at: Mapped[datetime | None]
    polls: Mapped[zero]
    #: Since when the provider knows nothing, or nothing readable, of its task.
    doubted_at: Mapped[datetime | None]
    next_fetch_at: Mapped[datetime | None]
    fetches: Mapped[zero]
    #: Fetches of its result's URL, as it is now, in which the file was amiss.
    gone: Mapped[zero]
    #: When the result's URLs are believed to die: what dies first is fetched first.
    result_expires_at: Mapped[datetime | None]
    #: The result's URL was dead, and the provider was asked for the result once more.
    asked_again: Mapped[false]

    #: What was said so far, where an answer comes as a stream.
    partial: Mapped[str | None]

    #: The fence at which its outputs were last put where its schedule wants them; null: they stay in the store.
    published_fence: Mapped[int | None]

    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    #: US dollars: what a success costs, by the price when enqueued.
    estimate: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    #: What budgets hold for it now.
    reserved: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    #: US dollars, for all attempts together.
    cost: Mapped[Decimal] = mapped_column(Numeric(12, 6), server_default=text("0"))
    #: Some attempt's answer was lost after sending: it may be on the bill.
    possibly_charged: Mapped[false]

    created_at: Mapped[now]
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
