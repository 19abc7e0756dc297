"""The registry's memory: a chain of events that only grows, and what can be derived from it.

Each event's hash covers its fields and the hash before it (Haber and Stornetta 1991, "How to time-stamp a
digital document", section 5.1: linking), so that no entry can be changed, removed or put in between
unnoticed. Who holds an alias, and who was champion when, follows from the events alone.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from registry.errors import KeyReusedError
from registry.types import Alias, Event, EventKind, Tenure, canonical_json, text_of_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

    from registry.types import Deed

GENESIS: Final = "0" * 64
"""Stands for the event before the first."""

_SELECT: Final = (
    "SELECT sequence, at, kind, version, actor, reason, key, body, previous_hash, hash FROM events"
)


def append_event(
    connection: sqlite3.Connection, kind: EventKind, version: str, deed: Deed, body: Mapping[str, object]
) -> Event:
    """Add an event to the chain, within the caller's write transaction."""
    last = connection.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1").fetchone()
    sequence, previous_hash = last or (0, GENESIS)
    event = Event(
        sequence=sequence + 1,
        at=deed.at,
        kind=kind,
        version=version,
        actor=deed.actor,
        reason=deed.reason,
        key=deed.key,
        body=body,
        previous_hash=previous_hash,
        hash="",
    )
    digest = hash_of(event)
    connection.execute(
        "INSERT INTO events (sequence, at, kind, version, actor, reason, key, body, previous_hash, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.sequence,
            text_of_time(event.at),
            kind.value,
            int(version[1:]),
            event.actor,
            event.reason,
            event.key,
            canonical_json(body),
            previous_hash,
            digest,
        ),
    )
    found = find_event(connection, kind, deed.key)
    assert found is not None  # noqa: S101 - it was written two lines above
    return found


def find_event(connection: sqlite3.Connection, kind: EventKind, key: str) -> Event | None:
    """Give the event of a deed, ``None`` if it was not done."""
    row = connection.execute(f"{_SELECT} WHERE kind = ? AND key = ?", (kind.value, key)).fetchone()
    return None if row is None else _event_of_row(row)


def done_before(
    connection: sqlite3.Connection, kind: EventKind, key: str, asked: Mapping[str, object]
) -> Event | None:
    """Give the event of a deed that was done already, ``None`` if it is new.

    Raises
    ------
    KeyReusedError
        If the key did something else.
    """
    event = find_event(connection, kind, key)
    if event is not None and event.body.get("asked") != asked:
        raise KeyReusedError(kind.value, key, event.version)
    return event


def read_events(connection: sqlite3.Connection, *, after: int = 0) -> Iterator[Event]:
    """Give the events with a higher sequence number than ``after``, oldest first."""
    rows = connection.execute(f"{_SELECT} WHERE sequence > ? ORDER BY sequence", (after,))
    return map(_event_of_row, rows)


def hash_of(event: Event) -> str:
    """Give the hash that an event must have: SHA-256 of the previous hash and the canonical fields."""
    fields = {
        "sequence": event.sequence,
        "at": text_of_time(event.at),
        "kind": event.kind.value,
        "version": event.version,
        "actor": event.actor,
        "reason": event.reason,
        "key": event.key,
        "body": event.body,
    }
    return hashlib.sha256(f"{event.previous_hash}\n{canonical_json(fields)}".encode()).hexdigest()


def moves_of(event: Event) -> dict[Alias, str | None]:
    """Give who holds each alias that the event moved, after it; ``None`` is nobody."""
    moves = event.body.get("moves")
    return {Alias(name): holder for name, holder in moves.items()} if isinstance(moves, dict) else {}


def aliases_after(events: Iterable[Event]) -> dict[Alias, str]:
    """Give who holds which alias after the events, all from the first on."""
    holders: dict[Alias, str | None] = {}
    for event in events:
        holders.update(moves_of(event))
    return {alias: holder for alias, holder in holders.items() if holder is not None}


def tenures_of(events: Iterable[Event]) -> tuple[Tenure, ...]:
    """Give who was champion from when to when and why, oldest first."""
    starts = [(event, moves_of(event).get(Alias.CHAMPION)) for event in events]
    reigns = [(event, champion) for event, champion in starts if champion is not None]
    ends = [event.at for event, _ in reigns[1:]]
    return tuple(
        Tenure(
            version=champion,
            since=event.at,
            until=until,
            kind=event.kind,
            actor=event.actor,
            reason=event.reason,
        )
        for (event, champion), until in zip(reigns, [*ends, None], strict=False)
    )


def tenure_at(tenures: Iterable[Tenure], at: datetime) -> Tenure | None:
    """Give who was champion at a time, ``None`` if nobody was.

    A deed counts from its own time on; where a clock was set back, the later deed wins.
    """
    begun = [tenure for tenure in tenures if tenure.since <= at]
    return begun[-1] if begun else None


def _event_of_row(row: tuple[int, str, str, int, str, str, str, str, str, str]) -> Event:
    sequence, at, kind, version, actor, reason, key, body, previous_hash, digest = row
    return Event(
        sequence=sequence,
        at=datetime.fromisoformat(at),
        kind=EventKind(kind),
        version=f"v{version}",
        actor=actor,
        reason=reason,
        key=key,
        body=json.loads(body),
        previous_hash=previous_hash,
        hash=digest,
    )
