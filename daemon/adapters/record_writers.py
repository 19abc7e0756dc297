"""How each record becomes rows: the whole effect of the daemon on its state stands here."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from daemon.adapters.archive_writers import write_archive_record
from daemon.adapters.trial_writers import write_trial_record
from daemon.mirror_state import MIRROR
from daemon.records import (
    ArchiveChecked,
    BarsCompacted,
    DayScored,
    EventDropped,
    EventsCaptured,
    FeaturesStored,
    FeedPolled,
    FileQuarantined,
    FileTaken,
    LabelsStored,
    MirrorTried,
    PartStored,
    Record,
    RetiredUnlisted,
    RunClosed,
    RunOpened,
    TrialCounted,
    TrialLooked,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


def write_record(connection: sqlite3.Connection, record: Record, at: str) -> None:  # noqa: C901, PLR0912 - a line each
    """Write one record inside the caller's transaction; ``at`` is ISO UTC."""
    match record:
        case FileTaken():
            _store_file_taken(connection, record, at)
        case FileQuarantined():
            _store_file_quarantined(connection, record, at)
        case PartStored():
            _store_part(connection, record, at)
        case BarsCompacted():
            _compact(connection, record, at)
        case RetiredUnlisted():
            _unlist(connection, record, at)
        case LabelsStored():
            _store_labels(connection, record, at)
        case EventsCaptured() | EventDropped() | ArchiveChecked():
            write_archive_record(connection, record, at)
        case FeaturesStored():
            _store_features(connection, record)
        case RunOpened():
            _open_run(connection, record, at)
        case RunClosed():
            _close_run(connection, record, at)
        case DayScored():
            _store_day_scored(connection, record, at)
            _store_monitors(connection, record.states)
        case TrialCounted() | TrialLooked():
            write_trial_record(connection, record, at)
        case FeedPolled():
            _store_feed_polled(connection, record, at)
        case MirrorTried():
            write_fact(connection, MIRROR, record.state.to_json())


def write_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Remember a single named value inside the caller's transaction."""
    connection.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", (name, value)
    )


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
    before = connection.execute(
        "SELECT chain FROM parts WHERE data_version = ?", (record.data_version - 1,)
    ).fetchone()
    connection.execute(
        "INSERT INTO parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
        (
            record.data_version, record.part, canonical_json(record.symbols), record.rows,
            record.first_day, record.last_day, at, _chain(before[0] if before else "", record.part),
        ),
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO part_symbols VALUES (?, ?)",
        ((symbol, record.data_version) for symbol in record.symbols),
    )


def _chain(before: str, part: str) -> str:
    """Name the history that a part ends, so that equal version numbers of other histories are told apart."""
    return hashlib.sha256(f"{before}{part}".encode()).hexdigest()


def _compact(connection: sqlite3.Connection, record: BarsCompacted, at: str) -> None:
    connection.execute(
        "UPDATE parts SET retired_by = ?1, retired_at = ?2 WHERE data_version <= ?1 AND retired_by IS NULL",
        (record.data_version, at),
    )
    connection.executemany(
        "UPDATE year_files SET retired_by = ?, retired_at = ? WHERE year = ? AND retired_by IS NULL",
        ((record.data_version, at, file.year) for file in record.files),
    )
    connection.executemany(
        "INSERT INTO year_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
        (
            (
                file.year, record.data_version, file.part, canonical_json(file.symbols), file.rows,
                file.first_day, file.last_day, at,
            )
            for file in record.files
        ),
    )  # fmt: skip


def _unlist(connection: sqlite3.Connection, record: RetiredUnlisted, at: str) -> None:
    for table in ("parts", "year_files"):
        connection.execute(
            f"UPDATE {table} SET removed_at = ? WHERE retired_by <= ? AND removed_at IS NULL",  # noqa: S608 - ours
            (at, record.through),
        )


def _store_labels(connection: sqlite3.Connection, record: LabelsStored, at: str) -> None:
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
    _store_finals(connection, record, at)


def _store_finals(connection: sqlite3.Connection, record: LabelsStored, at: str) -> None:
    key = (record.market, record.labeler)
    connection.executemany(
        "UPDATE final_labels SET superseded_by = ?"
        " WHERE market = ? AND labeler = ? AND day = ? AND superseded_by IS NULL",
        (
            (record.data_version, *key, day)
            for day in (*record.withdrawn, *(final.day for final in record.finals))
        ),
    )
    connection.executemany(
        "INSERT INTO final_labels VALUES (?, ?, ?, ?, ?, NULL)",
        ((*key, final.day, record.data_version, final.regime) for final in record.finals),
    )
    connection.executemany(
        "INSERT INTO label_revisions (market, labeler, day, data_version, kind, was, became, cause, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((*key, revision.day, record.data_version, *revision[1:], at) for revision in record.revisions),
    )


def _store_features(connection: sqlite3.Connection, record: FeaturesStored) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                day.day, record.data_version, record.catalogue_hash, canonical_json(day.symbols),
                day.complete, day.content,
            )
            for day in record.days
        ),
    )  # fmt: skip
    connection.execute("DELETE FROM features WHERE day < ?", (record.kept_since,))


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
