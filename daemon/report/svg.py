"""Small parts of a chart: scales, ticks, texts, lines and marks as SVG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from daemon.report.page_markup import Markup, joined, number, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDE: Final = 960.0
"""Width of a figure on a desk and on paper, in pixels."""
NARROW: Final = 380.0
"""Width of a figure on a phone, in pixels."""
CHARACTER: Final = 6.6
"""Mean width of a character of the charts' type, in pixels: enough to keep texts apart."""

CORNERS: Final = {
    "up": (((0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)),),
    "down": (((0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)),),
    "diamond": (((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),),
    "square": (((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),),
    "cross": (((-0.9, -0.9), (0.9, 0.9)), ((-0.9, 0.9), (0.9, -0.9))),
}
"""Of marks, around their middle; a mark of two lines is not closed."""


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

    def within(self, value: float) -> float:
        """Give where a value stands, or the end that is nearest to it."""
        return self(min(max(value, self.first), self.last))


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
    [700, 1000, 1500.0, 2000, 3000, 5000]
    """
    if high > 3 * low:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        steps: tuple[float, ...] = (1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 5, 7)
        prices = (each * 10**power for power in decades for each in steps)
        return [each for each in prices if low <= each <= high]
    return [each for each in ticks(low, high, 5) if each > 0]


def padded(values: Iterable[float], *, share: float = 0.06) -> tuple[float, float]:
    """Give the ends of a domain that holds zero and all values with a little room."""
    known = [0.0, *values]
    low, high = min(known), max(known)
    room = (high - low or 0.01) * share
    return low - room, high + room


def line_path(points: Iterable[tuple[float, float]], places: int = 1) -> str:
    """Give a path through points, each after the first as the way from the one before.

    Steps are between rounded points, so that no error adds up.

    >>> line_path([(0, 1), (2.04, 3), (1.5, 3.26)])
    'M0 1l2 2-.5 .3'
    """
    unit = 10**places
    rounded = [(round(x * unit), round(y * unit)) for x, y in points]
    steps = (_pair(x - before_x, y - before_y, unit) for (before_x, before_y), (x, y) in pairwise(rounded))
    first = _pair(*rounded[0], unit)
    return f"M{first}" + "".join(f"{'' if at else 'l'}{_apart(step, at)}" for at, step in enumerate(steps))


def _pair(x: int, y: int, unit: int) -> str:
    second = _short(y, unit)
    return _short(x, unit) + ("" if second.startswith("-") else " ") + second


def _apart(step: str, at: int) -> str:
    return step if at == 0 or step.startswith("-") else f" {step}"


def _short(value: int, unit: int) -> str:
    """Give so many parts of one with no digit to spare.

    >>> _short(-50, 100), _short(120, 10), _short(0, 10)
    ('-.5', '12', '0')
    """
    text = f"{value / unit:g}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def text(x: float, y: float, content: str, class_: str = "", *, anchor: str = "") -> Markup:
    """Give a text; ``anchor`` is ``mid`` or ``end``, left out it begins at x."""
    return tag("text", content, x=x, y=y, class_=f"{class_} {anchor}".strip() or None)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str = "g") -> Markup:
    """Give a straight line."""
    if x1 == x2 or y1 == y2:
        way = f"V{number(y2)}" if x1 == x2 else f"H{number(x2)}"
        return tag("path", class_=class_, d=f"M{number(x1)} {number(y1)}{way}")
    return tag("path", class_=class_, d=line_path(((x1, y1), (x2, y2))))


def shape(kind: str, x: float, y: float, class_: str, size: float = 4.5) -> Markup:
    """Give a mark; kinds differ by more than colour."""
    if kind == "circle":
        return tag("circle", cx=x, cy=y, r=size, class_=class_)
    lines = CORNERS[kind]
    path = "".join(line_path((x + size * a, y + size * b) for a, b in line) for line in lines)
    return tag("path", d=path if len(lines) > 1 else f"{path}z", class_=class_)


def told(tip: str, *parts: Markup) -> Markup:
    """Give a mark that says something when it is pointed at or focused."""
    return tag("g", tag("title", tip), *parts, class_="m")


def clipped(content: str, pixels: float) -> str:
    """Give a text cut to about so many pixels, with an ellipsis.

    >>> clipped("Global financial crisis", 70)
    'Global fi…'
    """
    room = int(pixels / CHARACTER)
    return content if len(content) <= room else f"{content[: max(room - 1, 1)].rstrip()}…"


def legend(items: Sequence[tuple[Markup, str]], x: float, y: float, width: float) -> tuple[Markup, float]:
    """Give keys with their names in lines that fit, and the height that they take.

    A key is drawn in 18 x 12 pixels from 0, 0.
    """
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
