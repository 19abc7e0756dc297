"""The report as one HTML file that loads nothing, for desk, phone and paper, with and without script."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from daemon.report.figures import figure_style
from daemon.report.page_markup import Markup, joined, safe, tag
from daemon.report.page_numbers import THIN
from daemon.report.page_parts import count_at, name_of, number_html
from daemon.report.page_sections import sections_of

if TYPE_CHECKING:
    from daemon.report.page_numbers import Document

_DAY: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
COUNTS: Final = (
    ("predictions", "predictions"),
    ("matured", "matured"),
    ("waiting", "still open"),
    ("retrains", "training runs"),
    ("failed_runs", "failed"),
    ("versions", "versions"),
    ("champions", "champions"),
    ("alarms", "drift alarms"),
)
"""What is counted in the head, and in which words."""
CONTENTS: Final = (
    "Market and regimes",
    "Champions and verdicts",
    "Skill by regime",
    "Cumulative gain",
    "Skill by year",
    "What retraining, gating and weighting earned",
    "Was the gate right?",
    "Events one by one",
    "Reliability",
    "Drift",
    "Ablations",
    "Ledger",
    "Fingerprint",
    "Notes",
)


def page_of(document: Document) -> str:
    """Give the report as one HTML file.

    Parameters
    ----------
    document
        The report document.

    Returns
    -------
    :
        HTML that is well-formed XML as well. It loads nothing, its policy lets no script run but its own, and
        the same document gives the same bytes. Numbers of the head and of the tables carry their names in the
        document as ``data-key``, after the ``data-path`` of their row.
    """
    script = _file("page.js")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"regimed {document['fingerprint']['regimed']}"),
        tag("title", document["title"]),
        tag("style", Markup(figure_style() + _file("page.css"))),
    )
    body = tag(
        "body",
        _header(document),
        tag("main", joined(sections_of(document), "\n")),
        tag("script", Markup(script)),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, "\n", body, lang="en") + "\n"


def _header(document: Document) -> Markup:
    market, target = document["market"], document["target"]
    span = document["range"]
    what = {"replay": "A replay", "live": "The live record"}.get(document["kind"], "A record")
    summary = (
        f"{what} of market {market['name']}: {market['symbols']} symbols, regimes from {market['index']}"
        f"{' and ' + market['fear'] if market['fear'] else ''}. Target:"
        f" {target['sentence'].replace(' %', f'{THIN}%')}"
        f" ({', '.join(target['classes'])})."
    )
    counts = document["counts"]
    shown = [number_html("b", count_at(span, "sessions"), path="range."), " sessions"]
    for name, words in COUNTS:
        shown += [" · ", number_html("b", count_at(counts, name), path="counts."), f" {words}"]
    links = (tag("li", tag("a", title, href=f"#{name_of(title)}")) for title in CONTENTS)
    return tag(
        "header",
        tag("h1", Markup(_DAY.sub(r'<span class="d">\g<0></span>', safe(document["title"])))),
        tag("p", summary),
        tag("p", *shown, class_="counts"),
        tag("nav", tag("ul", joined(links, " ")), aria_label="Sections"),
    )


def _policy(script: str) -> str:
    """Give the policy: nothing is loaded, and no script runs but the one of this page."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _file(name: str) -> str:
    return files("daemon.report").joinpath(name).read_text(encoding="utf-8")
