"""What every figure of the report has: a title, how to read it, what it rests on, and two widths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from daemon.report.page_markup import Markup, joined, tag
from daemon.report.svg import NARROW, WIDE, text

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS: Final = re.compile("<title>[^<]*</title>")
"""Of a mark; the title of the drawing has an id, and what is escaped holds no other tag."""


class Drawing(NamedTuple):
    """What is drawn, and how tall it is in pixels."""

    height: float
    content: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a figure rests on. None of the three may be left out; where there is none, that is said."""

    n: str
    interval: str
    baseline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of the report.

    ``finding`` is what it shows, in a sentence with numbers, or empty; ``reading`` is how to read it.
    ``draw`` is given a width in pixels. ``description`` is for those who cannot see it. ``has_marks`` says
    that parts of it tell something of their own.
    """

    name: str
    title: str
    finding: str = ""
    reading: str
    description: str
    basis: Basis
    draw: Callable[[float], Drawing]
    has_marks: bool = True


def figure_html(figure: Figure) -> Markup:
    """Give a figure as HTML: its caption, a drawing for a desk and one for a phone, and its basis."""
    return tag(
        "figure",
        tag("figcaption", tag("strong", figure.finding), " " if figure.finding else "", figure.reading),
        tag("div", _svg(figure, "wide", WIDE), class_="wide"),
        tag("div", _without_words(_svg(figure, "narrow", NARROW)), class_="narrow"),
        basis_html(figure.basis),
        id=f"figure-{figure.name}",
    )


def _without_words(drawing: Markup) -> Markup:
    """Leave out what marks say: the script takes it from the wide drawing, whose marks are the same."""
    return Markup(_WORDS.sub("", drawing))


def basis_html(basis: Basis) -> Markup:
    """Give what a figure or table rests on, as a line below it."""
    facts = (("n", basis.n), ("Interval", basis.interval), ("Baseline", basis.baseline))
    spans = (tag("span", tag("b", name), f" {fact}") for name, fact in facts)
    return tag("p", joined(spans, " "), class_="basis")


def _svg(figure: Figure, key: str, width: float) -> Markup:
    drawing = figure.draw(width)
    own = f"{figure.name}-{key}"
    return tag(
        "svg",
        tag("title", figure.title, id=f"{own}-title"),
        tag("desc", figure.description, id=f"{own}-desc"),
        drawing.content,
        viewBox=f"0 0 {width:g} {drawing.height:g}",
        width=width,
        height=drawing.height,
        role="group" if figure.has_marks else "img",
        aria_labelledby=f"{own}-title",
        aria_describedby=f"{own}-desc",
    )


def figure_svg(figure: Figure, style: str) -> str:
    """Give a figure as a file of its own, with its title above and its basis below."""
    drawing = figure.draw(WIDE)
    basis = (f"n {figure.basis.n}", f"Interval {figure.basis.interval}", f"Baseline {figure.basis.baseline}")
    foot = drawing.height + 54
    height = foot + 18 * len(basis)
    return (
        tag(
            "svg",
            tag("title", figure.title),
            tag("desc", figure.description),
            tag("style", Markup(style)),
            tag("rect", width=WIDE, height=height, class_="paper"),
            text(0, 22, figure.title, "h"),
            tag("g", drawing.content, transform="translate(0 36)"),
            *(text(0, foot + 18 * at, line) for at, line in enumerate(basis)),
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"-16 -8 {WIDE + 32:g} {height + 16:g}",
            width=WIDE + 32,
            height=height + 16,
            role="img",
        )
        + "\n"
    )
