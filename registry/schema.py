"""The tables of the registry, as numbered migrations that only go forward.

Each migration and its number are one transaction; a frozen one is never edited, a change is a new one.
What was written is never changed: triggers refuse it even to someone who opens the file by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.errors import (
    RegistryMissingError,
    RegistryTooNewError,
    RegistryTooOldError,
    RegistryUnreadableError,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

APPLICATION_ID: Final = 0x52474D52
"""Stands in the file's header and tells a registry from any other database ("RGMR")."""


def _append_only(table: str, deeds: tuple[str, ...] = ("UPDATE", "DELETE")) -> tuple[str, ...]:
    return tuple(
        f"CREATE TRIGGER {table}_refuses_{deed.lower()} BEFORE {deed} ON {table}"
        f" BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        for deed in deeds
    )


def _anew(table: str, columns: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Make a table anew, each column from a value of the old one."""
    names = ", ".join(values)
    return (
        f"CREATE TABLE {table}_anew ({columns}) STRICT",
        f"INSERT INTO {table}_anew ({names}) SELECT {', '.join(values.values())} FROM {table} ORDER BY 1",  # noqa: S608 - ours
        f"DROP TABLE {table}",
        f"ALTER TABLE {table}_anew RENAME TO {table}",
        *_append_only(table),
    )


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_DELETED: Final = "SELECT 1 FROM events WHERE kind = 'deleted' AND version"

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """
        CREATE TABLE versions (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            manifest TEXT NOT NULL,
            manifest_sha256 TEXT NOT NULL,
            scorecard TEXT NOT NULL,
            registered_at TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE artifacts (
            version INTEGER NOT NULL REFERENCES versions (number),
            name TEXT NOT NULL,
            sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
            size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
            PRIMARY KEY (version, name)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE aliases (
            name TEXT PRIMARY KEY CHECK (name IN ('champion', 'challenger', 'previous', 'shadow')),
            version INTEGER NOT NULL REFERENCES versions (number)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE reports (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            version INTEGER NOT NULL REFERENCES versions (number),
            key TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            version INTEGER NOT NULL REFERENCES versions (number),
            actor TEXT NOT NULL,
            reason TEXT NOT NULL,
            key TEXT NOT NULL,
            body TEXT NOT NULL,
            previous_hash TEXT NOT NULL,
            hash TEXT NOT NULL UNIQUE,
            UNIQUE (kind, key)
        ) STRICT
        """,
        """
        CREATE TRIGGER versions_with_an_alias_stay BEFORE DELETE ON versions
        WHEN EXISTS (SELECT 1 FROM aliases WHERE version = OLD.number)
        BEGIN SELECT RAISE(ABORT, 'a version that holds an alias cannot be deleted'); END
        """,
        *_append_only("versions", ("UPDATE",)),
        *_append_only("artifacts", ("UPDATE",)),
        *_append_only("reports"),
        *_append_only("events"),
        "CREATE INDEX reports_by_version ON reports (version, number)",
    ),
    # Versions can be deleted; what happened to them and what was said of them stays. A report says by itself
    # which version it was judged against, because triggers may not read JSON.
    (
        *_anew(
            "reports",
            """
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            version INTEGER NOT NULL,
            key TEXT NOT NULL UNIQUE,
            body TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            at TEXT NOT NULL,
            champion TEXT
            """,
            _same("number", "version", "key", "body", "sha256", "at")
            | {"champion": "json_extract(body, '$.champion')"},
        ),
        "CREATE INDEX reports_by_version ON reports (version, number)",
        *_anew(
            "events",
            """
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            at TEXT NOT NULL,
            kind TEXT NOT NULL,
            version INTEGER NOT NULL,
            actor TEXT NOT NULL,
            reason TEXT NOT NULL,
            key TEXT NOT NULL,
            body TEXT NOT NULL,
            previous_hash TEXT NOT NULL,
            hash TEXT NOT NULL UNIQUE,
            UNIQUE (kind, key)
            """,
            _same(
                "sequence", "at", "kind", "version", "actor", "reason", "key", "body", "previous_hash", "hash"
            ),
        ),
        f"""
        CREATE TRIGGER artifacts_go_with_their_version BEFORE DELETE ON artifacts
        WHEN NOT EXISTS ({_DELETED} = OLD.version)
        BEGIN SELECT RAISE(ABORT, 'artifacts go with their version, by `regimed models prune`'); END
        """,
        "DROP TRIGGER versions_with_an_alias_stay",
        # No query, but a trigger made of constants.
        f"""
        CREATE TRIGGER versions_that_are_needed_stay BEFORE DELETE ON versions
        BEGIN
            SELECT RAISE(ABORT, 'a version that holds an alias cannot be deleted')
            WHERE EXISTS (SELECT 1 FROM aliases WHERE version = OLD.number);
            SELECT RAISE(ABORT, 'a version that a report was judged against cannot be deleted')
            WHERE EXISTS (
                SELECT 1 FROM reports JOIN versions ON versions.number = reports.version
                WHERE reports.version <> OLD.number AND reports.champion = 'v' || OLD.number
            );
            SELECT RAISE(ABORT, 'a version is deleted by `regimed models prune`, with its event')
            WHERE NOT EXISTS ({_DELETED} = OLD.number);
        END
        """,  # noqa: S608
    ),
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables to this code's form; called within a write transaction.

    Raises
    ------
    RegistryTooNewError
        If a newer regimed wrote the file.
    RegistryUnreadableError
        If the file is the database of something else.
    """
    number = _number(connection)
    for later, migration in enumerate(MIGRATIONS[number:], start=number + 1):
        for statement in migration:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {later}")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def require_current(connection: sqlite3.Connection) -> None:
    """Refuse a file whose tables are not those that this code reads.

    Raises
    ------
    RegistryTooNewError, RegistryUnreadableError
        As ``migrate``.
    RegistryMissingError
        If the file is still empty.
    RegistryTooOldError
        If it awaits a migration.
    """
    number = _number(connection)
    if number == 0:
        raise RegistryMissingError("the registry is still empty; `regimed run` sets it up")
    if number < len(MIGRATIONS):
        raise RegistryTooOldError(
            f"the registry has schema {number}, this regimed reads {len(MIGRATIONS)};"
            " start the daemon once, which migrates it"
        )


def _number(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or number or tables):
        raise RegistryUnreadableError("the file is another program's database; move it away")
    if number > len(MIGRATIONS):
        raise RegistryTooNewError(
            f"the registry has schema {number}, this regimed knows {len(MIGRATIONS)};"
            " install the newer regimed again, a downgrade would lose what it wrote"
        )
    return int(number)
