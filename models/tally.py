from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Identity, Index, Numeric, PrimaryKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, false, zero


class Tally(Base):
    """A change of how many jobs there are in a state, or of what they cost; sums of rows are exact at any moment.

    Written by a trigger on `jobs`, in the transaction that makes the change; `models.counting` adds rows up and reads
    them. So no page, and no metric, has to count ten million jobs.
    """

    __tablename__ = "tallies"
    __table_args__ = (PrimaryKeyConstraint("at", "id"), Index("ix_tallies_batch_id", "batch_id"))

    id: Mapped[int] = mapped_column(BigInteger, Identity())
    #: The start of the span that it sums up: ten seconds, an hour or a day; -infinity for what is under way.
    at: Mapped[datetime]
    batch_id: Mapped[int | None]
    kind: Mapped[str]
    model: Mapped[str]
    #: Of pieces of recordings, which are no jobs of the user's.
    piece: Mapped[false]
    #: Null: of money.
    state: Mapped[str | None]
    #: Came less left.
    jobs: Mapped[zero]
    #: Came.
    came: Mapped[zero]
    #: Requests made.
    requests: Mapped[zero]
    #: US dollars.
    cost: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default=text("0"))
