"""The fields of a row that are ours, not the API's: one reading of them, for manifests and for Python."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from provider.unwrap import UNSTORABLE


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def parse_name(value: Any, what: str) -> str:
    text = str(value)
    if not text.strip() or len(text) > 200 or UNSTORABLE.search(text):
        raise ValueError(f"{shown(value)} is no {what}; use 1 to 200 characters")
    return text


def parse_key(value: Any) -> str:
    return parse_name(value, "key")


def parse_batch(value: Any) -> str:
    return parse_name(value, "name of a batch")


def parse_priority(value: Any) -> int:
    try:
        number = int(str(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is no whole number; higher runs first, 0 is usual") from None
    if not -1000 <= number <= 1000:
        raise ValueError(f"{shown(number)} is out of range; use -1000 to 1000")
    return number


def parse_time(value: Any) -> datetime:
    """ISO 8601; without a zone it is UTC."""
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is no time; write it as 2026-01-31T18:00:00+01:00") from None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


#: Field → its reading; raises ValueError with the value and the remedy.
OWN: dict[str, Callable[[Any], Any]] = {"key": parse_key, "priority": parse_priority, "run_at": parse_time}
