"""What most commands need: the directory, its settings, its ledger read-only, and tables for people."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing, contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from daemon.adapters.ledger import Ledger
from daemon.configuration import read_configuration
from daemon.errors import JournalError, UsageError
from registry.readonly import open_read_only
from registry.store import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.layout import Layout
    from daemon.settings import Settings


def settings_of(layout: Layout) -> Settings:
    """Read the settings of a directory, all defaults if it has no config.toml."""
    path = layout.configuration if layout.configuration.exists() else None
    return read_configuration(path, os.environ).settings


@contextmanager
def reading(layout: Layout) -> Iterator[Ledger]:
    """Open the ledger of a directory read-only."""
    require_journal(layout)
    with journal_faults_named(layout), closing(open_read_only(layout.journal)) as connection:
        yield Ledger(connection)


@contextmanager
def journal_faults_named(layout: Layout) -> Iterator[None]:
    """Say in one sentence which journal SQLite could not use."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise JournalError(
            f"{layout.journal} cannot be used: {error}; run as the user that owns it, or restore the state"
            " folder from a backup"
        ) from error


@contextmanager
def reading_registry(layout: Layout) -> Iterator[Registry]:
    """Open the registry of a directory read-only."""
    require_journal(layout)
    with Registry.open_read_only(layout.registry) as registry:
        yield registry


def require_journal(layout: Layout) -> None:
    """Refuse a directory in which no daemon has run."""
    if not layout.journal.exists():
        raise UsageError(
            f"no daemon has run in {layout.root}; give its directory with --dir or REGIMED_DIR,"
            f" or start one: regimed init {layout.root} && regimed run --dir {layout.root}"
        )


def print_json(facts: Any) -> None:
    """Print facts as one JSON object with the schema number."""
    print(json.dumps({"schema": 1, **_plain(facts)}, indent=1, default=_plain))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return value
    return str(value)


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header in aligned columns; on a terminal the last column is cut to fit."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
    room = os.get_terminal_size().columns if sys.stdout.isatty() else 10**6
    for row in [[name.upper() for name in header], *cells]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print(line if len(line) <= room else line[: room - 1] + "…")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)
