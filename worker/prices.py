"""What a model costs: the published price, or the setting's."""

from decimal import Decimal

from provider import catalog
from worker.settings import settings


def price(model: str) -> Decimal:
    """US dollars a call (a minute of audio); 0 for a model without a known price."""
    overridden = settings().prices.get(model)
    return catalog.price(model) if overridden is None else overridden
