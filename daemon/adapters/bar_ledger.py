"""Which files make up a data version: deltas as they came, and the year files that compactions made of them.

Data version n is the union of the first n deltas. A compaction at n retires them in favour of year files
that hold the same; both are listed, so that each version is read from the files that were live for it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from daemon.errors import DataVersionGoneError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


class StoredPart(NamedTuple):
    """A file of bars: the delta that made a data version, or a year of all bars up to it."""

    data_version: int
    part: str
    symbols: tuple[str, ...]
    rows: int
    first_day: str
    last_day: str
    year: int | None = None
    is_kept: bool = True


_COLUMNS = "data_version, part, symbols, rows, first_day, last_day, year, removed_at IS NULL"
_OF_SYMBOLS = (
    "(?2 IS NULL OR EXISTS"
    " (SELECT 1 FROM json_each(symbols) WHERE value IN (SELECT value FROM json_each(?2))))"
)


class BarLedger:
    """Reads the journal's tables of bars."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def data_version(self) -> int:
        """Give the newest data version, 0 before the first bars."""
        return self._value("SELECT max(data_version) FROM parts") or 0

    def chain(self, data_version: int) -> str | None:
        """Give the name of the history that led to a data version, ``None`` if there was no such version."""
        chain: str | None = self._value("SELECT chain FROM parts WHERE data_version = ?", data_version)
        return chain

    def parts(self, *, through: int, symbols: Sequence[str] | None = None) -> tuple[StoredPart, ...]:
        """Give the files that make up a data version, in the order in which later ones win.

        With ``symbols``, only those that hold bars of one of them.

        Raises
        ------
        DataVersionGoneError
            If some were removed since a compaction retired them.
        """
        found = self._parts(
            f"SELECT {_COLUMNS} FROM bar_files WHERE data_version <= ?1"  # noqa: S608 - the pieces are ours
            f" AND (retired_by IS NULL OR retired_by > ?1) AND {_OF_SYMBOLS} ORDER BY data_version, year",
            through,
            _json(symbols),
        )
        if not all(part.is_kept for part in found):
            oldest = self._value("SELECT max(retired_by) FROM bar_files WHERE removed_at IS NOT NULL")
            raise DataVersionGoneError(through, oldest)
        return found

    def deltas(
        self, *, after: int, through: int | None = None, symbols: Sequence[str] | None = None
    ) -> tuple[StoredPart, ...]:
        """Give what arrived after a data version, oldest first, whether or not it was compacted since.

        With ``symbols``, only what holds bars of one of them.
        """
        return self._parts(
            "SELECT data_version, part, symbols, rows, first_day, last_day, NULL, removed_at IS NULL"
            " FROM parts WHERE data_version > ?1 AND data_version <= ?3 AND (?2 IS NULL OR data_version IN ("
            "SELECT data_version FROM part_symbols WHERE data_version > ?1"
            " AND symbol IN (SELECT value FROM json_each(?2)))) ORDER BY data_version",
            after,
            _json(symbols),
            self.data_version() if through is None else through,
        )

    def live_files(self) -> tuple[StoredPart, ...]:
        """Give every file that the newest data version is read from."""
        return self.parts(through=self.data_version())

    def listed(self) -> tuple[StoredPart, ...]:
        """Give every file that should be there, also those that a compaction has retired."""
        return self._parts(
            f"SELECT {_COLUMNS} FROM bar_files WHERE removed_at IS NULL ORDER BY data_version, year"  # noqa: S608 - ours
        )

    def is_compacted(self, data_version: int) -> bool:
        """Tell whether no delta up to a data version is live."""
        query = "SELECT 1 FROM parts WHERE retired_by IS NULL AND data_version <= ? LIMIT 1"
        return self._value(query, data_version) is None

    def oldest_in_use(self) -> int | None:
        """Give the oldest data version that an open run or a waiting message refers to."""
        oldest: int | None = self._value(
            "SELECT min(version) FROM (SELECT data_version AS version FROM runs WHERE outcome = 'running'"
            " UNION ALL SELECT json_extract(body, '$.data_version') FROM messages WHERE state = 'pending'"
            " UNION ALL SELECT runs.data_version FROM messages JOIN runs"
            " ON runs.id = json_extract(messages.body, '$.run_id') WHERE state = 'pending')"
        )
        return oldest

    def removable(self, *, retired_before: str) -> int | None:
        """Give the newest compaction whose retired files are old enough and nobody needs, if there is one.

        ``retired_before`` is ISO UTC.
        """
        query = (
            "SELECT max(retired_by) FROM bar_files"
            " WHERE retired_by IS NOT NULL AND removed_at IS NULL AND retired_at <= ?"
        )
        if (old := self._value(query, retired_before)) is None:
            return None
        in_use = self.oldest_in_use()
        newest: int | None = self._value(
            f"{query} AND retired_by <= ?", retired_before, old if in_use is None else in_use
        )
        return newest

    def retired(self, *, through: int) -> tuple[str, ...]:
        """Give the files that compactions up to a data version retired and that are still listed."""
        rows = self._connection.execute(
            "SELECT DISTINCT part FROM bar_files WHERE retired_by <= ? AND removed_at IS NULL ORDER BY part",
            (through,),
        )
        return tuple(row[0] for row in rows)

    def listed_among(self, parts: Sequence[str]) -> frozenset[str]:
        """Give those names under which a file is listed, live or retired."""
        rows = self._connection.execute(
            "SELECT part FROM bar_files WHERE removed_at IS NULL"
            " AND part IN (SELECT value FROM json_each(?))",
            (_json(parts),),
        )
        return frozenset(row[0] for row in rows)

    def _parts(self, query: str, *values: object) -> tuple[StoredPart, ...]:
        return tuple(
            StoredPart._make((*row[:2], tuple(json.loads(row[2])), *row[3:-1], bool(row[-1])))
            for row in self._connection.execute(query, values)
        )

    def _value(self, query: str, *values: object) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]


def _json(values: Sequence[str] | None) -> str | None:
    return None if values is None else json.dumps(list(values))
