"""What models are paid by: calls, minutes of audio, or tokens. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import Field

#: Money is kept to a millionth of a dollar.
MICRO = Decimal("0.000001")
MILLION = 1_000_000

Dollars = Annotated[Decimal, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens that go in, those of them that the provider has in its cache, and those that come out."""

    input: int = 0
    cached: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice:
    """US dollars a million tokens. `cached`: of those in the cache; None: as of any that go in."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = None


#: US dollars a call (a minute of audio), or by tokens.
Price = Decimal | TokenPrice
NO_TOKENS = Tokens()


def cost_of(price: Price | None, *, units: Decimal = Decimal(1), tokens: Tokens = NO_TOKENS) -> Decimal:
    """US dollars for so many calls or minutes, or for these tokens; 0 where the price is not known."""
    match price:
        case None:
            return Decimal(0)
        case TokenPrice():
            cached = price.input if price.cached is None else price.cached
            cost = (tokens.input - tokens.cached) * price.input + tokens.cached * cached + tokens.output * price.output
            return (cost / MILLION).quantize(MICRO)
        case _:
            return (price * units).quantize(MICRO)
