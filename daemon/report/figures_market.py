"""The market: close on a logarithmic axis, rare events above it, regimes and fear below it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.report.figures_frame import Basis, Drawing, Figure
from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import GROUPS, count, plural, spoken
from daemon.report.svg import (
    CHARACTER,
    Scale,
    clipped,
    is_narrow,
    legend,
    line_path,
    price_ticks,
    rule,
    text,
    ticks,
    told,
)
from daemon.report.svg_time import (
    bands,
    day_number,
    points_wanted,
    spells_of,
    thinned,
    time_axis,
    time_scale,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from daemon.report.page_numbers import Document
    from daemon.report.svg_time import Point, Spell

RIBBON: Final = 30.0
TALL: Final = {"crash": 1.0, "high_volatility": 0.72, "recovery": 0.5, "normal": 0.24, "low_volatility": 0.12}
"""How tall a regime stands in the ribbon: wild days tower, so that regimes differ without colour."""
REGIMES: Final = (*GROUPS[1:], "unknown")
GAP: Final = 14
"""Days without a value from which on a line is broken."""


class Lane(NamedTuple):
    """An event in the row where its name covers no other's."""

    event: Document
    row: int
    left: float
    right: float
    name: str
    ends_there: bool


def left_of(width: float) -> float:
    """Give where axes of time begin, the same in all figures, so that days stand below each other."""
    return 40.0 if is_narrow(width) else 56.0


def right_of(width: float) -> float:
    """Give where axes of time end."""
    return width - (8.0 if is_narrow(width) else 20.0)


def hatch(key: str) -> Markup:
    """Give the pattern that lies over crash days."""
    lines = tag("path", d="M-1 1L1 -1M0 5L5 0M4 6L6 4", class_="hatch")
    return tag("defs", tag("pattern", lines, id=key, width=5, height=5, patternUnits="userSpaceOnUse"))


def market_spells(document: Document) -> list[Spell]:
    """Give the spells of the regimes."""
    series = document["series"]
    days = [day_number(day) for day in series["day"]]
    return spells_of(days, series["regime"], days[-1] + 1 if days else 0)


def crash_shade(document: Document, scale: Scale, top: float, bottom: float) -> Markup:
    """Give the crash days as a shade behind a figure of time."""
    crashes = (spell for spell in market_spells(document) if spell[2] == "crash")
    return tag("path", d=bands(scale, crashes, top, bottom - top), class_="shade")


def market_figure(document: Document) -> Figure | None:
    """Give the figure; ``None`` if there is no session."""
    series = document["series"]
    if not series["day"]:
        return None
    index, fear = document["market"]["index"], document["market"]["fear"]
    spells = market_spells(document)
    sessions, closes = len(series["day"]), series["close"]
    first, last, low, high = (f"{each:,.2f}" for each in (closes[0], closes[-1], min(closes), max(closes)))
    shares = (
        f"{spoken(regime)} {series['regime'].count(regime) / sessions:.0%}"
        for regime in REGIMES
        if regime in series["regime"]
    )
    return Figure(
        name="market",
        title=f"{index} and its regimes",
        finding=f"{index} went from {first} to {last}.",
        reading=(
            f"Closes on a logarithmic axis, marked events above, regimes and {fear or 'fear'} below. In the"
            " ribbon the wild regimes stand tallest, and crash days are hatched."
        ),
        description=(
            f"Close of {index} from {first} on {series['day'][0]} to {last} on {series['day'][-1]},"
            f" lowest {low}, highest {high}."
            f" Shares of days: {', '.join(shares)}. {plural(len(document['events']), 'marked event')}."
        ),
        basis=Basis(
            n=f"{plural(sessions, 'session')}, {plural(len(spells), 'spell')} of regimes",
            interval="none: prices and labels are observed, not estimated",
            baseline="none",
        ),
        draw=lambda width: _draw(document, width),
    )


def _draw(document: Document, width: float) -> Drawing:
    scale = time_scale(document, left_of(width), right_of(width))
    lanes = _lanes(document["events"], scale)
    top = 22.0 * (1 + max((lane.row for lane in lanes), default=-1)) + 8
    bottom = top + (190.0 if is_narrow(width) else 300.0)
    ribbon = bottom + 10
    fear_top = ribbon + RIBBON + 16
    fear_bottom = fear_top + 58
    key = f"hatch-{'narrow' if is_narrow(width) else 'wide'}"
    keys, tall = _legend(document, key, width, fear_bottom + 30)
    parts = [
        hatch(key),
        _events(lanes, bottom),
        time_axis(scale, top, fear_bottom),
        _price(document, scale, top, bottom),
        _ribbon(document, scale, ribbon, key),
        _fear(document, scale, fear_top, fear_bottom),
        keys,
    ]
    cross = tag(
        "g",
        *parts,
        class_="cross",
        data_first=scale.first,
        data_days=scale.last - scale.first,
        data_left=scale.start,
        data_right=scale.stop,
        data_top=top,
        data_bottom=fear_bottom,
    )
    return Drawing(fear_bottom + 30 + tall, cross)


