"""How the stand-in behaves as a whole; all of it may be changed at run time."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

CHOICES = {
    "wrapper": ("data", "result", "bare", "double"),
    "formats": ("new", "old", "both"),
    "slot_scope": ("task", "http"),
    "duplicates": ("ignore", "refuse", "same"),
    "expired": ("json", "xml"),
}


@dataclass(slots=True, kw_only=True)
class Config:
    """`formats`: URL formats that the proxy side knows. `duplicates`: what a request_id's second use meets."""

    wrapper: str = "data"
    formats: str = "both"
    slot_scope: str = "task"
    duplicates: str = "ignore"
    #: What a result URL answers after its time: 404 with JSON, or 403 with XML.
    expired: str = "json"
    #: How many times faster than the real API.
    speed: float = 1.0
    #: Seconds that each call takes, in place of the believed times.
    latency: float | None = None
    #: Model, or one of `TIMES` → seconds, or [median, sigma of a lognormal], in place of the believed times.
    times: dict[str, float | list[float]] = field(default_factory=dict)
    #: Seconds, scaled by `speed`.
    file_ttl_s: float = 86400.0
    #: A Retry-After to go with limits that are really reached. The real API sends none.
    retry_after: str | None = None
    #: Path → fields, or null: what the proxy's description of itself says otherwise (`sandbox/definitions.py`).
    definition: dict[str, Any] = field(default_factory=dict)
    #: The proxy keeps uploads in one folder under their own names.
    shared_uploads: bool = True

    def change(self, given: dict[str, Any]) -> None:
        """Raises ValueError for a name or a choice that there is not."""
        names = {each.name for each in fields(self)}
        for name, value in given.items():
            if name not in names:
                raise ValueError(f"no such setting: {name!r}; known are {', '.join(sorted(names))}")
            if name in CHOICES and value not in CHOICES[name]:
                raise ValueError(f"{name} is one of {', '.join(CHOICES[name])}, not {value!r}")
        for name, value in given.items():
            setattr(self, name, value)

    def known(self) -> dict[str, Any]:
        return asdict(self)
