from datetime import datetime

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, now, zero

#: The row whose pause stops every model.
ACCOUNT = "*"


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
    #: What the provider was seen to bear: halved on a concurrency 429, creeping up while all is well.
    learned: Mapped[int]
    in_use: Mapped[zero]
    #: A slot is held until the `answer` comes, or until the remote `task` ends.
    slot_scope: Mapped[str] = mapped_column(server_default=text("'task'"))
    #: No dispatch while there is a reason and its end has not come; no end: until a person resumes.
    pause_reason: Mapped[str | None]
    paused_until: Mapped[datetime | None]
    #: When `learned` last changed.
    learned_at: Mapped[now]
