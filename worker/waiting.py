"""Why queued jobs of a model wait, in words. Pure: the facts are read by `report`."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """What a model's limit says now."""

    model: str
    in_use: int
    slots: int
    concurrency: int
    pause_reason: str | None = None
    paused_until: datetime | None = None
    account_reason: str | None = None
    account_until: datetime | None = None


def why(state: ModelState) -> str:
    """What jobs that could run now are waiting for."""
    if state.account_reason is not None:
        return f"the account is paused{until(state.account_until)}: {state.account_reason}"
    if state.pause_reason is not None:
        return f"{state.model} is paused{until(state.paused_until)}: {state.pause_reason}"
    if state.in_use >= state.slots:
        learned = f" (learned; {state.concurrency} are set)" if state.slots < state.concurrency else ""
        return f"limit: {state.in_use} of {state.slots} slots of {state.model} in use{learned}"
    return "dispatch"


def until(end: datetime | None) -> str:
    return f" until {end:%Y-%m-%d %H:%M:%S %Z}" if end else " until resumed"


def later(first: datetime) -> str:
    """What jobs whose time has not come wait for."""
    return f"time: the next runs at {first:%Y-%m-%d %H:%M:%S %Z}"
