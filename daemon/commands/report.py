"""``report``: what the daemon's predictions and decisions were worth, as one document."""

from __future__ import annotations

import json
import shutil
import webbrowser
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from daemon.adapters.ledger import REACHED
from daemon.commands.context import print_table, reading, reading_registry, settings_of
from daemon.errors import UsageError
from daemon.files import write_folder_durably
from daemon.layout import REPLAYED, Layout, layout_of
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
    folder = Path(options.out).resolve() if options.out else layout.root / "report"
    if options.out or options.open:
        require_free(folder)
    document = document_of(layout)
    if options.out or options.open:
        page = write_report(document, folder)
        if options.open:
            webbrowser.open(page.as_uri())
    if options.json:
        print(text_of(document), end="")
    else:
        print_document(document)
    return 0


def document_of(layout: Layout) -> dict[str, Any]:
    """Give the account of a directory; of one that is a replay, over the days that were replayed.

    Raises
    ------
    UsageError
        If no version has ever served there.
    """
    framing = Framing(regimed=import_module("regimed").__version__)
    marker = layout.root / REPLAYED
    with reading_registry(layout) as registry, reading(layout) as ledger:
        if marker.exists():
            plan = json.loads(marker.read_text(encoding="utf-8"))
            reached = (ledger.fact(REACHED) or plan["last"]).partition("T")[0]
            framing = replace(
                framing,
                kind="replay",
                first=plan["first"],
                last=min(plan["last"], reached),  # of one that is not done, as far as it came
                fast=plan["fast"],
                notes=tuple(plan["notes"]),
            )
        return account_of(layout, settings_of(layout), ledger, registry, framing)


def require_free(folder: Path) -> None:
    """Refuse a folder that a report cannot be written to, before anything long is begun.

    Raises
    ------
    UsageError
        If it holds anything but an earlier report.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name a folder for the report")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DOCUMENT).is_file():
        raise UsageError(f"{folder} is not empty and holds no earlier report; name a new folder")


def write_report(document: Mapping[str, Any], folder: Path) -> Path:
    """Write the document, its page and its figures into a folder, whole or not at all; give the page's path.

    An earlier report there is replaced.
    """
    page_of = import_module("daemon.report.page").page_of  # only where a page is asked for
    figures_of = import_module("daemon.report.figures").figures_of
    figures = {f"figures/{name}": text.encode() for name, text in figures_of(document).items()}
    files = {DOCUMENT: text_of(document).encode(), PAGE: page_of(document).encode(), **figures}
    require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    former = folder.with_name(f".{folder.name}.former")
    if (folder / DOCUMENT).is_file():
        shutil.rmtree(former, ignore_errors=True)
        folder.rename(former)
    write_folder_durably(folder, files)
    shutil.rmtree(former, ignore_errors=True)
    return folder / PAGE


def text_of(document: Mapping[str, Any]) -> str:
    """Give the document as the one JSON text that stands for it."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def print_document(document: Mapping[str, Any]) -> None:
    """Print what a person looks at first."""
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