def _price(document: Document, scale: Scale, top: float, bottom: float) -> Markup:
    series = document["series"]
    points = [
        (day_number(day), math.log(close)) for day, close in zip(series["day"], series["close"], strict=True)
    ]
    low, high = (end(series["close"]) for end in (min, max))
    room = max(0.05 * math.log(high / low), 0.001)
    y = Scale(first=math.log(low) - room, last=math.log(high) + room, start=bottom, stop=top)
    grid = (
        joined((rule(scale.start, y(math.log(at)), scale.stop, y(math.log(at))),
                text(scale.start - 6, y(math.log(at)) + 4, f"{at:,g}", anchor="end")))
        for at in price_ticks(low, high)
    )  # fmt: skip
    kept = thinned(points, points_wanted(scale.stop - scale.start))
    line = tag(
        "path",
        d=line_path(((scale(day), y(value)) for day, value in kept), places=2),
        class_="price",
        data_read="close",
        data_scale=f"log {y.first:.6f} {y.last:.6f} {y.start:g} {y.stop:g}",
    )
    return joined((*grid, line))


def _ribbon(document: Document, scale: Scale, top: float, key: str) -> Markup:
    spells = market_spells(document)
    parts = []
    for regime in REGIMES:
        own = [spell for spell in spells if spell[2] == regime]
        if not own:
            continue
        height = RIBBON * TALL.get(regime, 1.0)
        path = bands(scale, own, top + RIBBON - height, height)
        parts.append(tag("path", d=path, class_=f"r-{regime}", data_regime=spoken(regime)))
        if regime == "crash":
            parts.append(tag("path", d=path, style=f"fill:url(#{key})"))
    parts.append(rule(scale.start, top + RIBBON, scale.stop, top + RIBBON, "ax"))
    return joined(parts)


def _fear(document: Document, scale: Scale, top: float, bottom: float) -> Markup:
    series = document["series"]
    points = [
        (day_number(day), fear)
        for day, fear in zip(series["day"], series["fear"], strict=True)
        if fear is not None
    ]
    if not points:
        return text(scale.start + 4, (top + bottom) / 2, "No fear index is known for these days.")
    high = max(value for _, value in points)
    y = Scale(first=0, last=high * 1.05, start=bottom, stop=top)
    grid = (
        joined(
            (
                rule(scale.start, y(at), scale.stop, y(at)),
                text(scale.start - 6, y(at) + 4, f"{at:g}", anchor="end"),
            )
        )
        for at in ticks(0, high, 3)
    )
    kept = thinned(points, points_wanted(scale.stop - scale.start) // 2)
    line = tag(
        "path",
        d="".join(
            line_path(((scale(day), y(value)) for day, value in part), places=2)
            for part in _unbroken(points, kept)
        ),
        class_="fear",
        data_read="fear",
        data_scale=f"linear 0 {y.last:.6f} {y.start:g} {y.stop:g}",
    )
    return joined((*grid, line))


def _unbroken(points: Sequence[Point], kept: Sequence[Point]) -> list[list[Point]]:
    """Give the kept points in parts between which no value was known for a while."""
    ends = {after[0] for before, after in pairwise(points) if after[0] - before[0] > GAP}
    parts: list[list[Point]] = [[]]
    for point in kept:
        if point[0] in ends and parts[-1]:
            parts.append([])
        parts[-1].append(point)
    return parts


def _lanes(events: Sequence[Document], scale: Scale) -> list[Lane]:
    """Give each event the first row in which nothing is in its way."""
    ends: list[float] = []
    lanes = []
    for event in sorted(events, key=lambda each: (each["first"], each["id"])):
        left = max(scale(day_number(event["first"])), scale.start)
        right = max(min(scale(day_number(event["last"]) + 1), scale.stop), left + 2)
        name = clipped(event["title"], scale.stop - scale.start)
        wide = CHARACTER * len(name)
        ends_there = left + wide > scale.stop + 4
        begin = right - wide if ends_there else left
        row = next((at for at, end in enumerate(ends) if end < begin), len(ends))
        ends[row : row + 1] = [max(right, begin + wide) + 8]
        lanes.append(Lane(event=event, row=row, left=left, right=right, name=name, ends_there=ends_there))
    return lanes


def _events(lanes: Sequence[Lane], bottom: float) -> Markup:
    parts = []
    for event, row, left, right, name, ends_there in lanes:
        y = 22.0 * row
        tip = (
            f"{event['title']}, {event['first']} to {event['last']} ({spoken(event['nominal'] or 'unknown')})"
        )
        parts.append(
            told(
                tip,
                tag("rect", x=left, y=y + 17, width=right - left, height=bottom - y - 17, class_="span"),
                tag("rect", x=left, y=y + 15, width=right - left, height=3, class_="cap"),
                text(right if ends_there else left, y + 11, name, anchor="end" if ends_there else ""),
            )
        )
    return joined(parts)


def _legend(document: Document, key: str, width: float, top: float) -> tuple[Markup, float]:
    present = [regime for regime in REGIMES if regime in document["series"]["regime"]]
    sessions = len(document["series"]["regime"])
    items = []
    for regime in present:
        height = 12 * TALL.get(regime, 1.0)
        box = {"x": 0, "y": 12 - height, "width": 18, "height": height}
        drawn = [tag("rect", **box, class_=f"r-{regime}")]
        if regime == "crash":
            drawn.append(tag("rect", **box, style=f"fill:url(#{key})"))
        days = document["series"]["regime"].count(regime)
        items.append((joined(drawn), f"{spoken(regime)} {days / sessions:.0%}"))
    left = left_of(width)
    return legend(items, left, top, width - left)


def counted(days: int, rows: int) -> str:
    """Give days and rows as words."""
    return f"{plural(days, 'day')}, {count(rows)} predictions"
