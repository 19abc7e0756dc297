"""The axis of time, and how a long series is drawn with few points that lose no extreme."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias

from daemon.report.page_markup import Markup, joined, tag
from daemon.report.svg import Scale, is_narrow, line_path, rule, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from daemon.report.page_numbers import Document

Point: TypeAlias = tuple[int, float]
Spell: TypeAlias = tuple[int, int, str]
"""From a day to another day, which is no longer in it, and what it is."""

TICK_PX: Final = 62.0
"""Ticks of time stand at least so far apart."""
STEPS: Final = (1, 2, 7, 14, 31, 92, 184, 366, 2 * 366, 5 * 366, 10 * 366, 20 * 366, 50 * 366)
"""About how many days lie between two ticks; from 31 on they stand on first days of months."""


@lru_cache(maxsize=1 << 14)
def day_number(day: str) -> int:
    """Give a day as a count of days.

    >>> day_number("1970-01-02") - day_number("1970-01-01")
    1
    """
    return date.fromisoformat(day).toordinal()


def time_scale(document: Document, start: float, stop: float) -> Scale:
    """Give the axis from the first day of the document to the day after its last."""
    first, last = (day_number(document["range"][end]) for end in ("from", "to"))
    return Scale(first=first, last=last + 1, start=start, stop=stop)


def time_axis(scale: Scale, top: float, bottom: float) -> Markup:
    """Give ticks with their days below, and faint lines up to the top."""
    parts = [
        joined((rule(x, top, x, bottom), text(x, bottom + 16, name, anchor="mid")))
        for x, name in _ticks(scale)
    ]
    return tag("g", *parts, rule(scale.start, bottom, scale.stop, bottom, "ax"), class_="axis")


def _ticks(scale: Scale) -> Iterator[tuple[float, str]]:
    days = scale.last - scale.first
    most = max((scale.stop - scale.start) / TICK_PX, 1.0)
    step = next((each for each in STEPS if days / each <= most), STEPS[-1])
    first = date.fromordinal(int(scale.first))
    for day in _short_steps(first, days, step) if step < STEPS[4] else _long_steps(first, days, step):
        if scale.first <= day.toordinal() < scale.last:
            yield scale(day.toordinal()), _name(day, step)


def _short_steps(first: date, days: float, step: int) -> Iterator[date]:
    return (first + timedelta(days=at) for at in range(0, int(days), step))


def _long_steps(first: date, days: float, step: int) -> Iterator[date]:
    months = max(round(12 * step / 366), 1)
    start = (first.year * 12) // months * months
    return (date(*_month(at)) for at in range(start, int(start + days / 30 + 2 * months + 13), months))


def _month(at: int) -> tuple[int, int, int]:
    return at // 12, at % 12 + 1, 1


def _name(day: date, step: int) -> str:
    if step >= STEPS[7]:
        return str(day.year)
    if step >= STEPS[4]:
        return f"{day:%b} {day.year}" if day.month == 1 else f"{day:%b}"
    return f"{day.day} {day:%b}"


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Give at most so many points: of each stretch of time the first, the lowest, the highest and the last.

    A line through them covers the same pixels as a line through all (Jugel et al., 2014, "M4").
    """
    if len(points) <= most:
        return list(points)
    first, span = points[0][0], points[-1][0] - points[0][0] + 1
    stretches = max(most // 4, 1)
    kept: list[Point] = []
    for _, each in groupby(points, key=lambda point: (point[0] - first) * stretches // span):
        stretch = list(each)
        ends = (stretch[0], stretch[-1])
        extremes = (min(stretch, key=lambda p: p[1]), max(stretch, key=lambda p: p[1]))
        kept += sorted({*ends, *extremes})
    return kept


def spells_of(days: Sequence[int], names: Sequence[str], end: int) -> list[Spell]:
    """Give the stretches of days with one name; each ends where the next begins, the last at ``end``."""
    starts = [at for at in range(len(names)) if at == 0 or names[at] != names[at - 1]]
    edges = [*(days[at] for at in starts), end]
    return [(edges[at], edges[at + 1], names[start]) for at, start in enumerate(starts)]


def bands(scale: Scale, spells: Iterable[Spell], top: float, height: float) -> str:
    """Give spells as the path of boxes; a box is never thinner than a line that can be seen."""
    boxes = []
    for first, last, _ in spells:
        left, width = scale(first), max(scale(last) - scale(first), 0.8)
        boxes.append(f"M{left:.2f} {top:.1f}h{width:.2f}v{height:.1f}h{-width:.2f}z")
    return "".join(boxes)


def points_wanted(width: float) -> int:
    """Give how many points a line of a figure of this width may have."""
    return 600 if is_narrow(width) else 1400


def line_path_of(days: Sequence[str], values: Sequence[float], x: Scale, y: Scale) -> str:
    """Give a line through values of days, with no more points than can be told apart."""
    points = [(day_number(day), value) for day, value in zip(days, values, strict=True)]
    kept = thinned(points, 4 * int((x.stop - x.start) / 12))
    return line_path((x(day), y(value)) for day, value in kept)
