"""Parts of the page: sections, tables whose numbers can be traced to the document, what folds away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import MINUS, NO_EVIDENCE, count, decimals, interval, nats, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daemon.report.page_numbers import Document

_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER: Final = re.compile(f"\\[?[-+{MINUS}]?[0-9].*")
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


class Number(NamedTuple):
    """A number of the document: how it reads, and its names in its object; an interval has two."""

    shown: str | None
    names: tuple[str, ...]


class Line(NamedTuple):
    """A row of a table: where its object stands in the document, and the cells."""

    path: str | None
    cells: tuple[Cell, ...]


Cell: TypeAlias = "str | Number | None"
"""``None`` is evidence that is missing."""


def percent_at(document: Document, name: str, *, signed: bool = False) -> Number:
    """Give a share, in percent."""
    return Number(percent(document[name], signed=signed), (name,))


def nats_at(document: Document, name: str) -> Number:
    """Give a difference of log-losses."""
    return Number(nats(document[name]), (name,))


def count_at(document: Document, name: str) -> Number:
    """Give a count."""
    return Number(count(document[name]), (name,))


def decimals_at(document: Document, name: str) -> Number:
    """Give a score, to a thousandth."""
    value = document[name]
    return Number(None if value is None else decimals(value, 3), (name,))


def interval_at(document: Document, prefix: str = "", *, share: bool = False) -> Number:
    """Give an interval, in percent or as it is."""
    low, high = f"{prefix}low", f"{prefix}high"
    scale, places = (100.0, 1) if share else (1.0, 3)
    return Number(interval(document[low], document[high], scale=scale, places=places), (low, high))


def number_html(name: str, number: Number, *, path: str = "") -> Markup:
    """Give an element that shows a number and says where it is from: at ``path``, or at that of its row."""
    content = NO_EVIDENCE if number.shown is None else number.shown
    return tag(name, content, data_key=" ".join(f"{path}{each}" for each in number.names))


def table(caption: str, header: Sequence[str], lines: Iterable[Line]) -> Markup:
    """Give a table; the first cell of a row is its heading, and columns of numbers stand to the right."""
    rows = list(lines)
    sides = ["", *(_side(row.cells[at] for row in rows) for at in range(1, len(header)))]
    head = (tag("th", name, scope="col", class_=side) for name, side in zip(header, sides, strict=True))
    body = (
        tag(
            "tr",
            tag("th", first if isinstance(first, str) else "", scope="row"),
            *map(_cell, rest, sides[1:]),
            data_path=path,
        )
        for path, (first, *rest) in rows
    )
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", *head)),
            tag("tbody", joined(body, "\n")),
        ),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def _side(cells: Iterable[Cell]) -> str:
    """Give the class of a column: ``n`` for numbers, ``d`` for days, which are not broken."""
    texts = [each for each in cells if isinstance(each, str)]
    if all(_DAY.fullmatch(each) for each in texts) and texts:
        return "d"
    return "n" if all(_NUMBER.fullmatch(each) for each in texts) else ""


def _cell(cell: Cell, side: str) -> Markup:
    if isinstance(cell, Number):
        return number_html("td", cell)
    return tag("td", NO_EVIDENCE if cell is None else cell, class_=side)


def section(title: str, *content: str) -> Markup:
    """Give a section under its heading."""
    return tag("section", tag("h2", title, id=name_of(title)), *content)


def name_of(title: str) -> str:
    """Give the name by which a section is linked to.

    >>> name_of("Was the gate right?")
    'was-the-gate-right'
    """
    return _NO_NAME.sub("-", title.lower()).strip("-")


def folded(summary: str, *content: str) -> Markup:
    """Give content that is shown when it is asked for, and on paper."""
    return tag("details", tag("summary", summary), *content)


def missing(sentence: str) -> Markup:
    """Give the sentence that stands where there is nothing to show."""
    return tag("p", sentence, class_="missing")


def bullets(items: Iterable[str]) -> Markup:
    """Give sentences as a list."""
    return tag("ul", joined(tag("li", item) for item in items))
