"""What is published of each model: its kind, price and concurrency.

Prices: docs.z.ai/guides/overview/pricing.md. Concurrency: the rate-limit page as quoted in public
repositories; where nothing is published, 5 is assumed and the true limit learned.
"""

from dataclasses import dataclass
from decimal import Decimal

ASSUMED_CONCURRENCY = 5


@dataclass(frozen=True, slots=True)
class Model:
    """`price`: US dollars a call, or a minute of audio for transcription. `concurrency`: at once, per account."""

    kind: str
    price: Decimal
    concurrency: int = ASSUMED_CONCURRENCY


MODELS: dict[str, Model] = {
    "glm-image": Model("image", Decimal("0.015")),
    "cogview-4-250304": Model("image", Decimal("0.01")),
    "cogview-4": Model("image", Decimal("0.01")),
    "cogview-3-flash": Model("image", Decimal(0)),
    "cogvideox-3": Model("video", Decimal("0.20"), 1),
    "cogvideox-2": Model("video", Decimal("0.20")),
    "cogvideox-flash": Model("video", Decimal(0)),
    "viduq1-text": Model("video", Decimal("0.40")),
    "viduq1-image": Model("video", Decimal("0.40")),
    "viduq1-start-end": Model("video", Decimal("0.40")),
    "vidu2-image": Model("video", Decimal("0.20")),
    "vidu2-start-end": Model("video", Decimal("0.20")),
    "vidu2-reference": Model("video", Decimal("0.40")),
    "glm-asr-2512": Model("transcription", Decimal("0.0024")),
}


#: Seconds that a job takes, as documented (images) or believed: until there are jobs to measure.
BELIEVED_S = {"image": 10.0, "video": 90.0, "transcription": 3.0}


@dataclass(frozen=True, slots=True)
class PublishedLimit:
    """`slot_scope`: `task` where a slot is believed to be held until the remote task ends, else `answer`."""

    concurrency: int
    slot_scope: str


def model_kind(model: str) -> str | None:
    """The kind that a model is for; None if it is not known (providers add models)."""
    known = MODELS.get(model)
    return known.kind if known else None


def price(model: str) -> Decimal:
    """US dollars a call (a minute of audio); 0 for a model without a published price."""
    known = MODELS.get(model)
    return known.price if known else Decimal(0)


def published_limit(model: str, kind: str) -> PublishedLimit:
    """The limit to begin with."""
    known = MODELS.get(model)
    scope = "task" if kind == "video" else "answer"
    return PublishedLimit(known.concurrency if known else ASSUMED_CONCURRENCY, scope)


def believed_s(model: str, kind: str) -> float:
    """Seconds that a job takes, about."""
    return 25.0 if model == "glm-image" else BELIEVED_S.get(kind, 10.0)
