"""Draws a run of `bench.limits` as SVG: levels above, refusals below, one axis of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, LEFT, RIGHT = 960, 64, 24
UPPER = (64, 330)
LOWER = (376, 450)
GREY = "#6b7280"

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    name: str
    colour: str
    points: Points
    dash: str = "none"
    width: float = 2.0


@dataclass(frozen=True)
class Scale:
    """Maps (seconds, value) onto a panel of the picture."""

    end_s: float
    top: float
    panel: tuple[int, int]

    def x(self, at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / self.end_s

    def y(self, value: float) -> float:
        upper, lower = self.panel
        return lower - (lower - upper) * value / self.top


def text(x: float, y: float, words: object, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{words}</text>'


def steps(points: Points, scale: Scale) -> str:
    """A value holds until the next one."""
    path = [f"M{scale.x(points[0][0]):.1f},{scale.y(points[0][1]):.1f}"]
    for (_, before), (at_s, value) in pairwise(points):
        if value != before:
            path.append(f"H{scale.x(at_s):.1f}V{scale.y(value):.1f}")
    return "".join([*path, f"H{scale.x(points[-1][0]):.1f}"])


def grid(scale: Scale, every: int, title: str) -> list[str]:
    found = [text(LEFT, scale.panel[0] - 10, title, more='font-weight="600"')]
    for value in range(0, int(scale.top) + 1, every):
        y = scale.y(value)
        found.append(f'<path d="M{LEFT},{y:.1f}H{WIDTH - RIGHT}" stroke="#e5e7eb"/>')
        found.append(text(LEFT - 8, y + 4, value, "end", f'fill="{GREY}"'))
    return found


def svg(title: str, lines: Sequence[Line], refusals: Points, notes: Sequence[tuple[float, str]], end_s: float) -> str:
    """The picture. `refusals`: (second, count). `notes`: (seconds, words) at dashed lines down both panels."""
    upper = Scale(end_s, max(value for line in lines for _, value in line.points) * 1.1, UPPER)
    most = max([count for _, count in refusals], default=0.0)
    lower = Scale(end_s, max(most, 4) * 1.1, LOWER)
    body = [f'<rect width="{WIDTH}" height="500" fill="white"/>', text(LEFT, 24, title, more='font-size="16"')]
    body += grid(upper, 10, "calls at once")
    body += grid(lower, 10 if most > 10 else 2, "calls answered 429, each second")
    for second in range(0, int(end_s) + 1, 20):
        body.append(text(upper.x(second), LOWER[1] + 18, second, "middle", f'fill="{GREY}"'))
    body.append(text((LEFT + WIDTH - RIGHT) / 2, LOWER[1] + 38, "seconds", "middle", f'fill="{GREY}"'))
    for at_s, words in notes:
        body.append(f'<path d="M{upper.x(at_s):.1f},{UPPER[0]}V{LOWER[1]}" stroke="{GREY}" stroke-dasharray="2 3"/>')
        body.append(text(upper.x(at_s) + 5, UPPER[0] + 12, words, more=f'fill="{GREY}"'))
    bar = max(1.5, upper.x(1) - upper.x(0) - 0.5)
    body += [
        f'<rect x="{lower.x(at_s):.1f}" y="{lower.y(count):.1f}" width="{bar:.1f}" '
        f'height="{LOWER[1] - lower.y(count):.1f}" fill="#dc2626"/>'
        for at_s, count in refusals
    ]
    key = WIDTH - RIGHT - 150 * len(lines)
    for number, line in enumerate(lines):
        style = f'fill="none" stroke="{line.colour}" stroke-width="{line.width}" stroke-dasharray="{line.dash}"'
        body.append(f'<path d="{steps(line.points, upper)}" {style}/>')
        at_x = key + 150 * number
        body += [f'<path d="M{at_x},50h24" {style}/>', text(at_x + 30, 54, line.name)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 500" font-family="sans-serif" font-size="12">'
    return "\n".join([head, *body, "</svg>", ""])
