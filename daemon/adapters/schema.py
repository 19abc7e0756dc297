"""The tables of the journal, as forward-only numbered migrations.

Each migration and its number are one transaction. A journal that is newer than this code is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.errors import JournalTooNewError

if TYPE_CHECKING:
    import sqlite3

MIGRATIONS: Final = (
    """
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        lane TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'dead')),
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before TEXT NOT NULL,
        error TEXT,
        created_at TEXT NOT NULL,
        finished_at TEXT
    ) STRICT;
    CREATE INDEX messages_pending ON messages (lane, id) WHERE state = 'pending';
    CREATE INDEX messages_dead ON messages (id) WHERE state = 'dead';

    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        name TEXT NOT NULL,
        fields TEXT NOT NULL,
        message_id INTEGER REFERENCES messages (id)
    ) STRICT;
    CREATE INDEX events_by_name ON events (name, id);

    CREATE TABLE files (
        sha256 TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('taken', 'quarantined')),
        format TEXT,
        symbols TEXT,
        rows INTEGER,
        first_day TEXT,
        last_day TEXT,
        code TEXT,
        sentence TEXT,
        at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE parts (
        data_version INTEGER PRIMARY KEY,
        part TEXT NOT NULL,
        symbols TEXT NOT NULL,
        rows INTEGER NOT NULL,
        first_day TEXT NOT NULL,
        last_day TEXT NOT NULL,
        at TEXT NOT NULL,
        chain TEXT NOT NULL,
        retired_by INTEGER,
        retired_at TEXT,
        removed_at TEXT
    ) STRICT;
    CREATE INDEX parts_by_life ON parts (retired_by, data_version);
    CREATE INDEX parts_retired ON parts (retired_at) WHERE retired_by IS NOT NULL AND removed_at IS NULL;

    CREATE TABLE year_files (
        year INTEGER NOT NULL,
        data_version INTEGER NOT NULL REFERENCES parts (data_version),
        part TEXT NOT NULL,
        symbols TEXT NOT NULL,
        rows INTEGER NOT NULL,
        first_day TEXT NOT NULL,
        last_day TEXT NOT NULL,
        at TEXT NOT NULL,
        retired_by INTEGER,
        retired_at TEXT,
        removed_at TEXT,
        PRIMARY KEY (year, data_version)
    ) STRICT;

    CREATE VIEW bar_files AS
    SELECT data_version, part, symbols, rows, first_day, last_day, NULL AS year,
        retired_by, retired_at, removed_at FROM parts
    UNION ALL
    SELECT data_version, part, symbols, rows, first_day, last_day, year,
        retired_by, retired_at, removed_at FROM year_files;

    CREATE TABLE part_symbols (
        symbol TEXT NOT NULL,
        data_version INTEGER NOT NULL REFERENCES parts (data_version),
        PRIMARY KEY (symbol, data_version)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE labels (
        market TEXT NOT NULL,
        labeler TEXT NOT NULL,
        day TEXT NOT NULL,
        data_version INTEGER NOT NULL,
        regime TEXT NOT NULL,
        reason TEXT NOT NULL,
        pending TEXT,
        superseded_by INTEGER,
        PRIMARY KEY (market, labeler, day, data_version)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE final_labels (
        market TEXT NOT NULL,
        labeler TEXT NOT NULL,
        day TEXT NOT NULL,
        data_version INTEGER NOT NULL,
        regime TEXT NOT NULL,
        superseded_by INTEGER,
        PRIMARY KEY (market, labeler, day, data_version)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE label_revisions (
        id INTEGER PRIMARY KEY,
        market TEXT NOT NULL,
        labeler TEXT NOT NULL,
        day TEXT NOT NULL,
        data_version INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('provisional', 'final')),
        was TEXT NOT NULL,
        became TEXT,
        cause TEXT NOT NULL CHECK (cause IN ('spell_closed', 'bar_restated', 'labeler_changed')),
        at TEXT NOT NULL
    ) STRICT;
    CREATE INDEX label_revisions_by_day ON label_revisions (market, day, id);

    CREATE TABLE features (
        day TEXT PRIMARY KEY,
        data_version INTEGER NOT NULL,
        catalogue TEXT NOT NULL,
        symbols TEXT NOT NULL,
        complete INTEGER NOT NULL,
        content BLOB NOT NULL
    ) STRICT;

    CREATE TABLE labelers (
        market TEXT PRIMARY KEY,
        labeler TEXT NOT NULL,
        data_version INTEGER NOT NULL,
        through_day TEXT NOT NULL,
        state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE captures (
        market TEXT PRIMARY KEY,
        version TEXT NOT NULL,
        through_day TEXT NOT NULL,
        state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE captured_events (
        market TEXT NOT NULL,
        id TEXT NOT NULL,
        first_day TEXT NOT NULL,
        last_day TEXT NOT NULL,
        days INTEGER NOT NULL,
        fear_peak REAL NOT NULL,
        opened_on TEXT NOT NULL,
        closed_on TEXT,
        same_as TEXT NOT NULL,
        PRIMARY KEY (market, id)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE dropped_events (
        id TEXT PRIMARY KEY,
        first_day TEXT NOT NULL,
        last_day TEXT NOT NULL,
        reason TEXT NOT NULL,
        at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE archive_outcomes (
        name TEXT PRIMARY KEY,
        outcome TEXT NOT NULL CHECK (outcome IN ('built', 'waiting', 'empty', 'refused')),
        detail TEXT NOT NULL,
        inputs TEXT NOT NULL,
        since TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        job TEXT NOT NULL,
        trigger TEXT NOT NULL,
        period TEXT NOT NULL,
        data_version INTEGER NOT NULL,
        opened_at TEXT NOT NULL,
        finished_at TEXT,
        outcome TEXT NOT NULL CHECK (outcome IN ('running', 'succeeded', 'failed')),
        reason TEXT,
        version TEXT,
        UNIQUE (job, trigger, period)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE predictions (
        version TEXT NOT NULL,
        symbol TEXT NOT NULL,
        day TEXT NOT NULL,
        data_version INTEGER NOT NULL,
        regime TEXT NOT NULL,
        probabilities TEXT NOT NULL,
        made_at TEXT NOT NULL,
        PRIMARY KEY (version, symbol, day, data_version)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE readings (
        monitor TEXT NOT NULL,
        reference TEXT NOT NULL,
        day TEXT NOT NULL,
        data_version INTEGER NOT NULL,
        level TEXT NOT NULL,
        statistic REAL,
        threshold REAL,
        effective_n REAL,
        detail TEXT NOT NULL,
        PRIMARY KEY (monitor, reference, day)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE monitors (
        name TEXT PRIMARY KEY,
        state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE feeds (
        name TEXT PRIMARY KEY,
        cursor TEXT,
        last_day TEXT,
        polled_at TEXT NOT NULL,
        ok_at TEXT,
        error TEXT,
        is_stale INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE facts (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE trials (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('shadow', 'probation')),
        version TEXT NOT NULL,
        against TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        days INTEGER NOT NULL,
        looks TEXT NOT NULL,
        outcome TEXT CHECK (outcome IN ('promoted', 'proven', 'dropped', 'rolled_back', 'passed')),
        ended_at TEXT
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE looks (
        trial TEXT NOT NULL REFERENCES trials (id),
        days INTEGER NOT NULL,
        verdict TEXT NOT NULL,
        reason TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (trial, days)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX predictions_by_day ON predictions (version, day)",
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the journal to this code's schema; refuse one that is newer."""
    while (version := _version(connection)) < len(MIGRATIONS):
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if _version(connection) == version:  # else another process, waiting like us, was faster
                for statement in MIGRATIONS[version].split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
    if version > len(MIGRATIONS):
        raise JournalTooNewError(
            f"the journal has schema {version}, this regimed knows up to {len(MIGRATIONS)};"
            " install the newer regimed again, or restore the backup of the state folder"
        )


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
