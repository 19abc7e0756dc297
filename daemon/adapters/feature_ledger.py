"""The features of the last days, as the journal keeps them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3


class StoredFeatures(NamedTuple):
    """The features of one day, of all symbols of the first market; ``content`` as in ``DayFeatures``."""

    day: str
    data_version: int
    catalogue_hash: str
    symbols: tuple[str, ...]
    complete: int
    content: bytes


class FeatureLedger:
    """Reads the journal's table of features."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def data_version(self) -> int:
        """Give the data version at which features were last stored, 0 before."""
        version: int | None = self._connection.execute("SELECT max(data_version) FROM features").fetchone()[0]
        return version or 0

    def days(self) -> tuple[str, ...]:
        """Give the days whose features are kept, ascending."""
        return tuple(day for (day,) in self._connection.execute("SELECT day FROM features ORDER BY day"))

    def of_day(self, day: str) -> StoredFeatures | None:
        """Give the features of a day, ``None`` if they are not kept."""
        row = self._connection.execute(
            "SELECT day, data_version, catalogue, symbols, complete, content FROM features WHERE day = ?",
            (day,),
        ).fetchone()
        return row and StoredFeatures._make((*row[:3], tuple(json.loads(row[3])), *row[4:]))
