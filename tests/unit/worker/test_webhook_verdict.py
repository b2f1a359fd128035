"""When a message to a webhook is delivered, tried again, or given up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.webhooks.verdict import Answer, Rules, Verdict, judge

RULES = Rules(first_s=5, most_s=3600, give_up_s=3 * 86400)
DAY = 86400.0

CASES = {
    "taken": (Answer(204), 1, 0, Verdict("delivered")),
    "taken at the last moment": (Answer(200), 40, 3 * DAY, Verdict("delivered")),
    "its server fails": (Answer(500), 1, 0, Verdict("pending", 2.5, "HTTP 500")),
    "it fails again": (Answer(500), 4, 30, Verdict("pending", 20, "HTTP 500")),
    "it is down for long": (Answer(error="refused"), 30, DAY, Verdict("pending", 1800, "refused")),
    "it knows no such path: that may be mended": (Answer(404), 1, 0, Verdict("pending", 2.5, "HTTP 404")),
    "it says when": (Answer(429, retry_after_s=90), 1, 0, Verdict("pending", 90, "HTTP 429")),
    "it says next year": (Answer(503, retry_after_s=3e7), 1, 0, Verdict("pending", 3600, "HTTP 503")),
    "it redirects": (
        Answer(301), 1, 0, Verdict("pending", 2.5, "HTTP 301: it redirects; give the URL that it redirects to"),
    ),
    "it is gone": (Answer(410), 1, 0, Verdict("failed", error="HTTP 410: it is gone for good")),
    "three days are over": (Answer(500), 80, 3 * DAY - 60, Verdict("failed", error="HTTP 500")),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "tries", "age_s", "verdict"), CASES.values(), ids=CASES)
def test_judge(answer: Answer, tries: int, age_s: float, verdict: Verdict) -> None:
    assert judge(answer, tries=tries, age_s=age_s, rules=RULES, chance=0.5) == verdict


@given(chances=st.lists(st.floats(0, 1, exclude_max=True), min_size=200, max_size=200))
def test_a_receiver_that_is_back_after_a_day_has_its_message_within_an_hour(chances: list[float]) -> None:
    age_s = 0.0
    for tries, chance in enumerate(chances, 1):
        verdict = judge(Answer(502), tries=tries, age_s=age_s, rules=RULES, chance=chance)
        assert verdict.state == "pending"
        assert 0 <= verdict.after_s <= 3600
        if (age_s := age_s + verdict.after_s + 1) > DAY:
            return
