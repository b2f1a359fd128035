"""What a model costs: the published price, or the setting's."""

from worker.kinds import KINDS_OF
from worker.settings import settings
from worker.tariff import Price


def price_of(model: str) -> Price | None:
    """US dollars a call (a minute of audio), or by tokens; None where neither is known: that is not nothing."""
    if (own := settings().prices.get(model)) is not None:
        return own
    kinds = KINDS_OF.get(model)
    return kinds[0].models[model].price if kinds else None
