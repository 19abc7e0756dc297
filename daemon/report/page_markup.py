"""Markup that cannot be broken by what it says: every text is escaped where it enters a tag."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

VOID: Final = frozenset({"meta", "path", "rect", "circle"})
"""Elements without content; they are closed in themselves, so that the page is XML as well."""
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010fffd]")
"""Characters that XML 1.0 (2.2) or HTML does not allow in a text."""


class Markup(str):
    """Text that is markup already; any other string is escaped when it is put into a tag."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """Give an element.

    Parameters
    ----------
    name
        Of the element.
    children
        Its content in order; what is no `Markup` is escaped.
    attributes
        Underscores stand for hyphens, and one at the end is dropped (``class_``). ``None`` leaves the
        attribute out, and so does a class without a name.

    Returns
    -------
    :
        The element, closed.

    >>> tag("p", "a < b", tag("b", "!"), class_="note", data_key="x", id=None)
    '<p class="note" data-key="x">a &lt; b<b>!</b></p>'
    """
    opened = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None and (value or key != "class_")
    )
    if name in VOID:
        return Markup(f"<{opened}/>")
    return Markup(f"<{opened}>{''.join(map(safe, children))}</{name}>")


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """Give parts in a row, escaped unless they are markup."""
    return Markup(safe(between).join(map(safe, parts)))


def safe(text: str) -> str:
    r"""Give a text as markup: escaped, and without the characters that no document may contain.

    >>> safe("<script>\x00")
    '&lt;script&gt;\ufffd'
    """
    return text if isinstance(text, Markup) else escape(_FORBIDDEN.sub("\ufffd", text))


def _value(value: str | float) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", value)) if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """Give a coordinate with a tenth of a pixel, and no zeros to spare.

    >>> number(12.04), number(-0.04), number(3)
    ('12', '0', '3')
    """
    if isinstance(value, int):
        return str(value)
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
