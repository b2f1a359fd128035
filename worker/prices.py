"""What a model costs: the published price, or the setting's."""

from decimal import Decimal

from worker.kinds import KIND_OF
from worker.settings import settings


def price_of(model: str) -> Decimal | None:
    """US dollars a call (a minute of audio); None where neither is known: that is not nothing."""
    if (own := settings().prices.get(model)) is not None:
        return own
    kind = KIND_OF.get(model)
    return kind.models[model].price if kind else None
