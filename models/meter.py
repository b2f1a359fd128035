from decimal import Decimal

from sqlalchemy import Double, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, zero


class Meter(Base):
    """What happened so far: numbers that only grow, so that nobody who measures has to count the past."""

    __tablename__ = "meters"

    #: requests, phases, outputs or deliveries.
    meter: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    #: A request's outcome, a phase, an output's role, or a delivery's state.
    label: Mapped[str] = mapped_column(primary_key=True)
    #: Of requests: the error's code, and the HTTP status (0: no answer was read).
    code: Mapped[str] = mapped_column(primary_key=True)
    status: Mapped[int] = mapped_column(primary_key=True)
    #: Of phases: seconds, the bucket's upper end.
    le: Mapped[float] = mapped_column(Double, primary_key=True, server_default=text("0"))
    count: Mapped[zero]
    #: Seconds of phases, bytes of outputs.
    total: Mapped[Decimal] = mapped_column(Numeric, server_default=text("0"))
