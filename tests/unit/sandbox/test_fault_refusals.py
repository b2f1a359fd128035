"""What a fault's VALUE makes of a refusal."""

import time
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest

from sandbox.refusals import CHINA, REFUSALS, RESETS, SHAPES, shaped, with_value

RETRY_AFTER = ["5", "0", "-1", "86400", "abc"]


@pytest.mark.parametrize("value", RETRY_AFTER)
def test_retry_after_is_sent_as_it_is_given(value: str) -> None:
    assert with_value(REFUSALS["rate_limit"], value).retry_after == value


def test_retry_after_as_a_date() -> None:
    made = with_value(REFUSALS["rate_limit"], "date+90").retry_after
    assert made
    assert 85 < parsedate_to_datetime(made).timestamp() - time.time() <= 90


def test_no_value_no_retry_after() -> None:
    assert with_value(REFUSALS["rate_limit"], None) == REFUSALS["rate_limit"]


AT = datetime(2026, 11, 25, 8, 5, 9, tzinfo=CHINA)
WRITTEN = {
    "plain": "2026-11-25 08:05:09",
    "minutes": "2026-11-25 08:05",
    "slashes": "2026/11/25 08:05:09",
    "iso": "2026-11-25T00:05:09Z",
    "offset": "2026-11-25T08:05:09+08:00",
    "http": "Wed, 25 Nov 2026 00:05:09 GMT",
    "chinese": "2026年11月25日 08:05",
    "ms": "1795565109000",
    "missing": "${next_flush_time}",
}


@pytest.mark.parametrize("form", RESETS)
def test_when_a_limit_ends(form: str) -> None:
    assert RESETS[form](AT) == WRITTEN[form]
    assert "{reset}" not in with_value(REFUSALS["usage_limit"], f"30/{form}").message


def test_without_a_time_a_limit_ends_far_ahead() -> None:
    assert "2099-01-01 00:00:00" in with_value(REFUSALS["usage_limit"], None).message


@pytest.mark.parametrize("shape", SHAPES)
def test_odd_errors_keep_the_status_of_their_code(shape: str) -> None:
    assert shaped(shape, "1302").status == 429
    assert shaped(shape, None).status == 400
    assert shaped(shape, None).body
