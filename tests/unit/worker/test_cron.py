"""When schedules are due: clock changes, missed ticks, names, and what is said about mistakes."""

import re
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.cron import MOST, CatchUp, Due, batch_name, before, between, due, explain, parse_cron, parse_zone, ticks

BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
LORD_HOWE = "Australia/Lord_Howe"  # goes forward and back by half an hour, at 02:00
CAIRO = "Africa/Cairo"  # its day of change begins at 01:00

#: zone, cron, the local day to look at, ticks by its clock and offset.
CLOCK_CHANGES = {
    "gap: what falls into it comes right after": (BERLIN, "30 2 * * *", "2026-03-29", ["03:00+02:00"]),
    "gap: two in it come once": (BERLIN, "0,30 2 * * *", "2026-03-29", ["03:00+02:00"]),
    "gap: one in it, one at its end": (BERLIN, "0 2,3 * * *", "2026-03-29", ["03:00+02:00"]),
    "gap: before and after": (BERLIN, "30 1,3 * * *", "2026-03-29", ["01:30+01:00", "03:30+02:00"]),
    "gap: by the clock": (
        BERLIN, "*/30 1-3 * * *", "2026-03-29", ["01:00+01:00", "01:30+01:00", "03:00+02:00", "03:30+02:00"],
    ),
    "fold: a fixed time comes once, at the first": (BERLIN, "30 2 * * *", "2026-10-25", ["02:30+02:00"]),
    "fold: by the clock": (
        BERLIN, "*/30 2 * * *", "2026-10-25", ["02:00+02:00", "02:30+02:00", "02:00+01:00", "02:30+01:00"],
    ),
    "fold: every hour": (
        BERLIN, "15 * * * *", "2026-10-25",
        ["00:15+02:00", "01:15+02:00", "02:15+02:00", "02:15+01:00", *(f"{h:02}:15+01:00" for h in range(3, 24))],
    ),
    "New York, gap": (NEW_YORK, "30 2 * * *", "2026-03-08", ["03:00-04:00"]),
    "New York, fold": (NEW_YORK, "30 1 * * *", "2026-11-01", ["01:30-04:00"]),
    "New York, fold, by the clock": (NEW_YORK, "*/30 1 * * *", "2026-11-01",
                                     ["01:00-04:00", "01:30-04:00", "01:00-05:00", "01:30-05:00"]),
    "half an hour, gap": (LORD_HOWE, "15 2 * * *", "2026-10-04", ["02:30+11:00"]),
    "half an hour, gap, not in it": (LORD_HOWE, "45 2 * * *", "2026-10-04", ["02:45+11:00"]),
    "half an hour, fold": (LORD_HOWE, "45 1 * * *", "2026-04-05", ["01:45+11:00"]),
    "half an hour, fold, by the clock": (LORD_HOWE, "*/15 1 * * *", "2026-04-05",
        ["01:00+11:00", "01:15+11:00", "01:30+11:00", "01:45+11:00", "01:30+10:30", "01:45+10:30"]),
    # cronsim steps by hours, and would pass 02:00.
    "half an hour, fold, every second hour": (LORD_HOWE, "0 */2 * * *", "2026-04-05",
        ["00:00+11:00", *(f"{h:02}:00+10:30" for h in range(2, 24, 2))]),
    "a day without a midnight": (CAIRO, "0 0 * * *", "2026-04-24", ["01:00+03:00"]),
    "such a day, by the clock": (CAIRO, "*/30 0-1 24 4 *", "2026-04-24", ["01:00+03:00", "01:30+03:00"]),
    "no change": (BERLIN, "30 2 * * *", "2026-11-26", ["02:30+01:00"]),
    "UTC has none": ("UTC", "30 2 * * *", "2026-03-29", ["02:30+00:00"]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "cron", "day", "expected"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES)
def test_clock_changes(name: str, cron: str, day: str, expected: list[str]) -> None:
    zone = ZoneInfo(name)
    start = datetime.fromisoformat(day).replace(tzinfo=zone)
    end = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=zone)
    found = between(cron, zone, start.astimezone(UTC), end.astimezone(UTC) - timedelta(seconds=1))
    assert [each.astimezone(zone).isoformat(timespec="minutes").partition("T")[2] for each in found] == expected


ZONES = st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, CAIRO, "America/Havana", "Africa/Casablanca", "Asia/Kathmandu",
                         "Pacific/Apia", "America/Sao_Paulo", "Asia/Beirut", "UTC"]).map(ZoneInfo)  # fmt: skip
