from collections.abc import Iterator
from decimal import Decimal

import pytest

from worker.prices import price_of
from worker.settings import settings
from worker.tariff import TokenPrice


@pytest.fixture(autouse=True)
def prices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MEDIAJOBS_PRICES", '{"cogview-4": 0.008, "mine": 0, "chat": {"input": 1, "output": "2.5"}}')
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_setting_goes_before_what_is_published_and_no_price_is_not_nothing() -> None:
    assert price_of("cogview-4-250304") == Decimal("0.01")
    assert price_of("cogview-4") == Decimal("0.008")
    assert price_of("mine") == 0
    assert price_of("chat") == TokenPrice(input=Decimal(1), output=Decimal("2.5"))
    assert price_of("cogview-3-flash") == 0
    assert price_of("next-year") is None
