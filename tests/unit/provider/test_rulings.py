"""Every code of the API's table means what the table says."""

from datetime import UTC, datetime

import pytest

from provider.rulings import CODES, Action, reset_at, rule, until_midnight_s

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
A = Action

#: code → (HTTP status, what it means for a paid POST), by hand from the API's error pages.
TABLE: dict[str, tuple[int, Action]] = {
    "1000": (401, A.PAUSE_ACCOUNT),
    "1001": (401, A.PAUSE_ACCOUNT),
    "1002": (401, A.PAUSE_ACCOUNT),
    "1003": (401, A.PAUSE_ACCOUNT),
    "1004": (401, A.PAUSE_ACCOUNT),
    "1005": (401, A.PAUSE_ACCOUNT),
    "1100": (401, A.PAUSE_ACCOUNT),
    "1110": (429, A.PAUSE_ACCOUNT),
    "1111": (429, A.PAUSE_ACCOUNT),
    "1112": (429, A.PAUSE_ACCOUNT),
    "1113": (429, A.PAUSE_MODEL),
    "1120": (429, A.RETRY_LATER),
    "1121": (429, A.PAUSE_ACCOUNT),
    "1200": (500, A.UNKNOWN),
    "1210": (400, A.FAIL),
    "1211": (400, A.FAIL_MODEL),
    "1212": (400, A.FAIL_MODEL),
    "1213": (400, A.FAIL),
    "1214": (400, A.FAIL),
    "1215": (400, A.FAIL),
    "1220": (403, A.PAUSE_MODEL),
    "1221": (400, A.PAUSE_MODEL),
    "1222": (400, A.PAUSE_MODEL),
    "1230": (500, A.UNKNOWN),
    "1231": (400, A.ALREADY_ACCEPTED),
    "1232": (400, A.PATIENCE),
    "1233": (400, A.PATIENCE),
    "1234": (500, A.UNKNOWN),
    "1235": (500, A.UNKNOWN),
    "1260": (500, A.UNKNOWN),
    "1261": (400, A.FAIL),
    "1300": (400, A.REFUSED),
    "1301": (400, A.REFUSED),
    "1302": (429, A.SHRINK),
    "1303": (429, A.SLOW),
    "1304": (429, A.PAUSE_MODEL),
    "1305": (429, A.OVERLOADED),
    "1308": (429, A.PAUSE_MODEL),
    "1309": (429, A.PAUSE_ACCOUNT),
    "1310": (429, A.PAUSE_MODEL),
    "1311": (429, A.PAUSE_MODEL),
    "1312": (429, A.OVERLOADED),
    "1313": (429, A.PAUSE_ACCOUNT),
    "1314": (429, A.PAUSE_ACCOUNT),
    "1315": (429, A.PAUSE_ACCOUNT),
    **{str(code): (429, A.PAUSE_ACCOUNT) for code in range(1316, 1322)},
    "434": (434, A.PAUSE_MODEL),
    "435": (435, A.FAIL),
}


@pytest.mark.parametrize(("code", "status", "action"), [(code, *row) for code, row in TABLE.items()], ids=TABLE)
def test_codes(code: str, status: int, action: Action) -> None:
    assert rule(status, code, sent=True, idempotent=False, now=NOW).action is action


def test_no_code_is_forgotten() -> None:
    assert set(CODES) == set(TABLE)


CASES: dict[str, tuple[int | None, str | None, bool, bool, Action]] = {
    "never sent": (None, None, False, False, A.RETRY),
    "answer lost, paid": (None, None, True, False, A.UNKNOWN),
    "answer lost, free to ask": (None, None, True, True, A.RETRY),
    "unknown code, 4xx": (400, "9999", True, False, A.FAIL),
    "unknown code, 5xx": (503, "9999", True, False, A.UNKNOWN),
    "unknown code, 429": (429, "9999", True, False, A.SLOW),
    "gateway 502, paid": (502, None, True, False, A.UNKNOWN),
    "gateway 502, poll": (502, None, True, True, A.RETRY),
    "too large": (413, None, True, False, A.FAIL),
    "proxy token": (401, None, True, False, A.PAUSE_ACCOUNT),
    "task unknown to the poll": (404, None, True, True, A.PATIENCE),
    "no such route for a poll": (405, None, True, True, A.PATIENCE),
    "no such route": (404, None, True, False, A.PAUSE_MODEL),
    "no such method": (405, None, True, False, A.PAUSE_MODEL),
    "led elsewhere": (307, None, True, False, A.PAUSE_MODEL),
    "led elsewhere, with the gateway's code": (302, "MOVED", True, False, A.PAUSE_MODEL),
    "conflict": (409, None, True, False, A.UNKNOWN),
}


@pytest.mark.parametrize(("status", "code", "sent", "idempotent", "action"), CASES.values(), ids=CASES)
def test_without_a_known_code(
    status: int | None, code: str | None, sent: bool, idempotent: bool, action: Action
) -> None:
    assert rule(status, code, sent=sent, idempotent=idempotent, now=NOW).action is action


def test_retry_after_goes_before_our_own_waits() -> None:
    assert rule(429, "1302", sent=True, idempotent=False, retry_after_s=42.0, now=NOW).wait_s == 42.0


def test_what_has_no_known_end_is_looked_at_slowly_whatever_the_header_says() -> None:
    for code, intervals in (("1113", 1), ("1002", 1), ("1112", 4), ("1313", 96)):
        found = rule(429, code, sent=True, idempotent=False, retry_after_s=1.0, now=NOW, probe_s=900.0)
        assert (found.wait_s, bool(found.probes)) == (900.0 * intervals, True), code


def test_the_daily_limit_ends_at_midnight_in_china() -> None:
    assert until_midnight_s(NOW) == 6 * 3600
    assert rule(429, "1304", sent=True, idempotent=False, now=NOW).wait_s == 6 * 3600


TIMES = {
    "Usage limit reached. Your limit will reset at 2026-11-24 20:00:00": 2 * 3600,
    "resets at 2026-11-24T12:30:00Z": 2.5 * 3600,
    "resets 2026/11/24 12:00": -6 * 3600,
    "resets at 2026-11-24 12:00:00+01:00": 3600,
}


@pytest.mark.parametrize(("message", "seconds"), TIMES.items())
def test_reset_times_are_read_from_the_text(message: str, seconds: float) -> None:
    found = reset_at(message)
    assert found is not None
    assert (found - NOW).total_seconds() == seconds


@pytest.mark.parametrize("message", ["", "no time here", "at 2026-13-45 99:00:00"])
def test_without_a_time_the_default_holds(message: str) -> None:
    assert reset_at(message) is None
    assert rule(429, "1308", sent=True, idempotent=False, message=message, now=NOW).wait_s == 3600
