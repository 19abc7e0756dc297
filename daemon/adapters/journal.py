"""The durable journal: messages, and in the same transactions everything that follows from them.

SQLite in WAL mode with ``synchronous=FULL``: what was acknowledged survives a power cut. The loop and
commands write through ``Journal``; everybody reads through ``Ledger``, which also works read-only.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from daemon.adapters.ledger import Ledger, StoredEvent
from daemon.adapters.record_writers import canonical_json, write_fact, write_record
from daemon.adapters.schema import migrate
from daemon.disk import disk_full_is_told
from daemon.errors import DiskFullError
from daemon.messages import Lane, Message, kind_of, message_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from daemon.records import Event, Outcome

BUSY_WAIT_S: Final = 10.0
LOGGED_THROUGH: Final = "logged_through"
"""The fact that says which events have reached the log; a crash may leave it one transaction behind."""

AT_ONCE: Final = ""
"""The time of a message that waits for nothing; it is before all times, however the clock is set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A message that waits to be worked on, with the number of earlier attempts."""

    id: int
    message: Message
    attempts: int


class Journal:
    """Appends messages, hands out the oldest, and applies what follows from each exactly once.

    Parameters
    ----------
    path
        The database file, created if it does not exist, or ``":memory:"``.
    """

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(
            path, timeout=BUSY_WAIT_S, isolation_level=None, check_same_thread=False
        )
        with disk_full_is_told():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            migrate(self._connection)
        self.ledger = Ledger(self._connection)
        self._logged_through = 0

    def append(self, messages: Sequence[Message], *, now: datetime) -> tuple[bool, ...]:
        """Store messages; tell for each whether it is new, that is, its key was not known."""
        with self._transaction():
            return tuple(self._insert(message, now) for message in messages)

    def next(self, lanes: Collection[Lane], *, now: datetime) -> Pending | None:
        """Give the oldest pending message of the given lanes whose time has come, or ``None``."""
        marks = ",".join("?" * len(lanes))
        row = self._connection.execute(
            f"SELECT id, kind, body, attempts FROM messages WHERE state = 'pending' AND lane IN ({marks})"  # noqa: S608 - marks only
            " AND not_before <= ? ORDER BY id LIMIT 1",
            (*lanes, now.isoformat()),
        ).fetchone()
        if row is None:
            return None
        return Pending(id=row[0], message=message_of(row[1], row[2]), attempts=row[3])

    def finish(self, pending: Pending, outcome: Outcome, *, now: datetime) -> tuple[StoredEvent, ...]:
        """Mark a message as done and apply its outcome, in one transaction; give the stored events."""
        return self._end(pending, "done", None, outcome, now)

    def bury(
        self, pending: Pending, error: str, outcome: Outcome, *, now: datetime
    ) -> tuple[StoredEvent, ...]:
        """Make a message a dead letter, kept with its error and visible in ``status``."""
        return self._end(pending, "dead", error, outcome, now)

    def postpone(self, pending: Pending, error: str, *, until: datetime, counted: bool) -> None:
        """Leave a message pending until a later time; ``counted`` tells whether an attempt was used up."""
        with self._transaction():
            self._connection.execute(
                "UPDATE messages SET attempts = attempts + ?, not_before = ?, error = ? WHERE id = ?",
                (int(counted), until.isoformat(), error, pending.id),
            )

    def revive(self, message_id: int, *, now: datetime) -> bool:
        """Make a dead letter pending again; tell whether there was one."""
        with self._transaction():
            cursor = self._connection.execute(
                "UPDATE messages SET state = 'pending', attempts = 0, not_before = ?, finished_at = NULL"
                " WHERE id = ? AND state = 'dead'",
                (now.isoformat(), message_id),
            )
        return cursor.rowcount > 0

    def readmit(self, sha256: str, *, now: datetime) -> bool:
        """Let a quarantined file be taken in again; tell whether there was one of that hash."""
        with self._transaction():
            cursor = self._connection.execute(
                "DELETE FROM files WHERE sha256 = ? AND status = 'quarantined'", (sha256,)
            )
            self._connection.execute(
                "UPDATE messages SET state = 'pending', attempts = 0, not_before = ?, finished_at = NULL"
                " WHERE key = ? AND ?",
                (now.isoformat(), f"file:{sha256}", cursor.rowcount),
            )
        return cursor.rowcount > 0

    def note(self, events: Sequence[Event], *, now: datetime) -> tuple[StoredEvent, ...]:
        """Store events that follow from no message, such as a start."""
        with self._transaction():
            return tuple(self._store_event(event, None, now) for event in events)

    def logged_through(self, event_id: int) -> None:
        """Note that events up to this one are in the log; stored with the next transaction."""
        self._logged_through = event_id

    def set_fact(self, name: str, value: str) -> None:
        """Remember a single named value, such as when the daemon was first started."""
        with self._transaction():
            write_fact(self._connection, name, value)

    def close(self) -> None:
        """Store what is still to be noted, and close the connection."""
        if self._logged_through:
            with suppress(DiskFullError), self._transaction():
                pass
        self._connection.close()

    def _end(
        self, pending: Pending, state: str, error: str | None, outcome: Outcome, now: datetime
    ) -> tuple[StoredEvent, ...]:
        with self._transaction():
            self._connection.execute(
                "UPDATE messages SET state = ?, error = ?, finished_at = ? WHERE id = ?",
                (state, error, now.isoformat(), pending.id),
            )
            for record in outcome.records:
                write_record(self._connection, record, now.isoformat())
            for message in outcome.follow_ups:
                self._insert(message, now)
            return tuple(self._store_event(event, pending.id, now) for event in outcome.events)

    def _insert(self, message: Message, now: datetime) -> bool:
        cursor = self._connection.execute(
            "INSERT INTO messages (key, kind, body, lane, state, not_before, created_at)"
            " VALUES (?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT (key) DO NOTHING",
            (message.key, kind_of(message), message.to_json(), message.lane, AT_ONCE, now.isoformat()),
        )
        return cursor.rowcount > 0

    def _store_event(self, event: Event, message_id: int | None, now: datetime) -> StoredEvent:
        cursor = self._connection.execute(
            "INSERT INTO events (at, name, fields, message_id) VALUES (?, ?, ?, ?)",
            (now.isoformat(), event.name, canonical_json(event.fields), message_id),
        )
        assert cursor.lastrowid is not None  # noqa: S101 - an INSERT has one
        return StoredEvent(
            id=cursor.lastrowid, at=now.isoformat(), name=event.name, fields=dict(event.fields)
        )

    def _store_logged_through(self) -> None:
        if self._logged_through:
            write_fact(self._connection, LOGGED_THROUGH, str(self._logged_through))
            self._logged_through = 0

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with disk_full_is_told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._store_logged_through()
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk may have rolled it back already
                    self._connection.execute("ROLLBACK")
                raise
