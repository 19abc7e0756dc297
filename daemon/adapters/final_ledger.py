"""Final labels and the revisions of labels, as the journal keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.stored_label import StoredFinal

if TYPE_CHECKING:
    import sqlite3

_IN_FORCE = "FROM labels WHERE market = ?1 AND labeler = ?2 AND superseded_by IS NULL"


class StoredRevision(NamedTuple):
    """A revision as stored: of which labeler's label, by which data version, and when (ISO UTC)."""

    day: str
    labeler: str
    data_version: int
    kind: str
    was: str
    became: str | None
    cause: str
    at: str


class FinalLedger:
    """Reads the journal's tables of final labels and revisions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def labels(
        self, market: str, labeler: str, *, through: int | None = None, since: str | None = None
    ) -> tuple[StoredFinal, ...]:
        """Give the final labels of a market in date order as of a data version (default: the newest).

        With ``since``, only those of that day and later.
        """
        rows = self._rows(
            "SELECT day, regime FROM final_labels WHERE market = ?1 AND labeler = ?2 AND day >= ?4"
            " AND (?3 IS NULL OR data_version <= ?3)"
            " AND (superseded_by IS NULL OR (?3 IS NOT NULL AND superseded_by > ?3)) ORDER BY day",
            market, labeler, through, since or "",
        )  # fmt: skip
        return tuple(StoredFinal._make(row) for row in rows)

    def undecided_since(self, market: str, labeler: str) -> str | None:
        """Give the first day of the spell that holds the first day without a final, ``None`` without any."""
        rows = self._rows(
            "SELECT day FROM final_labels WHERE market = ? AND labeler = ? AND superseded_by IS NULL"
            " ORDER BY day DESC LIMIT 1",
            market, labeler,
        )  # fmt: skip
        decided = rows[0][0] if rows else ""
        rows = self._rows(
            f"SELECT day, regime {_IN_FORCE} AND day > ?3 ORDER BY day LIMIT 1", market, labeler, decided
        )
        if not rows:
            return None
        day, regime = rows[0]
        rows = self._rows(
            f"SELECT day {_IN_FORCE} AND day < ?3 AND regime <> ?4 ORDER BY day DESC LIMIT 1",
            market, labeler, day, regime,
        )  # fmt: skip
        before = rows[0][0] if rows else ""
        first: str = self._rows(f"SELECT min(day) {_IN_FORCE} AND day > ?3", market, labeler, before)[0][0]
        return first

    def labelers(self, market: str) -> tuple[str, ...]:
        """Give the versions of all labelers that ever labelled a market."""
        return tuple(
            row[0] for row in self._rows("SELECT DISTINCT labeler FROM labels WHERE market = ?", market)
        )

    def revisions(self, market: str, day: str | None = None) -> tuple[StoredRevision, ...]:
        """Give the revisions of a market's labels, or of one day's, in the order in which they happened."""
        rows = self._rows(
            "SELECT day, labeler, data_version, kind, was, became, cause, at FROM label_revisions"
            " WHERE market = ?1 AND (?2 IS NULL OR day = ?2) ORDER BY id",
            market, day,
        )  # fmt: skip
        return tuple(StoredRevision._make(row) for row in rows)

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self._connection.execute(query, values).fetchall()
