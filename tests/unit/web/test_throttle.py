"""Failures are counted by address, and forgotten in time."""

from web.throttle import Throttle


def test_waits_after_too_many_and_no_longer_than_that() -> None:
    now = [0.0]
    throttle = Throttle(most=3, within_s=60.0, clock=lambda: now[0])
    for at in (0.0, 10.0, 20.0):
        now[0] = at
        assert throttle.wait_s("a") == 0.0
        throttle.failed("a")
    assert throttle.wait_s("a") == 40.0
    assert throttle.wait_s("b") == 0.0
    now[0] = 60.0
    assert throttle.wait_s("a") == 0.0
    throttle.failed("a")
    assert throttle.wait_s("a") == 10.0


def test_remembers_a_bounded_number_of_addresses() -> None:
    throttle = Throttle(most=1, addresses=2, clock=lambda: 0.0)
    for address in ("a", "b", "a", "c"):
        throttle.failed(address)
    assert throttle.wait_s("b") == 0.0, "the one that failed longest ago"
    assert throttle.wait_s("a") > 0
    assert throttle.wait_s("c") > 0
