"""Read an SQLite database in WAL mode while its writer runs, is stopped, or was killed.

A reader without write access to the folder cannot simply open such a database: SQLite wants the shared
memory file beside it, and may not create one. What is there tells what to do.

- ``-wal`` and ``-shm``: a writer runs, or was killed. Reading beside it works as usual.
- No ``-wal``, or an empty one: stopped cleanly; the main file is complete and does not change.
- ``-wal`` without ``-shm``: the two files are copied to a private folder and recovered there.

The answer holds for the moment of opening: open, ask, close. A reader that follows a database opens anew.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

ATTEMPTS: Final = 5
"""A writer that starts or stops between the look and the opening spoils one attempt, not five."""


def open_read_only(path: Path, *, busy_timeout_s: float = 5.0) -> sqlite3.Connection:
    """Give a connection that can read ``path`` and write nothing, neither in it nor beside it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    sqlite3.DatabaseError
        If it cannot be read as a database.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _open_once(path, busy_timeout_s)
        except (sqlite3.OperationalError, FileNotFoundError):
            if attempt == ATTEMPTS - 1 or not path.exists():
                raise
    raise AssertionError


def _open_once(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    wal, shared_memory = path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
    if not path.exists():
        raise FileNotFoundError(path)
    if wal.exists() and shared_memory.exists():
        return _connect(path, "mode=ro", busy_timeout_s)
    if not wal.exists() or wal.stat().st_size == 0:
        return _connect(path, "mode=ro&immutable=1", busy_timeout_s)
    return _open_copy(path, wal, busy_timeout_s)


def _open_copy(path: Path, wal: Path, busy_timeout_s: float) -> sqlite3.Connection:
    # Needed after a crash only, and half of what this module would cost a command to import.
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="regimed-read-") as folder:
        copy = Path(folder) / path.name
        before = (path.stat().st_mtime_ns, wal.stat().st_mtime_ns)
        shutil.copyfile(path, copy)
        shutil.copyfile(wal, copy.with_name(wal.name))
        if before != (path.stat().st_mtime_ns, wal.stat().st_mtime_ns):
            raise sqlite3.OperationalError("a writer started while the database was copied")
        # Leaving WAL mode merges the log into the one file, whose open handle outlives the folder.
        connection = sqlite3.connect(copy, isolation_level=None, timeout=busy_timeout_s)
        try:
            connection.execute("PRAGMA journal_mode = MEMORY").fetchone()
            _read_something(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


def _connect(path: Path, query: str, busy_timeout_s: float) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{query}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_timeout_s)
    try:
        _read_something(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _read_something(connection: sqlite3.Connection) -> None:
    """Read the schema, because opening alone touches no file."""
    connection.execute("PRAGMA query_only = ON")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