#: From 2009 to 2029: Apia left out a day, Cairo and Casablanca changed their minds.
INSTANTS = st.integers(1_230_768_000, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(ZONES, INSTANTS, st.sampled_from(["30 2 * * *", "0 0 * * *", "59 23 * * *", "15 1 * * *"]))
def test_a_fixed_time_comes_once_a_day_whatever_the_clock_does(zone: ZoneInfo, start: datetime, cron: str) -> None:
    found = list(islice(ticks(cron, zone, start), 400))
    assert all(later > earlier for earlier, later in pairwise([start, *found]))
    days = [each.astimezone(zone).date() for each in found]
    # Apia had no 30th of December 2011: its tick comes when the next day begins.
    assert len(set(days)) >= len(days) - 1
    assert all((later - earlier).days <= 2 for earlier, later in pairwise(days))


@given(ZONES, INSTANTS)
def test_what_goes_by_the_clock_comes_at_even_distances(zone: ZoneInfo, start: datetime) -> None:
    found = list(islice(ticks("*/15 * * * *", zone, start), 400))
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=15)}


@given(ZONES, INSTANTS, st.integers(0, 200), st.sampled_from(["*/30 * * * *", "30 2 * * *", "0 */2 * * *"]))
def test_where_one_begins_to_count_makes_no_difference(zone: ZoneInfo, start: datetime, step: int, cron: str) -> None:
    """A tick is found from any moment before it: the next one that is shown is the next one that runs."""
    later = start + timedelta(minutes=step * 7)
    from_start = [each for each in islice(ticks(cron, zone, start), 100) if each > later]
    assert from_start == list(islice(ticks(cron, zone, later), len(from_start)))


@given(ZONES, INSTANTS, st.sampled_from(["*/30 * * * *", "30 2 * * *", "0 */2 * * *", "0 0 * * *", "15 1,2 * * 0"]))
def test_the_tick_before_one_is_the_one_that_it_follows(zone: ZoneInfo, start: datetime, cron: str) -> None:
    for earlier, later in pairwise(islice(ticks(cron, zone, start), 60)):
        assert before(cron, zone, later) == earlier


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=UTC)


NIGHTLY, HOURLY = "0 2 * * *", "0 * * * *"
#: cron, catch-up, next_at, now, ticks, missed, next_at after it. UTC.
DUE: dict[str, tuple[str, CatchUp, str, str, list[str], str | None, str]] = {
    "not yet": (NIGHTLY, "once", "26T02:00", "26T01:59", [], None, "26T02:00"),
    "at its second": (NIGHTLY, "skip", "26T02:00", "26T02:00", ["26T02:00"], None, "27T02:00"),
    "a moment late": (NIGHTLY, "skip", "26T02:00", "26T02:04:59.5", ["26T02:00"], None, "27T02:00"),
    "late, skip": (NIGHTLY, "skip", "26T02:00", "26T02:06", [], "26T02:00", "27T02:00"),
    "late, once": (NIGHTLY, "once", "26T02:00", "26T09:00", ["26T02:00"], None, "27T02:00"),
    "late, all": (NIGHTLY, "all", "26T02:00", "26T09:00", ["26T02:00"], None, "27T02:00"),
    "three missed, skip": (NIGHTLY, "skip", "24T02:00", "26T09:00", [], "24T02:00", "27T02:00"),
    "three missed, once": (NIGHTLY, "once", "24T02:00", "26T09:00", ["26T02:00"], None, "27T02:00"),
    "three missed, all": (
        NIGHTLY, "all", "24T02:00", "26T09:00", ["24T02:00", "25T02:00", "26T02:00"], None, "27T02:00",
    ),
    "missed ones before one on time, skip": (
        HOURLY, "skip", "26T02:00", "26T06:01", ["26T06:00"], "26T02:00", "26T07:00",
    ),
    "missed ones before one on time, once": (HOURLY, "once", "26T02:00", "26T06:01", ["26T06:00"], None, "26T07:00"),
    "older than the most": (
        NIGHTLY, "all", "20T02:00", "26T09:00", ["24T02:00", "25T02:00", "26T02:00"], "20T02:00", "27T02:00",
    ),
    "all older than the most": ("0 2 20 * *", "once", "20T02:00", "26T09:00", [], "20T02:00", "20T02:00+1"),
    "the rules of the zone changed since": (HOURLY, "once", "26T02:30", "26T03:01", ["26T03:00"], None, "26T04:00"),
}  # fmt: skip


@pytest.mark.parametrize("case", DUE.values(), ids=DUE)
def test_due(case: tuple[str, CatchUp, str, str, list[str], str | None, str]) -> None:
    cron, catch_up, next_at, now, run, missed, then = case
    following = datetime(2026, 12, 20, 2, tzinfo=UTC) if then.endswith("+1") else at(then)
    found = due(cron, ZoneInfo("UTC"), at(next_at), at(now), catch_up=catch_up, max_age=timedelta(days=2, hours=12))
    assert found == Due(tuple(map(at, run)), at(missed) if missed else None, following)


