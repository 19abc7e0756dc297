"""How versions and aliases stand in the tables."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from registry.errors import ManifestInvalidError, VersionUnknownError
from registry.history import append_event
from registry.types import Alias, EventKind, Manifest, ModelVersion, sha256_of, text_of_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from registry.types import Deed, Event, StoredArtifact

SELECT_VERSION: Final = "SELECT number, versions.key, manifest, registered_at FROM versions"


def number_of(version: str) -> int:
    """Give the row number of a version's name.

    Raises
    ------
    VersionUnknownError
        If no version can have that name.

    >>> number_of("v12")
    12
    """
    if not re.fullmatch(r"v[1-9][0-9]{0,17}", version, re.ASCII):
        raise VersionUnknownError(version)
    return int(version[1:])


def version_of_row(row: tuple[int, str, str, str]) -> ModelVersion:
    """Give the version in a row of ``SELECT_VERSION``."""
    number, key, manifest, registered_at = row
    return ModelVersion(
        name=f"v{number}",
        key=key,
        manifest=Manifest.of_json(manifest),
        registered_at=datetime.fromisoformat(registered_at),
    )


def insert_version(
    connection: sqlite3.Connection,
    manifest: Manifest,
    stored: Mapping[str, StoredArtifact],
    scorecard: str,
    deed: Deed,
) -> Event:
    """Add a version, its artifacts and its event, within the caller's write transaction."""
    digest = manifest.sha256()
    number = connection.execute(
        "INSERT INTO versions (key, manifest, manifest_sha256, scorecard, registered_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (deed.key, manifest.to_json(), digest, scorecard, text_of_time(deed.at)),
    ).lastrowid
    connection.executemany(
        "INSERT INTO artifacts (version, name, sha256, size_bytes) VALUES (?, ?, ?, ?)",
        [(number, name, artifact.sha256, artifact.size_bytes) for name, artifact in stored.items()],
    )
    body = {
        "asked": {"manifest_sha256": digest},
        "scorecard_sha256": sha256_of(scorecard),
        "artifacts": {name: artifact.sha256 for name, artifact in stored.items()},
    }
    return append_event(connection, EventKind.REGISTERED, f"v{number}", deed, body)


def read_aliases(connection: sqlite3.Connection) -> dict[Alias, str]:
    """Give who holds which alias; one that nobody holds is left out."""
    rows = connection.execute("SELECT name, version FROM aliases ORDER BY name")
    return {Alias(name): f"v{version}" for name, version in rows}


def give_alias(connection: sqlite3.Connection, alias: Alias, holder: str | None) -> None:
    """Let a version hold an alias, or nobody, within the caller's write transaction."""
    if holder is None:
        connection.execute("DELETE FROM aliases WHERE name = ?", (alias.value,))
    else:
        connection.execute(
            "INSERT INTO aliases (name, version) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET version = excluded.version",
            (alias.value, number_of(holder)),
        )


def object_of(text: str) -> dict[str, object]:
    """Give the JSON object in a text.

    Raises
    ------
    ManifestInvalidError
        If it holds none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalidError(f"a report or scorecard must be a JSON object: {error}") from error
    if not isinstance(value, dict):
        raise ManifestInvalidError("a report or scorecard must be a JSON object")
    return value
