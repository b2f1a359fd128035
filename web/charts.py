"""Pictures of amounts, as numbers for SVG attributes: the content policy leaves no room for styles. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

#: Units that a picture is wide and high; it is stretched to its place.
WIDTH, HEIGHT = 1000.0, 100.0
#: What there is at all is seen.
LEAST = 4.0


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a stacked bar or column."""

    name: str
    start: float
    size: float


def bar(counts: Sequence[tuple[str, int]], total: int | None = None) -> list[Part]:
    """Parts side by side, filling WIDTH if they are the `total`; the smallest is at least LEAST wide.

    >>> bar([("succeeded", 3), ("failed", 1)])
    [Part(name='succeeded', start=0.0, size=750.0), Part(name='failed', start=750.0, size=250.0)]
    """
    counts = [(name, count) for name, count in counts if count > 0]
    whole = max(total or 0, sum(count for _, count in counts))
    if not whole:
        return []
    exact = [count / whole * WIDTH for _, count in counts]
    raised = [max(each, LEAST) for each in exact]
    # What the small ones got more is taken from the large ones.
    surplus, large = sum(raised) - sum(exact), sum(each for each in exact if each > LEAST)
    sizes = [each - surplus * each / large if each > LEAST and large else up
             for each, up in zip(exact, raised, strict=True)]  # fmt: skip
    parts, start = [], 0.0
    for (name, _), size in zip(counts, sizes, strict=True):
        parts.append(Part(name, round(start, 2), round(size, 2)))
        start += size
    return parts


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a chart: where, how wide, and its parts from the bottom up (start: from the top)."""

    x: float
    width: float
    parts: list[Part]


def columns(
    values: Sequence[Mapping[str, float]], names: Iterable[str], *, peak: float, gap: float = 0.22
) -> list[Column]:
    """Stacked columns over WIDTH, each as high as its part of `peak` is of HEIGHT."""
    names = list(names)
    step = WIDTH / max(len(values), 1)
    found = []
    for place, each in enumerate(values):
        top, parts = HEIGHT, []
        for name in names:
            size = each.get(name, 0) / peak * HEIGHT if peak else 0.0
            if size > 0:
                size = max(size, 1.2)
                top -= size
                parts.append(Part(name, round(top, 2), round(size, 2)))
        found.append(Column(round(place * step + step * gap / 2, 2), round(step * (1 - gap), 2), parts))
    return found


def peak(values: Iterable[float]) -> float:
    """The next round number at or above the largest, to have the top of a chart at.

    >>> [peak([n]) for n in (0, 1, 7, 13, 130, 1700)]
    [1.0, 1.0, 8.0, 15.0, 150.0, 2000.0]
    """
    most = max(values, default=0)
    if most <= 0:
        return 1.0
    unit = 10 ** floor(log10(most))
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return float(next((round(step * unit, 6) for step in steps if step * unit >= most), ceil(most)))


def tallest(values: Iterable[Mapping[str, float]]) -> float:
    """The peak of stacked columns.

    >>> tallest([{"succeeded": 3, "failed": 4}, {"succeeded": 6}])
    8.0
    """
    return peak(sum(each.values()) for each in values)


def line(values: Sequence[float], *, top: float) -> str:
    """The path of a line through values, the last at the right end.

    >>> line([0, 1], top=1)
    'M0,100 L1000,0'
    """
    step = WIDTH / max(len(values) - 1, 1)
    points = [f"{round(place * step, 1):g},{round(HEIGHT - value / (top or 1) * HEIGHT, 1):g}"
              for place, value in enumerate(values)]  # fmt: skip
    return "M" + " L".join(points) if points else ""
