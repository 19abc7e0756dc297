"""``models card``: the card of a version, as Markdown or as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from daemon.commands.context import reading_registry
from daemon.files import write_durably
from daemon.layout import layout_of
from daemon.model_card import page_of, told_of
from daemon.page import html_of, markdown_of

if TYPE_CHECKING:
    import argparse


def card(options: argparse.Namespace) -> int:
    """Write the card of a version, as Markdown or as one HTML file."""
    with reading_registry(layout_of(options)) as registry:
        page = page_of(told_of(registry, options.version))
    text = html_of(page) if options.html else markdown_of(page)
    if options.to is None:
        print(text, end="")
    else:
        write_durably(Path(options.to), text.encode())
    return 0
