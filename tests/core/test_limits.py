"""Pauses, probes, rates and budgets on the real stand-in: calls stop, nothing fails, and all goes on by itself."""

import json
import time
from decimal import Decimal
from itertools import pairwise
from typing import Any

from sqlalchemy import text

from models import money
from models.money import DAY
from tests.support.core import Core
from tests.support.stack import wait_until

MODEL = "cogview-4-250304"


def calls(core: Core) -> int:
    return int(core.stand_in.summary()["received"])


def received_at(entry: dict[str, Any]) -> float:
    return float(entry["at"])


def test_an_empty_account_stops_calls_says_so_and_goes_on_when_topped_up(core: Core) -> None:
    core.stand_in.change("account", balance=False)
    core.enqueue("image", *({"prompt": f"p{n}"} for n in range(30)), batch="a")
    core.enqueue("image", *({"prompt": f"p{n}", "model": "glm-image"} for n in range(10)), batch="b")
    running = core.start(MEDIAJOBS_PROBE_S="1.5")
    try:
        wait_until(lambda: "the account is paused" in core.reasons(), what="the account's pause, by the second model")
        assert "Insufficient balance" in core.reasons()
        # A slot of each model was used before it was known; from then on a probe at a time.
        assert calls(core) <= 5 + 5
        before, began = calls(core), time.time()
        wait_until(lambda: calls(core) >= before + 2, what="two probes")
        probes = [at for at in map(received_at, core.stand_in.ledger()) if at > began]
        assert all(later - earlier > 1.0 for earlier, later in pairwise(probes))
        assert not {"failed", "held"} & set(core.states().values())
        core.stand_in.change("account", balance=True)
        assert running.wait(timeout=60) == 0, core.log()
    finally:
        running.kill()
        running.wait()
    assert set(core.states().values()) == {"succeeded"}
    assert core.audit() == []


def test_a_bad_token_pauses_the_account_at_once_and_fails_no_job(core: Core) -> None:
    core.stand_in.change("account", token="at_rotated")
    core.enqueue("image", *({"prompt": f"p{n}"} for n in range(20)))
    running = core.start()
    try:
        wait_until(lambda: "the account is paused" in core.reasons(), what="the account's pause")
        core.stand_in.change("account", tokens=["at_rotated", core.stand_in.token])
        assert running.wait(timeout=60) == 0, core.log()
    finally:
        running.kill()
        running.wait()
    assert set(core.states().values()) == {"succeeded"}
    assert max(row.attempt for row in core.rows("select attempt from jobs")) == 1
    assert core.audit() == []


def test_a_limit_with_a_reset_time_pauses_until_then(core: Core) -> None:
    core.enqueue("image", *({"prompt": f"p{n}"} for n in range(6)))
    core.stand_in.play({"fault": "usage_limit", "params": {"value": "3600/iso"}, "times": 5})
    running = core.start()
    try:
        wait_until(lambda: f"{MODEL} is paused until" in core.reasons(), what="the model's pause")
    finally:
        running.kill()
        running.wait()
    [row] = core.rows("select extract(epoch from paused_until - now()) as left_s, probes from limits")
    assert 3300 < row.left_s <= 3600
    assert not row.probes


def test_retry_after_is_obeyed_by_the_whole_model(core: Core) -> None:
    core.enqueue("image", *({"prompt": f"p{n}"} for n in range(12)))
    core.stand_in.play({"fault": "rate_limit", "params": {"value": "2"}, "times": 1})
    assert core.work() == 0, core.log()
    ledger: list[dict[str, Any]] = json.loads(json.dumps(core.stand_in.ledger()))
    [refused] = [entry["at"] for entry in ledger if entry["status"] == 429 and entry["faults"]]
    # Those that were on their way with it are not called back.
    later = [entry["at"] - refused for entry in ledger if entry["at"] > refused + 0.5]
    assert len(later) >= 7
    assert min(later) >= 1.9
    assert core.audit() == []


def test_calls_a_minute_are_never_more_than_set(core: Core) -> None:
    core.enqueue("image", *({"prompt": f"p{n}"} for n in range(30)))
    core.stand_in.change("limits", **{MODEL: {"concurrency": 50, "per_minute": 600, "window_s": 6}})
    with core.engine.begin() as conn:
        conn.execute(text("update limits set concurrency = 50, learned = 50, per_minute = 600"))
    assert core.work() == 0, core.log()
    assert core.stand_in.summary()["refused"] == {}
    assert set(core.states().values()) == {"succeeded"}


def test_a_batch_waits_when_its_budget_is_spent_and_goes_on_with_more(core: Core) -> None:
    core.enqueue("image", *({"prompt": f"p{n}"} for n in range(10)))
    [batch] = core.rows("select id from batches")
    scope = ("batch", str(batch.id))
    with core.engine.begin() as conn:
        money.set_budget(conn, scope, Decimal("0.055"))  # five of a cent each
    running = core.start()
    try:
        wait_until(lambda: list(core.states().values()).count("succeeded") == 5, what="five of ten")
        wait_until(lambda: "budget: batch 'b' has $0.055" in core.reasons(), what="the reason")
        with core.engine.begin() as conn:
            money.set_budget(conn, scope, Decimal(1))
        assert running.wait(timeout=60) == 0, core.log()
    finally:
        running.kill()
        running.wait()
    with core.engine.begin() as conn:
        money.set_budget(conn, DAY, Decimal(5))
    budgets = {row.scope: (float(row.spent), float(row.reserved)) for row in core.rows("select * from budgets")}
    assert budgets == {"batch": (0.1, 0.0), "day": (0.1, 0.0)}
    assert core.audit() == []
