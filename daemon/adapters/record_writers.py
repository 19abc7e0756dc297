"""How each record becomes rows: the whole effect of the daemon on its state stands here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from daemon.records import (
    DayScored,
    FeedPolled,
    FileQuarantined,
    FileTaken,
    LabelsStored,
    PartStored,
    Record,
    RunClosed,
    RunOpened,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


def write_record(connection: sqlite3.Connection, record: Record, at: str) -> None:
    """Write one record inside the caller's transaction; ``at`` is ISO UTC."""
    match record:
        case FileTaken():
            _store_file_taken(connection, record, at)
        case FileQuarantined():
            _store_file_quarantined(connection, record, at)
        case PartStored():
            _store_part(connection, record, at)
        case LabelsStored():
            _store_labels(connection, record, at)
        case RunOpened():
            _open_run(connection, record, at)
        case RunClosed():
            _close_run(connection, record, at)
        case DayScored():
            _store_day_scored(connection, record, at)
            _store_monitors(connection, record.states)
        case FeedPolled():
            _store_feed_polled(connection, record, at)


def canonical_json(value: object) -> str:
    """Give JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _store_file_taken(connection: sqlite3.Connection, record: FileTaken, at: str) -> None:
    connection.execute(
        "INSERT INTO files (sha256, name, size_bytes, status, format, symbols, rows, first_day, last_day, at)"
        " VALUES (?, ?, ?, 'taken', ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            record.sha256, record.name, record.size_bytes, record.format, canonical_json(record.symbols),
            record.rows, record.first_day, record.last_day, at,
        ),
    )  # fmt: skip


def _store_file_quarantined(connection: sqlite3.Connection, record: FileQuarantined, at: str) -> None:
    connection.execute(
        "INSERT INTO files (sha256, name, size_bytes, status, code, sentence, at)"
        " VALUES (?, ?, ?, 'quarantined', ?, ?, ?) ON CONFLICT DO NOTHING",
        (record.sha256, record.name, record.size_bytes, record.code, record.sentence, at),
    )


def _store_part(connection: sqlite3.Connection, record: PartStored, at: str) -> None:
    connection.execute(
        "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            record.data_version, record.part, canonical_json(record.symbols), record.rows,
            record.first_day, record.last_day, at,
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO part_symbols VALUES (?, ?)",
        ((symbol, record.data_version) for symbol in record.symbols),
    )


def _store_labels(connection: sqlite3.Connection, record: LabelsStored, _at: str) -> None:
    key = (record.market, record.labeler)
    connection.executemany(
        "UPDATE labels SET superseded_by = ?"
        " WHERE market = ? AND labeler = ? AND day = ? AND superseded_by IS NULL",
        ((record.data_version, *key, label.day) for label in record.labels),
    )
    connection.executemany(
        "INSERT INTO labels VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            (*key, label.day, record.data_version, label.regime, label.reason, label.pending)
            for label in record.labels
        ),
    )
    connection.execute(
        "INSERT INTO labelers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET labeler = excluded.labeler,"
        " data_version = excluded.data_version, through_day = excluded.through_day, state = excluded.state",
        (record.market, record.labeler, record.data_version, record.through_day, record.state),
    )


def _open_run(connection: sqlite3.Connection, record: RunOpened, at: str) -> None:
    connection.execute(
        "INSERT INTO runs (id, job, trigger, period, data_version, opened_at, outcome)"
        " VALUES (?, ?, ?, ?, ?, ?, 'running')",
        (record.run_id, record.job, record.trigger, record.period, record.data_version, at),
    )


def _close_run(connection: sqlite3.Connection, record: RunClosed, at: str) -> None:
    connection.execute(
        "UPDATE runs SET finished_at = ?, outcome = ?, reason = ?, version = ? WHERE id = ?",
        (at, record.outcome, record.reason, record.version, record.run_id),
    )


def _store_day_scored(connection: sqlite3.Connection, record: DayScored, at: str) -> None:
    connection.executemany(
        "INSERT INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (
                prediction.version, prediction.symbol, prediction.day, record.data_version,
                prediction.regime, canonical_json(prediction.probabilities), at,
            )
            for prediction in record.predictions
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (
                reading.monitor, reading.reference, reading.day, record.data_version, reading.level,
                reading.statistic, reading.threshold, reading.effective_n, canonical_json(reading.detail),
            )
            for reading in record.readings
        ),
    )  # fmt: skip


def _store_monitors(connection: sqlite3.Connection, states: Mapping[str, str]) -> None:
    connection.executemany(
        "INSERT INTO monitors VALUES (?, ?) ON CONFLICT DO UPDATE SET state = excluded.state", states.items()
    )


def _store_feed_polled(connection: sqlite3.Connection, record: FeedPolled, at: str) -> None:
    connection.execute(
        "INSERT INTO feeds VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " cursor = coalesce(excluded.cursor, cursor), last_day = coalesce(excluded.last_day, last_day),"
        " polled_at = excluded.polled_at, ok_at = coalesce(excluded.ok_at, ok_at), error = excluded.error,"
        " is_stale = excluded.is_stale",
        (
            record.feed, record.cursor, record.last_day, at, at if record.error is None else None,
            record.error, int(record.is_stale),
        ),
    )  # fmt: skip
