"""Small parts of a chart: scales, ticks, texts, lines and marks as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.report.page_markup import Markup, joined, number, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDE: Final = 960.0
"""Width of a figure on a desk and on paper, in pixels."""
NARROW: Final = 380.0
"""Width of a figure on a phone, in pixels."""
CHARACTER: Final = 6.3
"""Mean width of a character of the charts' type, in pixels: enough to keep texts apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Values to pixels, in proportion."""

    first: float
    last: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """Give where a value stands, in pixels."""
        span = self.last - self.first
        share = (value - self.first) / span if span else 0.5
        return self.start + share * (self.stop - self.start)


def is_narrow(width: float) -> bool:
    """Say whether a figure of this width is for a phone."""
    return width < WIDE / 2


def ticks(low: float, high: float, most: int) -> list[float]:
    """Give round values from low to high, at most so many.

    >>> ticks(-0.03, 0.17, 6)
    [0.0, 0.05, 0.1, 0.15]
    """
    if high <= low:
        return [low]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 2.5, 5, 10, 20) if each * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(at * step, 12) for at in range(first, last + 1)]


def price_ticks(low: float, high: float) -> list[float]:
    """Give round prices for a logarithmic axis.

    >>> price_ticks(700, 5200)
    [1000, 2000, 5000]
    """
    if high > 3 * low:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        return [each * 10**power for power in decades for each in (1, 2, 5) if low <= each * 10**power <= high]
    return [each for each in ticks(low, high, 5) if each > 0]


def padded(values: Iterable[float], *, share: float = 0.06) -> tuple[float, float]:
    """Give the ends of a domain that holds zero and all values with a little room."""
    known = [0.0, *values]
    low, high = min(known), max(known)
    room = (high - low or 0.01) * share
    return low - room, high + room


def line_path(points: Iterable[tuple[float, float]]) -> str:
    """Give a path through points.

    >>> line_path([(0, 1), (2.04, 3)])
    'M0 1L2 3'
    """
    return "".join(f"{'L' if at else 'M'}{number(x)} {number(y)}" for at, (x, y) in enumerate(points))


def text(x: float, y: float, content: str, class_: str = "t", *, anchor: str | None = None) -> Markup:
    """Give a text; ``anchor`` is ``middle`` or ``end``, left out it begins at x."""
    return tag("text", content, x=x, y=y, class_=class_, text_anchor=anchor)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str = "g") -> Markup:
    """Give a straight line."""
    return tag("path", class_=class_, d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}")


def shape(kind: str, x: float, y: float, size: float = 4.5) -> str:
    """Give the path of a mark, so that kinds differ by more than colour."""
    match kind:
        case "up":
            corners = [(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)]
        case "down":
            corners = [(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)]
        case "diamond":
            corners = [(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)]
        case "square":
            corners = [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]
        case "cross":
            strokes = [((-0.9, -0.9), (0.9, 0.9)), ((-0.9, 0.9), (0.9, -0.9))]
            return "".join(line_path((x + size * a, y + size * b) for a, b in stroke) for stroke in strokes)
        case _:
            radius = number(size)
            return (
                f"M{number(x - size)} {number(y)}a{radius} {radius} 0 1 0 {number(2 * size)} 0"
                f"a{radius} {radius} 0 1 0 {number(-2 * size)} 0z"
            )
    return line_path((x + size * a, y + size * b) for a, b in corners) + "z"


def told(tip: str, *parts: Markup, class_: str = "") -> Markup:
    """Give a mark that says something when it is pointed at or focused."""
    return tag("g", tag("title", tip), *parts, class_=f"m {class_}".strip(), role="img")


def clipped(content: str, pixels: float) -> str:
    """Give a text cut to about so many pixels, with an ellipsis.

    >>> clipped("Global financial crisis", 70)
    'Global fin…'
    """
    room = int(pixels / CHARACTER)
    return content if len(content) <= room else f"{content[: max(room - 1, 1)].rstrip()}…"


def legend(items: Sequence[tuple[Markup, str]], x: float, y: float, width: float) -> tuple[Markup, float]:
    """Give keys with their names in lines that fit, and the height that they take; a key is 18 x 12 pixels at 0, 0."""
    parts: list[Markup] = []
    left, line = x, 0
    for key, name in items:
        needed = 26 + CHARACTER * len(name) + 12
        if left > x and left + needed - 12 > x + width:
            left, line = x, line + 1
        at = f"translate({number(left)} {number(y + 18 * line)})"
        parts.append(tag("g", key, text(23, 10, name), transform=at))
        left += needed
    return joined(parts), 18.0 * (line + 1)
