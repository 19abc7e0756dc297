"""A page of headings, sentences and tables as data, and its two forms: Markdown, and one HTML file.

Every text is escaped by the form that writes it. The HTML loads nothing, runs nothing, and prints well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells under a header; each row has as many cells as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Sentences as a list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Lines to type."""

    text: str


Block: TypeAlias = "str | Table | Points | Code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a page under its heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page: what it is about, one sentence on it, and its sections."""

    title: str
    summary: str
    sections: tuple[Section, ...]


_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9.,…+ %-]*|-", re.ASCII)

STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--faint:#5a6470;--line:#d8dde3;--tint:#f4f6f8}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--paper:#15181c;--faint:#9aa5b1;--line:#333a42;
--tint:#1d2127}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.8rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .5rem;border-bottom:1px solid var(--line)}
header p{color:var(--faint);margin:.3rem 0}
.wide{overflow-x:auto;margin:.7rem 0}
table{border-collapse:collapse;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
overflow-wrap:anywhere}
th{color:var(--faint);font-weight:600;overflow-wrap:normal}td:first-child{min-width:7rem}
.n{text-align:right;white-space:nowrap}
pre{background:var(--tint);padding:.7rem;overflow-x:auto;font-size:.86rem}
@media print{:root{--ink:#000;--paper:#fff;--faint:#444;--line:#bbb;--tint:#fff}body{margin:0;max-width:none;
font-size:10.5pt}
.wide{overflow:visible}tr,pre{break-inside:avoid}h2{break-after:avoid}table{font-size:8pt}
th,td{padding:.15rem .35rem}}
"""
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def markdown_of(page: Page) -> str:
    """Give a page as Markdown."""
    parts = [f"# {_plain(page.title)}", _plain(page.summary)]
    for section in page.sections:
        parts += [f"## {_plain(section.title)}", *map(_block_markdown, section.blocks)]
    return "\n\n".join(parts) + "\n"


def html_of(page: Page) -> str:
    """Give a page as one HTML file."""
    sections = "".join(
        f"<section><h2>{escape(section.title)}</h2>{''.join(map(_block_html, section.blocks))}</section>\n"
        for section in page.sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)}</title><style>{STYLE}</style></head>\n<body>"
        f"<header><h1>{escape(page.title)}</h1><p>{escape(page.summary)}</p></header>\n<main>{sections}"
        "</main></body></html>\n"
    )


def _plain(text: str) -> str:
    r"""Give a text that Markdown shows as it is.

    >>> print(_plain("a|b <i>"))
    a\|b \<i\>
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _block_markdown(block: Block) -> str:
    match block:
        case Table():
            lines = [block.header, tuple("---" for _ in block.header), *block.rows]
            return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)
        case Points():
            return "\n".join(f"- {_plain(item)}" for item in block.items)
        case Code():
            return "\n".join(f"    {line}" for line in block.text.splitlines())
        case str():
            return _plain(block)


def _cell(text: str) -> str:
    return _plain(text) if text != "---" else text


def _block_html(block: Block) -> str:
    match block:
        case Table():
            sides = [_side(row[at] for row in block.rows) for at in range(len(block.header))]
            head = "".join(
                f"<th{side}>{escape(text)}</th>" for text, side in zip(block.header, sides, strict=True)
            )
            rows = "".join(f"<tr>{_cells(row, sides)}</tr>" for row in block.rows)
            return (
                f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
            )
        case Points():
            return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in block.items)}</ul>"
        case Code():
            return f"<pre>{escape(block.text)}</pre>"
        case str():
            return f"<p>{escape(block)}</p>"


def _cells(row: tuple[str, ...], sides: list[str]) -> str:
    return "".join(f"<td{side}>{escape(text)}</td>" for text, side in zip(row, sides, strict=True))


def _side(texts: Iterable[str]) -> str:
    """Give the class of a column: numbers stand to the right."""
    return ' class="n"' if all(_NUMBER.fullmatch(text) for text in texts) else ""
