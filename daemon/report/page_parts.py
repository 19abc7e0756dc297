"""Parts of the page: sections, tables whose numbers can be traced to the document, what folds away."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import NO_EVIDENCE, count, decimals, interval, nats, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from daemon.report.page_numbers import Document

_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number of the document: how it reads, where it stands there, and what it is exactly.

    ``keys`` and ``values`` go side by side; an interval has two.
    """

    shown: str | None
    keys: tuple[str, ...]
    values: tuple[float | None, ...]


Cell: TypeAlias = "str | Number | None"
"""``None`` is evidence that is missing."""


def percent_at(document: Document, path: str, name: str, *, signed: bool = False) -> Number:
    """Give a share of the object at that path, in percent."""
    return _at(document, path, name, percent(document[name], signed=signed))


def nats_at(document: Document, path: str, name: str) -> Number:
    """Give a difference of log-losses of the object at that path."""
    return _at(document, path, name, nats(document[name]))


def count_at(document: Document, path: str, name: str) -> Number:
    """Give a count of the object at that path."""
    return _at(document, path, name, count(document[name]))


def decimals_at(document: Document, path: str, name: str) -> Number:
    """Give a score of the object at that path, to a thousandth."""
    value = document[name]
    return _at(document, path, name, None if value is None else decimals(value, 3))


def interval_at(document: Document, path: str, prefix: str = "", *, share: bool = False) -> Number:
    """Give the interval of the object at that path, in percent or as it is."""
    low, high = f"{prefix}low", f"{prefix}high"
    scale, places = (100.0, 1) if share else (1.0, 3)
    return Number(
        shown=interval(document[low], document[high], scale=scale, places=places),
        keys=(f"{path}.{low}", f"{path}.{high}"),
        values=(document[low], document[high]),
    )


def _at(document: Document, path: str, name: str, shown: str | None) -> Number:
    return Number(shown=shown, keys=(f"{path}.{name}",), values=(document[name],))


def number_html(name: str, number: Number, /, **attributes: str) -> Markup:
    """Give an element that shows a number and says where it is from."""
    content = NO_EVIDENCE if number.shown is None else number.shown
    traced = {
        "data_key": " ".join(number.keys),
        "data_value": " ".join("null" if each is None else repr(each) for each in number.values),
    }
    return tag(name, content, **attributes, **traced)


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], *, left: int = 1) -> Markup:
    """Give a table with its caption; the first cell of a row is its heading, from column ``left`` on are numbers."""
    head = tag(
        "tr",
        *(tag("th", name, scope="col", class_="n" if at >= left else None) for at, name in enumerate(header)),
    )
    body = [
        tag(
            "tr",
            tag("th", row[0] if isinstance(row[0], str) else "", scope="row"),
            *(_cell(each, "n" if at >= left else "") for at, each in enumerate(row[1:], start=1)),
        )
        for row in rows
    ]
    return tag(
        "div",
        tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body)),
        class_="scroll",
        role="region",
        aria_label=caption,
        tabindex="0",
    )


def _cell(cell: Cell, class_: str) -> Markup:
    own: dict[str, Any] = {"class_": class_} if class_ else {}
    if isinstance(cell, Number):
        return number_html("td", cell, **own)
    return tag("td", NO_EVIDENCE if cell is None else cell, **own)


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
