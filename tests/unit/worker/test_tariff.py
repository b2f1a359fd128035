"""What calls, minutes and tokens cost."""

from decimal import Decimal

import pytest

from worker.tariff import Price, TokenPrice, Tokens, cost_of

GLM = TokenPrice(input=Decimal("0.6"), output=Decimal("2.2"), cached=Decimal("0.11"))
AGENT = TokenPrice(input=Decimal(3), output=Decimal(3))

COSTS: dict[str, tuple[Price | None, Decimal, Tokens, str]] = {
    "a call": (Decimal("0.2"), Decimal(1), Tokens(), "0.2"),
    "half a minute": (Decimal("0.0024"), Decimal("0.5"), Tokens(), "0.0012"),
    "tokens": (GLM, Decimal(1), Tokens(input=1000, output=500), "0.0017"),
    "of the cache": (GLM, Decimal(1), Tokens(input=1000, cached=400, output=0), "0.000404"),
    "cached at no price of its own": (AGENT, Decimal(1), Tokens(input=10, cached=10, output=10), "0.00006"),
    "less than a millionth": (GLM, Decimal(1), Tokens(input=1), "0.000001"),
    "not known": (None, Decimal(1), Tokens(input=10**6), "0"),
    "a price of calls, whatever the tokens": (Decimal("0.2"), Decimal(1), Tokens(input=10**6), "0.2"),
}


@pytest.mark.parametrize(("price", "units", "tokens", "cost"), COSTS.values(), ids=COSTS)
def test_costs(price: Price | None, units: Decimal, tokens: Tokens, cost: str) -> None:
    assert cost_of(price, units=units, tokens=tokens) == Decimal(cost)
