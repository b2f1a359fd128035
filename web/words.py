"""Numbers, times and amounts as people read them. Pure."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo


def number(value: float) -> str:
    """With commas.

    >>> number(1234567), number(0)
    ('1,234,567', '0')
    """
    return f"{value:,.0f}"


def short(value: float) -> str:
    """Large numbers by their first digits.

    >>> [short(n) for n in (999, 12_345, 4_200_000)]
    ['999', '12.3k', '4.2M']
    """
    for size, mark in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if value >= size:
            return f"{value / (10**3 if mark == 'k' else size):.3g}{mark}"
    return number(value)


def dollars(amount: Any) -> str:
    """To the cent, or as exactly as small amounts need.

    >>> dollars(Decimal("1234.5")), dollars(Decimal("0.0042")), dollars(0)
    ('$1,234.50', '$0.0042', '$0')
    """
    amount = Decimal(amount)
    if not amount:
        return "$0"
    return f"${amount:,.2f}" if abs(amount) >= Decimal("0.1") else "$" + f"{amount:.6f}".rstrip("0")


def rate(per_s: float) -> str:
    """Each second, minute or hour, whichever is read best.

    >>> rate(12.3), rate(0.05), rate(0), rate(0.001)
    ('12.3/s', '3/min', '0/s', '3.6/h')
    """
    if per_s == 0 or per_s >= 0.5:
        return f"{per_s:.1f}/s".replace(".0/s", "/s")
    return f"{per_s * 60:.2g}/min" if per_s * 60 >= 0.5 else f"{per_s * 3600:.2g}/h"


def duration(seconds: float | None) -> str:
    """Two units at most.

    >>> duration(0.2), duration(7.26), duration(75), duration(4000), duration(200000)
    ('0.2 s', '7.3 s', '1 min 15 s', '1 h 6 min', '2 d 7 h')
    """
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s" if minutes < 10 and left else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def size(count: int) -> str:
    """In powers of ten.

    >>> size(900), size(1500), size(2_345_678)
    ('900 B', '1.5 kB', '2.3 MB')
    """
    for unit, mark in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {mark}"
    return f"{count} B"


def percent(part: float) -> str:
    """Never 0% or 100% of what is not.

    >>> percent(0.5), percent(0.0004), percent(0.9999), percent(1)
    ('50%', '0.04%', '99.9%', '100%')
    """
    if part in (0, 1):
        return f"{part:.0%}"
    if part > 0.99:
        return f"{int(part * 1000) / 10}%"
    return f"{part:.0%}" if part >= 0.1 else f"{part * 100:.2g}%"


def clock(instant: datetime) -> str:
    return f"{instant:%H:%M}"


def iso(instant: datetime) -> str:
    return instant.isoformat()


def day_time(instant: datetime) -> str:
    """In UTC; a script shows it by the reader's own clock."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def zoned(instant: datetime, zone: str) -> str:
    """By the clock of a time zone.

    >>> zoned(datetime.fromisoformat("2026-11-27T01:00+00:00"), "Europe/Berlin")
    '27 Nov 2026, 02:00'
    """
    return f"{instant.astimezone(ZoneInfo(zone)):%-d %b %Y, %H:%M}"


def plural(count: int, noun: str) -> str:
    return f"{number(count)} {noun}{'s' * (count != 1)}"


FILTERS = {each.__name__: each for each in
           (number, short, dollars, rate, duration, size, percent, clock, iso, day_time, zoned, plural)}  # fmt: skip
