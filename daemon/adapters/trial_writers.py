"""How what was counted and judged of a trial becomes rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from daemon.records import TrialCounted, TrialLooked

if TYPE_CHECKING:
    import sqlite3


def write_trial_record(connection: sqlite3.Connection, record: TrialCounted | TrialLooked, at: str) -> None:
    """Write one record inside the caller's transaction; ``at`` is ISO UTC."""
    match record:
        case TrialCounted():
            _count(connection, record)
        case TrialLooked():
            _look(connection, record, at)


def _count(connection: sqlite3.Connection, record: TrialCounted) -> None:
    connection.execute(
        "INSERT INTO trials (id, kind, version, against, opened_at, days, looks) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET days = max(days, excluded.days), looks = excluded.looks",
        (
            record.trial, record.kind, record.version, record.against, record.opened_at, record.days,
            json.dumps(record.looks),
        ),
    )  # fmt: skip


def _look(connection: sqlite3.Connection, record: TrialLooked, at: str) -> None:
    connection.execute(
        "INSERT INTO looks VALUES (?, ?, ?, ?, ?)",
        (record.trial, record.days, record.verdict, record.reason, at),
    )
    if record.outcome is not None:
        connection.execute(
            "UPDATE trials SET outcome = ?, ended_at = ? WHERE id = ?", (record.outcome, at, record.trial)
        )
