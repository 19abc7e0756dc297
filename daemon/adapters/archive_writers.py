"""How captured, dropped and archived events become rows; a part of ``record_writers``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from daemon.adapters.archive_ledger import ARCHIVE_CHECKED
from daemon.records import ArchiveChecked, EventDropped, EventsCaptured

if TYPE_CHECKING:
    import sqlite3


def write_archive_record(
    connection: sqlite3.Connection, record: EventsCaptured | EventDropped | ArchiveChecked, at: str
) -> None:
    """Write one record inside the caller's transaction; ``at`` is ISO UTC."""
    match record:
        case EventsCaptured():
            _store_captured_events(connection, record)
        case EventDropped():
            _store_dropped_event(connection, record, at)
        case ArchiveChecked():
            _store_archive_checked(connection, record, at)


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _store_captured_events(connection: sqlite3.Connection, record: EventsCaptured) -> None:
    if record.is_replay:
        connection.execute("DELETE FROM captured_events WHERE market = ?", (record.market,))
    connection.executemany(
        "INSERT OR REPLACE INTO captured_events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                record.market, event.id, event.first_day, event.last_day, event.days, event.fear_peak,
                event.opened_on, event.closed_on, _json(event.same_as),
            )
            for event in record.events
        ),
    )  # fmt: skip
    connection.execute(
        "INSERT OR REPLACE INTO captures VALUES (?, ?, ?, ?)",
        (record.market, record.version, record.through_day, record.state),
    )


def _store_dropped_event(connection: sqlite3.Connection, record: EventDropped, at: str) -> None:
    connection.execute(
        "INSERT INTO dropped_events VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (record.id, record.first_day, record.last_day, record.reason, at),
    )


def _store_archive_checked(connection: sqlite3.Connection, record: ArchiveChecked, at: str) -> None:
    names = _json([outcome.name for outcome in record.outcomes])
    connection.execute(
        "DELETE FROM archive_outcomes WHERE name NOT IN (SELECT value FROM json_each(?))", (names,)
    )
    connection.executemany(
        "INSERT INTO archive_outcomes VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " since = CASE WHEN outcome = excluded.outcome AND detail = excluded.detail THEN since"
        " ELSE excluded.since END,"
        " outcome = excluded.outcome, detail = excluded.detail, inputs = excluded.inputs",
        ((one.name, one.outcome, one.detail, one.inputs, at) for one in record.outcomes),
    )
    checked = _json({"data_version": record.data_version, "recipe": record.recipe})
    connection.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        (ARCHIVE_CHECKED, checked),
    )
