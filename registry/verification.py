"""Everything that can be found wrong with a registry, by reading all of it."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from registry.database import snapshot
from registry.errors import ManifestInvalidError
from registry.history import GENESIS, aliases_after, hash_of, read_events
from registry.types import Alias, EventKind, Finding, Manifest, MemberStatus, StoredArtifact, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from registry.artifacts import BlobStore
    from registry.types import Event


def verify(connection: sqlite3.Connection, blobs: BlobStore) -> list[Finding]:
    """Give what is wrong; no finding means that every byte is what it was when it was written.

    The rows are checked against the chain of events, the chain against itself and the blobs against
    their names. Someone who rewrites the file, all its rows and the whole chain with new hashes is not
    found out: keep the hash of a late event elsewhere if that matters.
    """
    with snapshot(connection):
        findings = list(_file_findings(connection))
        try:
            events = tuple(read_events(connection))
            findings += _chain_findings(connection, events)
            findings += _version_findings(connection, events)
            findings += _report_findings(connection, events)
            findings += _alias_findings(connection, events)
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError, AttributeError) as error:
            findings.append(
                Finding(subject="registry.db", problem=f"holds rows that cannot be read: {error!r}")
            )
        return findings + list(_blob_findings(connection, blobs))


def _file_findings(connection: sqlite3.Connection) -> Iterator[Finding]:
    try:
        for (problem,) in connection.execute("PRAGMA integrity_check"):
            if problem != "ok":
                yield Finding(subject="registry.db", problem=problem)
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            yield Finding(
                subject="registry.db", problem=f"row {row} of {table} has no counterpart in {parent}"
            )
    except sqlite3.DatabaseError as error:
        yield Finding(subject="registry.db", problem=str(error))


def _chain_findings(connection: sqlite3.Connection, events: Sequence[Event]) -> Iterator[Finding]:
    previous_hash = GENESIS
    for position, event in enumerate(events, start=1):
        subject = f"event {event.sequence}"
        if event.sequence != position or event.previous_hash != previous_hash:
            yield Finding(subject=subject, problem="does not follow the event before it; one is missing")
        if event.hash != hash_of(event):
            yield Finding(subject=subject, problem="was changed after it was written")
        previous_hash = event.hash
    written = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    if written is not None and written[0] != len(events):
        yield Finding(subject="events", problem=f"{written[0]} were written, {len(events)} are there")


def _version_findings(connection: sqlite3.Connection, events: Sequence[Event]) -> Iterator[Finding]:
    registered = {event.version: event for event in events if event.kind is EventKind.REGISTERED}
    deleted = {event.version for event in events if event.kind is EventKind.DELETED}
    rows = connection.execute("SELECT number, manifest, manifest_sha256, scorecard FROM versions")
    for number, manifest, manifest_sha256, scorecard in rows.fetchall():
        name = f"v{number}"
        event = registered.pop(name, None)
        if event is None:
            yield Finding(subject=name, problem="has no event that registered it")
            continue
        if name in deleted:
            yield Finding(subject=name, problem="was deleted and is there")
        if {sha256_of(manifest), manifest_sha256} != {_asked(event, "manifest_sha256")}:
            yield Finding(subject=name, problem="its manifest was changed after it was registered")
        if sha256_of(scorecard) != event.body["scorecard_sha256"]:
            yield Finding(subject=name, problem="its scorecard was changed after it was registered")
        yield from _artifact_findings(connection, number, manifest, event)
    for name in registered.keys() - deleted:
        yield Finding(subject=name, problem="was registered and is not there")


def _artifact_findings(
    connection: sqlite3.Connection, number: int, manifest: str, event: Event
) -> Iterator[Finding]:
    name = f"v{number}"
    stored = dict(connection.execute("SELECT name, sha256 FROM artifacts WHERE version = ?", (number,)))
    if stored != event.body["artifacts"]:
        yield Finding(subject=name, problem="its list of artifacts was changed after it was registered")
    try:
        members = Manifest.of_json(manifest).members
    except ManifestInvalidError as error:
        yield Finding(subject=name, problem=f"its manifest cannot be read: {error}")
        return
    for member, fate in members.items():
        if fate.status is MemberStatus.FITTED and stored.get(member) != fate.sha256:
            yield Finding(subject=name, problem=f"the artifact of {member} is not that of its manifest")


def _report_findings(connection: sqlite3.Connection, events: Sequence[Event]) -> Iterator[Finding]:
    reported = {event.key: event for event in events if event.kind is EventKind.REPORTED}
    rows = connection.execute("SELECT number, version, key, body, sha256 FROM reports")
    for number, version, key, body, sha256 in rows.fetchall():
        event = reported.pop(key, None)
        if event is None or event.version != f"v{version}":
            yield Finding(subject=f"report {number}", problem="has no event that stored it")
        elif {sha256_of(body), sha256} != {_asked(event, "report_sha256")}:
            yield Finding(subject=f"report {number}", problem="was changed after it was stored")
    for event in reported.values():
        yield Finding(
            subject=event.version, problem=f"the report of {event.key!r} was stored and is not there"
        )


def _alias_findings(connection: sqlite3.Connection, events: Sequence[Event]) -> Iterator[Finding]:
    expected = aliases_after(events)
    rows = connection.execute("SELECT name, version FROM aliases")
    actual = {Alias(name): f"v{version}" for name, version in rows}
    for alias in Alias:
        if actual.get(alias) != expected.get(alias):
            yield Finding(
                subject=alias.value,
                problem=f"is {actual.get(alias) or 'nobody'}, by the events it is"
                f" {expected.get(alias) or 'nobody'}",
            )


def _blob_findings(connection: sqlite3.Connection, blobs: BlobStore) -> Iterator[Finding]:
    try:
        rows = connection.execute("SELECT DISTINCT sha256, size_bytes FROM artifacts").fetchall()
    except sqlite3.DatabaseError:
        rows = []
    named = {StoredArtifact(sha256=sha256, size_bytes=size) for sha256, size in rows}
    found = set(blobs.all())
    for stored in sorted(named | found, key=lambda stored: stored.sha256):
        problem = blobs.problem(stored)
        if problem is not None and (stored in named or stored.sha256 not in {n.sha256 for n in named}):
            yield Finding(subject=f"blob {stored.sha256}", problem=problem)


def _asked(event: Event, name: str) -> object:
    asked = event.body["asked"]
    return asked.get(name) if isinstance(asked, dict) else json.dumps(asked)
