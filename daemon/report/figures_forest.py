"""Dots with intervals in rows under headings, beside their numbers: how differences are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.report.figures_frame import Drawing
from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import decimals, interval, short
from daemon.report.svg import CHARACTER, Scale, clipped, is_narrow, padded, rule, shape, text, ticks, told

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW: Final = 19.0
INDENT: Final = 12.0
MOST_CHARACTERS: Final = 26
"""Of a label."""
MARKS: Final = ("circle", "diamond", "square", "up", "down")
"""Of the first, second, … member of every group; the same order has the same colour."""


class Row(NamedTuple):
    """A value with its interval; ``pen`` chooses mark and colour."""

    label: str
    pen: int
    value: float | None
    low: float | None
    high: float | None
    n: str


class Group(NamedTuple):
    """Rows under a heading, with a remark beside it."""

    heading: str
    remark: str
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What is measured: unit, factor and places to write it with, and what lies left and right of zero."""

    unit: str
    factor: float
    places: int
    left: str
    right: str


def mark(pen: int, x: float, y: float, size: float = 4.2) -> Markup:
    """Give the mark of a pen."""
    return shape(MARKS[pen % len(MARKS)], x, y, f"dot c{pen % len(MARKS)}", size)


def draw_forest(groups: Sequence[Group], axis: Axis, width: float) -> Drawing:
    """Give the rows, a line at zero, and to the right of each row its numbers."""
    left, right = _sides(groups, axis, width)
    values = [
        axis.factor * each
        for group in groups
        for row in group.rows
        for each in (row.value, row.low, row.high)
        if each is not None
    ]
    low, high = padded(values)
    x = Scale(first=low, last=high, start=left, stop=right)
    parts: list[Markup] = []
    y = 34.0
    for group in groups:
        if group.heading:
            parts.append(text(0, y + 12, group.heading, "tb"))
            parts.append(text(width, y + 12, group.remark, anchor="end"))
            parts.append(rule(0, y + 18, width, y + 18))
            y += 24
        for row in group.rows:
            parts.append(_row(row, axis, x, y + ROW / 2, width))
            y += ROW
        y += 10
    return Drawing(y + 16, joined((_axis(x, axis, 34, y - 6), *parts)))


def _sides(groups: Sequence[Group], axis: Axis, width: float) -> tuple[float, float]:
    """Give what labels and numbers leave for the dots."""
    rows = [row for group in groups for row in group.rows]
    indent = 0.0 if is_narrow(width) else INDENT
    longest = min(max(len(row.label) for row in rows), MOST_CHARACTERS)
    numbers = max(len(_numbers(row, axis)) for row in rows)
    return indent + CHARACTER * longest + 14, width - CHARACTER * numbers - 12


def _numbers(row: Row, axis: Axis) -> str:
    if row.value is None:
        return "not enough evidence"
    value = decimals(axis.factor * row.value, axis.places, signed=True)
    return f"{value} {interval(row.low, row.high, scale=axis.factor, places=axis.places) or ''}".strip()


def _axis(x: Scale, axis: Axis, top: float, bottom: float) -> Markup:
    names = (
        joined((rule(x(at), top, x(at), bottom), text(x(at), bottom + 16, short(at), anchor="mid")))
        for at in ticks(x.first, x.last, max(int((x.stop - x.start) / 60), 3))
    )
    zero = x(0)
    return tag(
        "g",
        *names,
        rule(zero, top - 4, zero, bottom, "zero"),
        text(zero - 8, 12, f"← {axis.left}", anchor="end") if axis.left else "",
        text(zero + 8, 12, f"{axis.right} →"),
        text(zero, 26, axis.unit, anchor="mid"),
    )


def _row(row: Row, axis: Axis, x: Scale, y: float, width: float) -> Markup:
    label = text(0 if is_narrow(width) else INDENT, y + 4, clipped(row.label, CHARACTER * MOST_CHARACTERS))
    numbers = _numbers(row, axis)
    if row.value is None:
        return joined((label, text(width, y + 4, numbers, anchor="end")))
    line = Markup("")
    if row.low is not None and row.high is not None:
        line = rule(x(axis.factor * row.low), y, x(axis.factor * row.high), y, f"bar c{row.pen}")
    tip = f"{row.label}: {numbers} {axis.unit}, {row.n}"
    dot = mark(row.pen, x(axis.factor * row.value), y)
    return joined((label, told(tip, line, dot), text(width, y + 4, numbers, "n", anchor="end")))
