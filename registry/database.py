"""Open the registry's file, and change it in whole transactions."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from registry.errors import RegistryBusyError, RegistryMissingError, RegistryUnreadableError
from registry.readonly import open_read_only
from registry.schema import migrate, require_current

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def connect(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Give a connection to a registry that is set up, migrated, in WAL mode and loses no commit."""
    with _named(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=busy_timeout_s)
        with _closed_on_failure(connection):
            for pragma in ("synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
                connection.execute(f"PRAGMA {pragma}")
            with transaction(connection):
                migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
    return connection


def connect_read_only(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Give a connection that reads a registry in this code's form, whether its writer runs or not."""
    with _named(path):
        try:
            connection = open_read_only(path, busy_timeout_s=busy_timeout_s)
        except FileNotFoundError as error:
            raise RegistryMissingError(f"there is no {path}; `regimed run` sets it up") from error
        with _closed_on_failure(connection):
            require_current(connection)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do everything in the block, or nothing of it.

    Raises
    ------
    RegistryBusyError
        If another process holds the lock for longer than the connection waits.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise RegistryBusyError("another process is writing to the registry; try again") from error
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """Read everything in the block as it was at one moment, whatever others write meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say in one sentence which file SQLite could not use."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise RegistryUnreadableError(
            f"{path} cannot be used: {error}; run as the user that owns it, or restore it from a backup"
        ) from error


@contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise
