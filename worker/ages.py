"""How long ago, as people write it. Pure."""

import re
from datetime import timedelta

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def parse_age(given: str) -> timedelta:
    """Raises ValueError, with the remedy.

    >>> parse_age("30d")
    datetime.timedelta(days=30)
    """
    found = re.fullmatch(r"([0-9]{1,5})([hdw])", given.strip())
    if found is None:
        raise ValueError(f"{given!r} is no age; write it in hours, days or weeks: 12h, 30d, 8w")
    return int(found[1]) * UNITS[found[2]]
