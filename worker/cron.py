"""When a schedule is due: cron in a zone, and what becomes of ticks at which nothing ran. Pure.

Clock changes are cronsim's, which keeps to Debian's cron (`docs/schedules.md`): what falls into the gap of summer
time comes right after it, and a fixed time that there is twice comes once, at the first; `*` goes on by the clock.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import partial
from itertools import takewhile
from operator import lt
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

CatchUp = Literal["skip", "once", "all"]

#: A tick that is looked at no later than this is on time: workers take a while to start.
ON_TIME = timedelta(minutes=5)
#: Runs that `all` makes up for at most: the newest.
MOST = 1000
MOST_AGE = timedelta(days=31)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, and one that its month has; L is the last",
    "month": "1 to 12 or JAN to DEC",
    "day-of-week": "0 to 7 or SUN to SAT",
}
FORM = "minute, hour, day-of-month, month, day-of-week; such as 0 2 * * *, which is 02:00 every day"


def parse_cron(given: str) -> str:
    """The expression with single spaces. Raises ValueError, which names the field that is wrong."""
    parts = given.split()
    if len(parts) != len(FIELDS):
        raise ValueError(f"{given!r} has not five fields but {len(parts)}: {FORM}")
    cron = " ".join(parts)
    try:
        found = next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        name = str(error).removeprefix("Bad ")
        value = dict(zip(FIELDS, parts, strict=True)).get(name, cron)
        raise ValueError(f"the {name} {value!r} is not valid; use {FIELDS.get(name, FORM)}") from None
    if found is None:
        raise ValueError(f"{cron!r} never comes: no such month has that day")
    return cron


def explain(cron: str) -> str:
    """In words: `at 02:00 every day`."""
    words = CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)).explain()
    return words[:1].lower() + words[1:]


def parse_zone(name: str) -> ZoneInfo:
    """The zone of this name, such as Europe/Berlin. Raises ValueError, with names that are near."""
    known = available_timezones()
    if name in known:
        return ZoneInfo(name)
    by_place = {each.rpartition("/")[2].lower(): each for each in sorted(known, reverse=True)}
    place = name.rpartition("/")[2].lower().replace(" ", "_")
    near = [by_place[each] for each in get_close_matches(place, by_place, n=3)]
    near += [each for each in get_close_matches(name, known, n=3) if each not in near]
    remedy = f"did you mean {', '.join(near[:3])}?" if near else "use a name such as Europe/Berlin or UTC"
    raise ValueError(f"{name!r} is no time zone; {remedy}")


def ticks(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The ticks after an instant, in UTC, without end unless the expression never comes again."""
    last = after
    if offset(zone, after - HOUR) != offset(zone, after):  # the clock has just moved: see below
        last -= HOUR
    for tick in CronSim(cron, last.astimezone(zone)):
        instant = tick.astimezone(UTC)
        if instant <= after:  # in the second of two equal hours cronsim begins with the first
            continue
        if tick.utcoffset() != offset(zone, last):
            # Forwards cronsim goes by whole hours, and past a tick where the clock moves by half of one (Lord Howe).
            skipped = takewhile(partial(lt, max(last, after)), back(cron, zone, instant))
            yield from reversed(list(skipped))
        yield instant
        last = instant


def offset(zone: ZoneInfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def between(cron: str, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The ticks from `start` to `end`, both included."""
    return takewhile(lambda tick: tick <= end, ticks(cron, zone, start - SECOND))


def before(cron: str, zone: ZoneInfo, tick: datetime) -> datetime | None:
    """The tick before this one; None if it is the first in fifty years."""
    return next(back(cron, zone, tick), None)


def back(cron: str, zone: ZoneInfo, tick: datetime) -> Iterator[datetime]:
    """The ticks before this one, the newest first."""
    found = (each.astimezone(UTC) for each in CronSim(cron, tick.astimezone(zone), reverse=True))
    return (each for each in found if each < tick)


@dataclass(frozen=True, slots=True)
class Due:
    """`ticks` are to be run, oldest first. `missed`: the first that nothing will run for. `next_at`: None: never."""

    ticks: tuple[datetime, ...]
    missed: datetime | None
    next_at: datetime | None


def due(cron: str, zone: ZoneInfo, next_at: datetime, now: datetime, *, catch_up: CatchUp, max_age: timedelta) -> Due:
    """What to do about the ticks from `next_at` to `now`.

    The last one is run if it is on time. Of those that are late `skip` runs none, `once` the last and `all` each,
    unless it is older than `max_age`.
    """
    oldest = now - (ON_TIME if catch_up == "skip" else max(max_age, ON_TIME))
    found = deque(between(cron, zone, max(next_at, oldest), now), maxlen=MOST)
    kept = tuple(found) if catch_up == "all" else tuple(found)[-1:]
    first = next(between(cron, zone, next_at, now), None)
    made_up = first is None or first in kept or (catch_up == "once" and bool(kept))
    return Due(kept, None if made_up else first, next(ticks(cron, zone, now), None))


def batch_name(schedule: str, tick: datetime, zone: ZoneInfo) -> str:
    """The schedule's name and the tick by its zone's clock, with the offset where that hour is there twice."""
    local = tick.astimezone(zone)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    timespec = "seconds" if local.second else "minutes"
    return f"{schedule} {(local if twice else local.replace(tzinfo=None)).isoformat(timespec=timespec)}"
