"""What the journal knows of trials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3


class StoredLook(NamedTuple):
    """What the gate said of a trial at ``days`` fresh days; ``at`` is ISO UTC."""

    days: int
    verdict: str
    reason: str
    at: str


class StoredTrial(NamedTuple):
    """A trial: how many fresh days have matured, when it is looked at, and how it ended, if it did."""

    id: str
    kind: str
    version: str
    against: str
    opened_at: str
    days: int
    looks: tuple[int, ...]
    outcome: str | None
    ended_at: str | None
    looked: tuple[StoredLook, ...]

    @property
    def next_look(self) -> int | None:
        """Give the number of fresh days at which it is looked at next, ``None`` if it is over."""
        done = {look.days for look in self.looked}
        left = [days for days in self.looks if days not in done]
        return min(left) if left and self.outcome is None else None


class TrialLedger:
    """Reads the tables of trials."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> tuple[StoredTrial, ...]:
        """Give all trials, the one that was opened last at the end."""
        rows = self._connection.execute(
            "SELECT id, kind, version, against, opened_at, days, looks, outcome, ended_at FROM trials"
            " ORDER BY opened_at, id"
        ).fetchall()
        return tuple(
            StoredTrial._make((*row[:6], tuple(json.loads(row[6])), *row[7:], self._looks(row[0])))
            for row in rows
        )

    def ended(self) -> frozenset[str]:
        """Give the ids of the trials that are over."""
        rows = self._connection.execute("SELECT id FROM trials WHERE outcome IS NOT NULL")
        return frozenset(trial for (trial,) in rows)

    def of_id(self, trial: str) -> StoredTrial | None:
        """Give one trial, ``None`` if nothing was counted of it yet."""
        return next((each for each in self.all() if each.id == trial), None)

    def _looks(self, trial: str) -> tuple[StoredLook, ...]:
        rows = self._connection.execute(
            "SELECT days, verdict, reason, at FROM looks WHERE trial = ? ORDER BY days", (trial,)
        )
        return tuple(map(StoredLook._make, rows))
