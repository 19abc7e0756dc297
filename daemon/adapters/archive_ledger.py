"""What the journal knows of rare events: captured, dropped, and what became of them in the archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import sqlite3

ARCHIVE_CHECKED: Final = "archive_checked"
"""The fact that says up to which data version the archive is built."""


class CaptureProgress(NamedTuple):
    """How far the capture of rare events has looked at a market, and by which rules."""

    version: str
    through_day: str
    state: str


class StoredCapture(NamedTuple):
    """A rare event that was captured; ``same_as`` names the known events that it repeats."""

    id: str
    first_day: str
    last_day: str
    days: int
    fear_peak: float
    opened_on: str
    closed_on: str | None
    same_as: tuple[str, ...]


class StoredDrop(NamedTuple):
    """A captured event that is none, says a person."""

    id: str
    first_day: str
    last_day: str
    reason: str
    at: str


class StoredArchiveOutcome(NamedTuple):
    """What became of an event, or of a foreign file, when the archive was last built; since when so."""

    name: str
    outcome: str
    detail: str
    inputs: str
    since: str


class ArchiveCheck(NamedTuple):
    """Up to which data version the archive is built, and of which events and how."""

    data_version: int
    recipe: str


class ArchiveLedger:
    """Reads the journal's tables of rare events."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def progress(self, market: str) -> CaptureProgress | None:
        """Give how far capture has looked at a market, or ``None`` if it never did."""
        rows = self._rows("SELECT version, through_day, state FROM captures WHERE market = ?", market)
        return CaptureProgress._make(rows[0]) if rows else None

    def captured(self, market: str) -> tuple[StoredCapture, ...]:
        """Give the rare events that were captured in a market, oldest first."""
        rows = self._rows(
            "SELECT id, first_day, last_day, days, fear_peak, opened_on, closed_on, same_as"
            " FROM captured_events WHERE market = ? ORDER BY first_day",
            market,
        )
        return tuple(StoredCapture._make((*row[:-1], tuple(json.loads(row[-1])))) for row in rows)

    def dropped(self) -> tuple[StoredDrop, ...]:
        """Give the captured events that a person dropped, oldest first."""
        rows = self._rows("SELECT id, first_day, last_day, reason, at FROM dropped_events ORDER BY first_day")
        return tuple(StoredDrop._make(row) for row in rows)

    def check(self) -> ArchiveCheck | None:
        """Give up to which data version the archive is built, or ``None`` if it never was."""
        rows = self._rows("SELECT value FROM facts WHERE name = ?", ARCHIVE_CHECKED)
        return ArchiveCheck(**json.loads(rows[0][0])) if rows else None

    def outcomes(self) -> tuple[StoredArchiveOutcome, ...]:
        """Give what became of each event when the archive was last built, and of files that are none."""
        rows = self._rows("SELECT name, outcome, detail, inputs, since FROM archive_outcomes ORDER BY name")
        return tuple(StoredArchiveOutcome._make(row) for row in rows)

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query, values).fetchall()
