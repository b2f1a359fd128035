from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Budget(Base):
    """What may be spent on a batch, on a model, or in a day (UTC). Its row's lock makes it exact. US dollars."""

    __tablename__ = "budgets"
    __table_args__ = (CheckConstraint("scope IN ('batch', 'day', 'model')", "scope_known"),)

    scope: Mapped[str] = mapped_column(primary_key=True)
    #: The batch's id, the model's name, or '' for the day.
    subject: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(14, 6))
    #: Known costs, and what lost answers may have cost.
    spent: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default=text("0"))
    #: What dispatched and running jobs will cost if they succeed.
    reserved: Mapped[Decimal] = mapped_column(Numeric(14, 6), server_default=text("0"))
    #: The day that `spent` is of, for the scope `day`.
    day: Mapped[date | None]
    #: When a job first had to wait for it, by the present amount (and day).
    reached_at: Mapped[datetime | None]
