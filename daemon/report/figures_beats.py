"""Values with intervals that stand in a row from left to right, over lines of their levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from daemon.report.page_markup import Markup, joined
from daemon.report.page_numbers import short
from daemon.report.svg import Scale, padded, rule, text, ticks, told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Beat(NamedTuple):
    """A value at a place of the axis, with its interval."""

    place: float
    value: float
    low: float | None
    high: float | None
    pen: Callable[[float, float], Markup]
    tip: str
    line: str = "whisker"


def levels(y: Scale, scale: Scale, *, percent: bool = False) -> Markup:
    """Give the horizontal lines with their values, and the stronger one at zero."""
    parts = [
        joined((rule(scale.start, y(at), scale.stop, y(at)),
                text(scale.start - 6, y(at) + 4, f"{short(at)}{'%' * percent}", anchor="end")))
        for at in ticks(min(y.first, y.last), max(y.first, y.last), 5)
    ]  # fmt: skip
    return joined((*parts, rule(scale.start, y(0), scale.stop, y(0), "zero")))


def beats_over_levels(
    beats: Sequence[Beat], scale: Scale, top: float, bottom: float, *, percent: bool = False
) -> Markup:
    """Give values with whiskers over the lines of their levels; each tells its own when pointed at."""
    known = (value for each in beats for value in (each.value, each.low, each.high) if value is not None)
    low, high = padded(known)
    y = Scale(first=low, last=high, start=bottom, stop=top)
    marks = []
    for place, value, least, most, pen, tip, line_class in beats:
        line = (
            Markup("") if least is None or most is None else rule(place, y(least), place, y(most), line_class)
        )
        marks.append(told(tip, line, pen(place, y(value))))
    return joined((levels(y, scale, percent=percent), *marks))
