from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, false, now, small_zero, zero

#: The row whose pause stops every model.
ACCOUNT = "*"
#: The row whose slots recordings take to be cut: no model of the provider's.
CUT = "cut"


class Limit(Base):
    """What one model may do at once. Slots are given out under this row's lock."""

    __tablename__ = "limits"
    __table_args__ = (
        CheckConstraint("in_use >= 0", "in_use_not_negative"),
        CheckConstraint("slot_scope IN ('answer', 'task')", "slot_scope_known"),
        CheckConstraint("learned BETWEEN 1 AND concurrency", "learned_within_ceiling"),
        CheckConstraint("paused_until IS NULL OR pause_reason IS NOT NULL", "pause_has_reason"),
    )

    model: Mapped[str] = mapped_column(primary_key=True)
    #: The ceiling: jobs dispatched, running or waiting at the provider.
    concurrency: Mapped[int]
    #: The highest that the ceiling was before it was set; null: it never was. The auditor judges the past by it.
    highest: Mapped[int | None]
    #: What is tried now. `worker.pace` says how it moves.
    learned: Mapped[int]
    #: The most that was borne for a whole window.
    good: Mapped[int | None]
    #: The least that was refused.
    refused: Mapped[int | None]
    #: Windows to wait before `refused` is tried again, as a power of two.
    patience: Mapped[small_zero]
    in_use: Mapped[zero]
    #: Slots given out so far.
    handed: Mapped[zero]
    #: Calls a minute at most; null: as many as the slots allow.
    per_minute: Mapped[int | None]
    #: When the next call may go by `per_minute`.
    rate_at: Mapped[datetime] = mapped_column(server_default=text("to_timestamp(0)"))
    #: A slot is held until the `answer` comes, or until the remote `task` ends.
    slot_scope: Mapped[str] = mapped_column(server_default=text("'task'"))
    #: Times in a row that the provider said `too fast`.
    strikes: Mapped[small_zero]
    #: No dispatch while there is a reason and its end has not come; no end: until a person resumes.
    pause_reason: Mapped[str | None]
    paused_until: Mapped[datetime | None]
    #: The API's error code behind the pause.
    pause_code: Mapped[str | None]
    #: When its end has come, one job goes first, and only its success ends the pause.
    probes: Mapped[false]
    #: When `learned` last changed.
    learned_at: Mapped[now]
