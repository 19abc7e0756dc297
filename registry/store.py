"""The registry: versions that never change, who holds which alias, and everything that happened.

One SQLite file and a folder of blobs. Every change is one transaction with its event, happens once a key,
and is asked for with the time at which it happens: the registry has no clock. Only the standard library is
imported, so that a command can read it within its budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from registry.aliases import lending, move_aliases, promotion, reversal
from registry.artifacts import BLOB_SIZE_MAX_BYTES, BlobStore, keep_artifacts, keep_missing, sync_folder
from registry.database import connect, connect_read_only, transaction
from registry.errors import VersionUnknownError
from registry.freezing import FREEZES, freeze, frozen_by
from registry.history import done_before, read_events, tenure_at, tenures_of
from registry.pruning import Pruner
from registry.reports import keep_report, latest_reports, reports_on
from registry.rows import (
    SELECT_VERSION,
    insert_version,
    number_of,
    object_of,
    read_aliases,
    version_of_row,
)
from registry.types import (
    Alias,
    Deed,
    EventKind,
    StoredArtifact,
    canonical_json,
    require_utc,
)
from registry.verification import verify

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from registry.types import Event, Finding, Manifest, ModelVersion, Tenure

DATABASE_NAME: Final = "registry.db"
BLOBS_NAME: Final = "blobs"
STEPS: Final = ("blob_written", "blob_published", "blobs_stored", "rows_written", "rows_committed")
"""The durable steps of a registration, in order, as ``passed`` is told of them."""


def _pass(step: str) -> None:
    """Go on."""


class Registry:
    """The versions in one folder; use it in a ``with`` block, from one thread."""

    def __init__(self, connection: sqlite3.Connection, blobs: BlobStore) -> None:
        self._connection = connection
        self._blobs = blobs
        self._champion: ModelVersion | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        blob_size_max_bytes: int = BLOB_SIZE_MAX_BYTES,
        busy_timeout_s: float = 10.0,
        passed: Callable[[str], None] = _pass,
    ) -> Self:
        """Open the registry in ``folder`` for reading and writing; sets it up, or migrates it, if need be.

        ``passed`` is told each of ``STEPS`` as it is passed, so that a test can stop there.

        Raises
        ------
        RegistryTooNewError
            If a newer regimed wrote it.
        RegistryUnreadableError
            If the file is damaged, is no registry, or may not be written by this user.
        """
        blobs = BlobStore(folder=folder / BLOBS_NAME, size_max_bytes=blob_size_max_bytes, passed=passed)
        blobs.folder.mkdir(parents=True, exist_ok=True)
        connection = connect(folder / DATABASE_NAME, busy_timeout_s)
        sync_folder(folder)
        sync_folder(folder.parent)
        return cls(connection, blobs)

    @classmethod
    def open_read_only(cls, folder: Path, *, busy_timeout_s: float = 5.0) -> Self:
        """Open the registry for reading, whether its daemon runs, is stopped or was killed.

        Works for users who may only read the folder, and shows the moment of opening; see
        ``registry.readonly``.

        Raises
        ------
        RegistryMissingError
            If there is none.
        RegistryTooNewError, RegistryTooOldError, RegistryUnreadableError
            If this code cannot read it.
        """
        blobs = BlobStore(folder=folder / BLOBS_NAME, size_max_bytes=0, passed=_pass)
        return cls(connect_read_only(folder / DATABASE_NAME, busy_timeout_s), blobs)

    def close(self) -> None:
        """Release the file; the last one to close tidies up the log."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def register(
        self,
        manifest: Manifest,
        artifacts: Mapping[str, bytes | Path],
        scorecard: Mapping[str, object],
        *,
        key: str,
        at: datetime,
        actor: str | None = None,
        reason: str = "trained",
    ) -> ModelVersion:
        """Keep a version: its artifacts first, then its row and its event in one transaction.

        ``actor`` is the run of the manifest unless someone else is named, who says why in ``reason``.
        ``artifacts`` holds one of that name for each fitted member, and may hold more (golden
        predictions, evidence). The same key and manifest again gives the same version and changes nothing,
        so that a registration that was cut short is simply repeated.

        Raises
        ------
        ArtifactMissingError, ArtifactCorruptError
            If a fitted member has no artifact, or its bytes are not those of the manifest.
        KeyReusedError
            If the key registered another manifest.
        """
        deed = Deed(key=key, at=at, actor=actor or f"run {manifest.run_id}", reason=reason)
        asked = {"manifest_sha256": manifest.sha256()}
        if (event := done_before(self._connection, EventKind.REGISTERED, key, asked)) is not None:
            return self.version(event.version)
        score = canonical_json(scorecard)
        stored = keep_artifacts(self._blobs, manifest, artifacts)
        self._blobs.passed("blobs_stored")
        with transaction(self._connection):
            event = done_before(self._connection, EventKind.REGISTERED, key, asked)
            if event is None:
                keep_missing(self._blobs, artifacts, stored)
                event = insert_version(self._connection, manifest, stored, score, deed)
            self._blobs.passed("rows_written")
        self._blobs.passed("rows_committed")
        return self.version(event.version)

    def version(self, name: str) -> ModelVersion:
        """Give a version by its name.

        Raises
        ------
        VersionUnknownError
            If there is none of that name.
        """
        row = self._connection.execute(f"{SELECT_VERSION} WHERE number = ?", (number_of(name),)).fetchone()
        if row is None:
            raise VersionUnknownError(name)
        return version_of_row(row)

    def versions(self) -> tuple[ModelVersion, ...]:
        """Give all versions, oldest first."""
        return tuple(map(version_of_row, self._connection.execute(f"{SELECT_VERSION} ORDER BY number")))

    def champion(self) -> ModelVersion | None:
        """Give the version that serves, ``None`` if none does; it is parsed once, as it never changes."""
        row = self._connection.execute("SELECT version FROM aliases WHERE name = 'champion'").fetchone()
        if row is None:
            return None
        name = f"v{row[0]}"
        if self._champion is None or self._champion.name != name:
            self._champion = self.version(name)
        return self._champion

    def scorecard(self, version: str) -> dict[str, object]:
        """Give the scorecard that a version was registered with."""
        number = number_of(self.version(version).name)
        rows = self._connection.execute("SELECT scorecard FROM versions WHERE number = ?", (number,))
        return object_of(rows.fetchone()[0])

    def artifacts(self, version: str) -> dict[str, StoredArtifact]:
        """Give where a version's artifacts are, by name."""
        rows = self._connection.execute(
            "SELECT name, sha256, size_bytes FROM artifacts WHERE version = ? ORDER BY name",
            (number_of(self.version(version).name),),
        )
        return {name: StoredArtifact(sha256=sha256, size_bytes=size) for name, sha256, size in rows}

    def aliases(self) -> dict[Alias, str]:
        """Give who holds which alias; one that nobody holds is left out."""
        return read_aliases(self._connection)

    def promote(
        self, version: str, *, expected_champion: str | None, reason: str, actor: str, at: datetime, key: str
    ) -> Event:
        """Make a version champion and the champion previous, in one transaction with the event.

        If the version was challenger or shadow it is no longer. Under a key that promoted the same
        version before nothing happens, whoever is champion now; that event is given.

        Raises
        ------
        AliasConflictError
            If the champion is not the one the caller decided upon.
        AliasRefusedError
            If the version is champion already.
        VersionUnknownError
            If there is no such version.
        """
        deed = Deed(key=key, at=at, actor=actor, reason=reason)
        self.version(version)
        return move_aliases(
            self._connection,
            EventKind.PROMOTED,
            deed,
            {"version": version},
            lambda holders: promotion(holders, version, expected_champion),
        )

    def rollback(
        self,
        *,
        expected_champion: str,
        reason: str,
        actor: str,
        at: datetime,
        key: str,
        freezes: bool = False,
    ) -> Event:
        """Make champion and previous change places, in one transaction with the event.

        With ``freezes`` the same event freezes automatic promotion.

        Raises
        ------
        AliasConflictError
            If the champion is not the one the caller wants to take back.
        AliasRefusedError
            If no version served before it.
        """
        deed = Deed(key=key, at=at, actor=actor, reason=reason)
        return move_aliases(
            self._connection,
            EventKind.ROLLED_BACK,
            deed,
            {},
            lambda holders: reversal(holders, expected_champion),
            facts={FREEZES: True} if freezes else {},
        )

    def freeze(self, *, reason: str, actor: str, at: datetime, key: str) -> Event:
        """Stop automatic promotion until ``unfreeze``; see ``registry.freezing``."""
        deed = Deed(key=key, at=at, actor=actor, reason=reason)
        return freeze(self._connection, EventKind.FROZEN, deed)

    def unfreeze(self, *, reason: str, actor: str, at: datetime, key: str) -> Event:
        """Let the gate promote by itself again; see ``registry.freezing``."""
        deed = Deed(key=key, at=at, actor=actor, reason=reason)
        return freeze(self._connection, EventKind.UNFROZEN, deed)

    def frozen(self) -> Event | None:
        """Give the event that froze automatic promotion, ``None`` if it is not frozen."""
        return frozen_by(read_events(self._connection))

    def set_alias(
        self,
        alias: Alias,
        version: str,
        *,
        expected: str | None,
        reason: str,
        actor: str,
        at: datetime,
        key: str,
    ) -> Event:
        """Make a version challenger or shadow, if ``expected`` holds that alias now.

        Raises
        ------
        AliasConflictError
            If another version holds the alias.
        AliasRefusedError
            If the alias only moves by ``promote`` and ``rollback``, or the version is champion.
        VersionUnknownError
            If there is no such version.
        """
        deed = Deed(key=key, at=at, actor=actor, reason=reason)
        self.version(version)
        return move_aliases(
            self._connection,
            EventKind.ALIAS_SET,
            deed,
            {"alias": alias.value, "version": version},
            lambda holders: lending(holders, alias, version, expected),
        )

    def clear_alias(
        self, alias: Alias, *, expected: str, reason: str, actor: str, at: datetime, key: str
    ) -> Event:
        """Take the role of challenger or shadow from the version that is ``expected`` to hold it.

        Raises
        ------
        AliasConflictError, AliasRefusedError
            As ``set_alias``.
        """
        deed = Deed(key=key, at=at, actor=actor, reason=reason)
        return move_aliases(
            self._connection,
            EventKind.ALIAS_CLEARED,
            deed,
            {"alias": alias.value, "version": expected},
            lambda holders: lending(holders, alias, None, expected),
        )

    def put_blob(self, content: bytes | Path) -> StoredArtifact:
        """Keep bytes that belong to no version yet, until the next prune; see ``BlobStore.put``."""
        return self._blobs.put(content)

    def get_blob(self, sha256: str, *, size_max_bytes: int = BLOB_SIZE_MAX_BYTES) -> bytes:
        """Give the bytes of a hash, after checking them; see ``BlobStore.get``."""
        return self._blobs.get(sha256, size_max_bytes)

    def store_report(self, version: str, report: str, *, actor: str, at: datetime, key: str) -> Event:
        """Keep what the gate said of a version: a JSON object as text, kept to the byte.

        Raises
        ------
        ManifestInvalidError
            If the text is no JSON object.
        KeyReusedError
            If the key stored another report.
        VersionUnknownError
            If there is no such version.
        """
        deed = Deed(key=key, at=at, actor=actor, reason="judged")
        return keep_report(self._connection, self.version(version).name, report, deed)

    def report(self, version: str) -> dict[str, object] | None:
        """Give the latest report on a version, ``None`` if it was not judged."""
        reports = self.reports(version)
        return object_of(reports[-1]) if reports else None

    def reports(self, version: str) -> tuple[str, ...]:
        """Give all reports on a version as they were stored, oldest first."""
        return reports_on(self._connection, self.version(version).name)

    def latest_reports(self) -> tuple[dict[str, object], ...]:
        """Give the latest report on every version that was judged, also of those that were deleted since."""
        return latest_reports(self._connection)

    def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Give what happened, oldest first, from the event with the sequence number ``after`` + 1 on."""
        return tuple(read_events(self._connection, after=after))

    def tenures(self) -> tuple[Tenure, ...]:
        """Give who was champion from when to when and why, oldest first."""
        return tenures_of(read_events(self._connection))

    def history(self, at: datetime) -> Tenure | None:
        """Give which version was champion at a UTC time and why, ``None`` if none was."""
        require_utc(at)
        return tenure_at(self.tenures(), at)

    def pruner(self) -> Pruner:
        """Give what deletes versions, of this registry."""
        return Pruner(connection=self._connection, blobs=self._blobs)

    def verify(self) -> list[Finding]:
        """Give all that is wrong with blobs, chain, manifests, reports and aliases; best is nothing."""
        return verify(self._connection, self._blobs)
