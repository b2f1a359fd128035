from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, now, zero


class Worker(Base):
    """A process that takes messages, as it says of itself every few seconds; its row goes when it ends in order."""

    __tablename__ = "workers"

    #: host:pid, as in `jobs.worker`.
    name: Mapped[str] = mapped_column(primary_key=True)
    #: As Celery and Flower call it.
    node: Mapped[str]
    queues: Mapped[list[str]] = mapped_column(ARRAY(Text))
    threads: Mapped[int]
    version: Mapped[str]
    #: Claims that it has in hand.
    in_hand: Mapped[zero]
    started_at: Mapped[now]
    seen_at: Mapped[now]
    #: When it last did a tick of the clock's, if it is one that does.
    ticked_at: Mapped[datetime | None]
