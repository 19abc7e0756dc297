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


class Glance(NamedTuple):
    """Who serves and who is being judged; ``None`` is nobody."""

    champion: Champion | None
    challenger: str | None


def glance(database: Path) -> Glance:
    """Read a registry's file; one that does not exist yet has nobody.

    Raises
    ------
    sqlite3.DatabaseError
        If it cannot be read.
    """
    if not database.exists():
        return Glance(champion=None, challenger=None)
    with closing(open_read_only(database)) as connection:
        try:
            held = dict(connection.execute("SELECT name, version FROM aliases"))
        except sqlite3.OperationalError:
            return Glance(champion=None, challenger=None)  # created a moment ago, still without tables
        number, challenger = held.get("champion"), held.get("challenger")
        return Glance(
            champion=None if number is None else _champion(connection, number),
            challenger=None if challenger is None else f"v{challenger}",
        )


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
