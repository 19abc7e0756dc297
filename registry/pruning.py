"""Delete versions that nothing needs, with an event each, and then the bytes that no version names.

Rows go first, in one transaction with their event; blobs are removed under the lock that a registration
takes, which looks again whether its blobs are there. So a process that is killed at any step leaves a whole
registry, at worst with bytes that no version names; the next prune removes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from registry.database import transaction
from registry.errors import KeyReusedError, VersionNeededError, VersionUnknownError
from registry.history import append_event, find_event, read_events, tenures_of
from registry.retention import plan_of
from registry.rows import number_of, read_aliases
from registry.types import EventKind

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from registry.artifacts import BlobStore
    from registry.retention import Plan, Retention
    from registry.types import Deed, Event

LEFTOVER_S: Final = 86_400.0
"""A writer that began this long ago was killed; no artifact takes a day to write."""

PRUNE_STEPS: Final = ("rows_deleted", "deletion_committed", "blob_removed")
"""The durable steps of a prune, in order, as ``passed`` is told of them."""

_JUDGED: Final = (
    "SELECT DISTINCT reports.champion, reports.version"
    " FROM reports JOIN versions ON versions.number = reports.version WHERE reports.champion IS NOT NULL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """What deletes versions of one registry; ``Registry.pruner`` makes it."""

    connection: sqlite3.Connection
    blobs: BlobStore

    def plan(self, retention: Retention, at: datetime) -> Plan:
        """Tell which versions a policy keeps and why, and which it deletes; changes nothing."""
        rows = self.connection.execute("SELECT number FROM versions ORDER BY number")
        return plan_of(
            [f"v{number}" for (number,) in rows],
            read_aliases(self.connection),
            tenures_of(read_events(self.connection)),
            self._judged(),
            retention,
            at,
        )

    def delete(self, version: str, deed: Deed) -> Event:
        """Delete a version; its events and reports stay, and its blobs until ``collect``.

        Raises
        ------
        VersionNeededError
            If it holds an alias, or the report of another version was judged against it.
        VersionUnknownError
            If there is no such version.
        KeyReusedError
            If the key deleted another version.
        """
        number = number_of(version)
        with transaction(self.connection):
            if (done := find_event(self.connection, EventKind.DELETED, deed.key)) is not None:
                if done.version != version:
                    raise KeyReusedError(EventKind.DELETED.value, deed.key, done.version)
                return done
            self._require_needless(version)
            body = {"asked": {"version": version}, "artifacts": self._artifacts(number)}
            event = append_event(self.connection, EventKind.DELETED, version, deed, body)
            self.connection.execute("DELETE FROM artifacts WHERE version = ?", (number,))
            if self.connection.execute("DELETE FROM versions WHERE number = ?", (number,)).rowcount == 0:
                raise VersionUnknownError(version)
            self.blobs.passed("rows_deleted")
        self.blobs.passed("deletion_committed")
        return event

    def collect(self, at: datetime) -> int:
        """Remove every blob that no version names and what killed writers left; give how many bytes."""
        size = self.blobs.remove_leftovers(at.timestamp() - LEFTOVER_S)
        with transaction(self.connection):
            named = self._named()
            for stored in self.blobs.all():
                if stored.sha256 not in named:
                    self.blobs.remove(stored.sha256)
                    size += stored.size_bytes
        return size

    def freed_bytes(self, versions: tuple[str, ...]) -> int:
        """Tell how many bytes ``collect`` would remove once ``versions`` were deleted."""
        needed = self._named(without=frozenset(map(number_of, versions)))
        return sum(stored.size_bytes for stored in self.blobs.all() if stored.sha256 not in needed)

    def disk_bytes(self) -> int:
        """Tell how many bytes the blobs take."""
        return sum(stored.size_bytes for stored in self.blobs.all())

    def _require_needless(self, version: str) -> None:
        for alias, holder in read_aliases(self.connection).items():
            if holder == version:
                raise VersionNeededError(version, f"is {alias}")
        if by := self._judged().get(version, set()) - {version}:
            raise VersionNeededError(
                version, f"is evidence: the report on {min(by, key=number_of)} was judged against it"
            )

    def _judged(self) -> dict[str, set[str]]:
        """Give, by version, of which versions that still stand a report was judged against it."""
        found: dict[str, set[str]] = {}
        for champion, version in self.connection.execute(_JUDGED):
            found.setdefault(champion, set()).add(f"v{version}")
        return found

    def _named(self, without: frozenset[int] = frozenset()) -> set[str]:
        rows = self.connection.execute("SELECT sha256, version FROM artifacts")
        return {sha256 for sha256, version in rows if version not in without}

    def _artifacts(self, number: int) -> dict[str, str]:
        rows = self.connection.execute("SELECT name, sha256 FROM artifacts WHERE version = ?", (number,))
        return dict(rows.fetchall())
