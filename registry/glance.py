"""The little of a registry that ``status`` shows, read within its budget.

``Registry`` reads the same and checks what it reads; importing it costs a third of what ``status`` may take.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Champion(NamedTuple):
    """The version that serves: since when and why, through which day it was trained, and its worth."""

    version: str
    promoted_at: str
    verdict: str | None
    reason: str
    trained_to: str
    members: int
    skill: Mapping[str, float | None]


class Frozen(NamedTuple):
    """Automatic promotion is frozen: since when, by whom and why."""

    since: str
    actor: str
    reason: str


class Glance(NamedTuple):
    """Who serves, who is being judged and who served before; ``None`` is nobody, or not frozen."""

    champion: Champion | None = None
    challenger: str | None = None
    shadow: str | None = None
    previous: str | None = None
    frozen: Frozen | None = None


def glance(database: Path) -> Glance:
    """Read a registry's file; one that does not exist yet has nobody.

    Raises
    ------
    sqlite3.DatabaseError
        If it cannot be read.
    """
    if not database.exists():
        return Glance()
    with closing(open_read_only(database)) as connection:
        try:
            held = dict(connection.execute("SELECT name, 'v' || version FROM aliases"))
        except sqlite3.OperationalError:
            return Glance()  # created a moment ago, still without tables
        champion = held.get("champion")
        return Glance(
            champion=None if champion is None else _champion(connection, int(champion[1:])),
            challenger=held.get("challenger"),
            shadow=held.get("shadow"),
            previous=held.get("previous"),
            frozen=_frozen(connection),
        )


def events_after(database: Path, sequence: int) -> int:
    """Count what happened to versions and aliases after an event; nothing happened in no registry."""
    if not database.exists():
        return 0
    with closing(open_read_only(database)) as connection:
        try:
            (count,) = connection.execute(
                "SELECT count(*) FROM events WHERE sequence > ?"
                " AND kind NOT IN ('deleted', 'frozen', 'unfrozen')",
                (sequence,),
            ).fetchone()
        except sqlite3.OperationalError:
            return 0  # created a moment ago, still without tables
        return int(count)


def _frozen(connection: sqlite3.Connection) -> Frozen | None:
    """Read what ``registry.freezing.frozen_by`` derives from the events."""
    row = connection.execute(
        "SELECT kind, at, actor, reason FROM events WHERE kind IN ('frozen', 'unfrozen')"
        " OR (kind = 'rolled_back' AND body ->> '$.freezes') ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    return None if row is None or row[0] == "unfrozen" else Frozen._make(row[1:])


def _champion(connection: sqlite3.Connection, number: int) -> Champion:
    promoted_at, reason = connection.execute(
        "SELECT at, reason FROM events WHERE kind IN ('promoted', 'rolled_back')"
        " ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    manifest, skill = connection.execute(
        "SELECT manifest, scorecard -> '$.skill' FROM versions WHERE number = ?", (number,)
    ).fetchone()
    report = connection.execute(
        "SELECT body ->> '$.verdict' FROM reports WHERE version = ? ORDER BY number DESC LIMIT 1", (number,)
    ).fetchone()
    made: dict[str, Any] = json.loads(manifest)
    return Champion(
        version=f"v{number}",
        promoted_at=promoted_at,
        verdict=None if report is None else report[0],
        reason=reason,
        trained_to=made["trained_to"],
        members=sum(member["sha256"] is not None for member in made["members"].values()),
        skill=json.loads(skill or "{}"),
    )
