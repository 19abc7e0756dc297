"""``report``: what the daemon's predictions and decisions were worth, as one document."""

from __future__ import annotations

import json
import webbrowser
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.context import print_table, reading, reading_registry, settings_of
from daemon.files import write_durably
from daemon.layout import layout_of
from daemon.report.account import Framing, account_of
from regime.types import REGIMES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

DOCUMENT: Final = "report.json"
PAGE: Final = "report.html"
COLUMNS: Final = ("regime", "rows", "days", "accuracy", "log_loss", "skill", "skill_low", "skill_high")


def report(options: argparse.Namespace) -> int:
    """Print the account of the directory, or write it as a document and a page."""
    layout = layout_of(options)
    with reading_registry(layout) as registry, reading(layout) as ledger:
        framing = Framing(regimed=import_module("regimed").__version__)
        document = account_of(layout, settings_of(layout), ledger, registry, framing)
    if options.out or options.open:
        page = write_report(document, Path(options.out or layout.root / "report"))
        if options.open:
            webbrowser.open(page.resolve().as_uri())
    if options.json:
        print(text_of(document), end="")
    else:
        _print(document)
    return 0


def write_report(document: Mapping[str, Any], folder: Path) -> Path:
    """Write the document and the page drawn from it into a folder, and give the path of the page."""
    page_of = import_module("daemon.report.page").page_of  # only where a page is asked for
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / DOCUMENT, text_of(document).encode())
    write_durably(folder / PAGE, page_of(document).encode())
    return folder / PAGE


def text_of(document: Mapping[str, Any]) -> str:
    """Give the document as the one JSON text that stands for it."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _print(document: Mapping[str, Any]) -> None:
    print(f"{document['title']}: {document['target']['sentence']}\n")
    for headline in document["headline"]:
        print(f"- {headline['sentence']}")
    print("\nThe champion, day by day, against the regime prior as it was known then:\n")
    scores = document["policies"][0]["scores"]
    groups = [*(regime.value for regime in REGIMES), "overall"]
    print_table(COLUMNS, [(group, *(scores[group][name] for name in COLUMNS[1:])) for group in groups])
    print()
    for note in document["notes"]:
        print(f"  {note}")
