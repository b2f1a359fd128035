"""The fields of a row that are ours, not the API's: one reading of them, for manifests and for Python."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from provider.unwrap import UNSTORABLE
from worker.kinds import KINDS
from worker.wording import shown


def parse_name(value: Any, what: str) -> str:
    """A text, or the number that stands for one in JSON."""
    text = str(value)
    named = isinstance(value, str | int) and not isinstance(value, bool)
    if not named or not text.strip() or len(text) > 200 or UNSTORABLE.search(text):
        raise ValueError(f"{shown(value)} is no {what}; use a text of 1 to 200 characters")
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


#: Jobs that one row may come after.
MAX_AFTER = 100


def parse_after(value: Any) -> tuple[str, ...]:
    """A key, or a list of keys; in a CSV's cell a JSON list."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ValueError(f"{shown(value)} starts like a JSON list but is none: {error}") from None
    keys = tuple(dict.fromkeys(parse_key(each) for each in (value if isinstance(value, list | tuple) else [value])))
    if len(keys) > MAX_AFTER:
        raise ValueError(f"names {len(keys)} keys; a row may come after {MAX_AFTER} others")
    return keys


def parse_kind(value: Any) -> str:
    if not isinstance(value, str) or value not in KINDS:
        raise ValueError(f"{shown(value)} is no kind; kinds are {', '.join(sorted(KINDS))}")
    return value


#: Field → its reading; raises ValueError with the value and the remedy.
OWN: dict[str, Callable[[Any], Any]] = {
    "key": parse_key,
    "kind": parse_kind,
    "after": parse_after,
    "priority": parse_priority,
    "run_at": parse_time,
}