def test_a_tick_that_is_on_time_runs_however_short_the_most_age() -> None:
    found = due(NIGHTLY, ZoneInfo("UTC"), at("26T02:00"), at("26T02:02"), catch_up="all", max_age=timedelta(minutes=1))
    assert found.ticks == (at("26T02:00"),)


def test_what_all_makes_up_for_has_an_end() -> None:
    month = timedelta(days=31)
    found = due("* * * * *", ZoneInfo(BERLIN), at("01T00:00"), at("26T00:00"), catch_up="all", max_age=month)
    assert len(found.ticks) == MOST
    assert found.ticks[-1] == at("26T00:00")
    assert found.missed == at("01T00:00")


def test_in_the_second_of_two_equal_hours_the_next_tick_is_ahead() -> None:
    zone = ZoneInfo(BERLIN)
    now = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    found = due("30 2 * * *", zone, now, now, catch_up="once", max_age=timedelta(days=3))
    assert found == Due((), None, datetime(2026, 10, 26, 1, 30, tzinfo=UTC))


NAMES = {
    "by its zone's clock": (BERLIN, "2026-11-25T01:00", "talks 2026-11-25T02:00"),
    "with seconds, where it has some": (BERLIN, "2026-11-25T01:00:07", "talks 2026-11-25T02:00:07"),
    "the first of two": (BERLIN, "2026-10-25T00:30", "talks 2026-10-25T02:30+02:00"),
    "the second of two": (BERLIN, "2026-10-25T01:30", "talks 2026-10-25T02:30+01:00"),
    "after a gap": (BERLIN, "2026-03-29T01:00", "talks 2026-03-29T03:00"),
}


@pytest.mark.parametrize(("zone", "tick", "name"), NAMES.values(), ids=NAMES)
def test_a_batch_is_named_after_its_tick(zone: str, tick: str, name: str) -> None:
    assert batch_name("talks", datetime.fromisoformat(tick).replace(tzinfo=UTC), ZoneInfo(zone)) == name


GOOD = {
    "0 2 * * *": "at 02:00 every day",
    "*/30 9-17 * * mon-fri": "every 30th minute from 09:00 through 17:59 on Monday through Friday",
    "0  0 L * *": "at 00:00 on the last day of every month",
}


@pytest.mark.parametrize(("cron", "words"), GOOD.items())
def test_a_cron_in_words(cron: str, words: str) -> None:
    assert explain(parse_cron(cron)) == words


BAD = {
    "0 25 * * *": "the hour '25' is not valid; use 0 to 23",
    "60 * * * *": "the minute '60' is not valid; use 0 to 59",
    "0 0 30 2 *": "the day-of-month '30' is not valid; use 1 to 31, and one that its month has",
    "0 0 * 13 *": "the month '13' is not valid; use 1 to 12 or JAN to DEC",
    "0 0 * * FOO": "the day-of-week 'FOO' is not valid; use 0 to 7 or SUN to SAT",
    "*/0 * * * *": "the minute '*/0' is not valid",
    "0 2 * *": "'0 2 * *' has not five fields but 4: minute, hour, day-of-month, month, day-of-week; such as 0 2 * * *",
    "0 0 2 * * *": "has not five fields but 6",
    "@daily": "has not five fields but 1",
    "": "has not five fields but 0",
}


@pytest.mark.parametrize(("cron", "said"), BAD.items())
def test_a_bad_cron_is_named_with_its_field(cron: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_cron(cron)


@given(st.lists(st.text("0123456789*/-,#LWMONJAN ", max_size=8), min_size=4, max_size=6).map(" ".join))
def test_any_text_is_a_cron_or_refused_in_words(given_text: str) -> None:
    try:
        cron = parse_cron(given_text)
    except ValueError:
        return
    assert explain(cron)
    assert next(ticks(cron, ZoneInfo(BERLIN), at("26T00:00")))


ZONES_ASKED = {
    "Europe/Berln": "'Europe/Berln' is no time zone; did you mean Europe/Berlin",
    "berlin": "did you mean Europe/Berlin",
    "New York": "did you mean America/New_York?",
    "xxxx": "use a name such as Europe/Berlin or UTC",
    "../../etc/passwd": "is no time zone",
    "": "is no time zone",
}


@pytest.mark.parametrize(("name", "said"), ZONES_ASKED.items())
def test_an_unknown_zone_is_told_with_those_that_are_near(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_zone(name)


def test_every_zone_that_is_near_is_one() -> None:
    assert parse_zone(NEW_YORK).key == NEW_YORK
