"""Reliability: what came true of what was said, class by class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from daemon.report.figures_frame import Basis, Drawing, Figure
from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import by_name, count, decimals, plural
from daemon.report.svg import Scale, is_narrow, line_path, rule, shape, text, told

if TYPE_CHECKING:
    from daemon.report.page_numbers import Document

SIDE = 236.0
"""Of a panel, in pixels."""


def reliability_figure(document: Document) -> Figure | None:
    """Give the champion's reliability; ``None`` if no class has a point."""
    champion = by_name(document["policies"], "champion")
    classes = [each for each in champion["reliability"] if each["points"]] if champion else []
    if not classes:
        return None
    rows = sum(point["rows"] for each in classes for point in each["points"])
    told_of = (f"{each['class']}: {plural(len(each['points']), 'bin')}" for each in classes)
    return Figure(
        name="reliability",
        title="Reliability of the champion",
        reading=(
            "How often a class came true when it was given a probability. On the diagonal the probability is"
            " exact; below it the champion was too sure. The bars show how many predictions stand behind each"
            " point (their square roots)."
        ),
        description=f"{'; '.join(told_of)}. The table below lists every point.",
        basis=Basis(
            n=f"{count(rows)} class probabilities",
            interval="95 %, as whiskers",
            baseline="the diagonal: a perfectly calibrated forecast",
        ),
        draw=lambda width: _draw(classes, width),
    )


def _draw(classes: list[Document], width: float) -> Drawing:
    narrow = is_narrow(width)
    step = 0.0 if narrow else (width - 36) / max(len(classes), 3)
    side = min(SIDE, step - 40) if step else SIDE
    down = side + 98 if narrow else 0.0
    panels = [_panel(each, 36 + step * at, 24 + down * at, side) for at, each in enumerate(classes)]
    return Drawing(24 + down * (len(classes) - 1) + side + 82, joined(panels))


def _panel(each: Document, left: float, top: float, side: float) -> Markup:
    x = Scale(first=0, last=1, start=left, stop=left + side)
    y = Scale(first=0, last=1, start=top + side, stop=top)
    parts = [text(left, top - 9, each["class"], "tb"), rule(x(0), y(0), x(1), y(1), "diagonal")]
    for at in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts += [
            rule(x(0), y(at), x(1), y(at)),
            text(x(0) - 6, y(at) + 4, f"{at:g}", anchor="end"),
            rule(x(at), y(0), x(at), y(1)),
            text(x(at), y(0) + 58, f"{at:g}", anchor="mid"),
        ]
    most = max(point["rows"] for point in each["points"])
    floor = y(0) + 44
    for point in each["points"]:
        place = x(point["predicted"])
        height = 34 * math.sqrt(point["rows"] / most) if most else 0
        drawn = [tag("rect", x=place - 4, y=floor - height, width=8, height=height, class_="rows")]
        if point["low"] is not None and point["high"] is not None:
            drawn.append(rule(place, y(point["low"]), place, y(point["high"]), "whisker"))
        drawn.append(shape("circle", place, y(point["observed"]), "dot c0", 3.6))
        tip = (
            f"{each['class']}: said {decimals(point['predicted'], 2)}, came true"
            f" {decimals(point['observed'], 2)}, {count(point['rows'])} predictions"
        )
        parts.append(told(tip, *drawn))
    line = line_path((x(point["predicted"]), y(point["observed"])) for point in each["points"])
    parts.insert(1, tag("path", d=line, class_="thin c0"))
    parts.append(rule(x(0), floor, x(1), floor, "ax"))
    return joined((*parts, text(left + side, top + side + 76, "probability said →", anchor="end")))
