"""Trading sessions, as tables that a child process computes and the daemon keeps.

The library that knows the exchanges' holidays takes 117 MB, so it is imported only by
``daemon.children.sessions``, whose result is stored in the state folder until its horizon is near.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.errors import ChildFailedError
from daemon.files import write_durably
from daemon.records import ChildJob

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.ports import Children, Clock

EVERY_DAY: Final = "24/7"
WEEKDAYS: Final = "weekdays"
FIRST_SESSION: Final = "1960-01-01"
HORIZON_DAYS: Final = 180
"""The table reaches at least this far into the future, or it is computed again."""
WAIT_S: Final = 30.0
"""Half of what the service's watchdog allows the loop."""


class SessionTables:
    """Sessions by exchange calendar, computed once and kept in a folder."""

    def __init__(self, folder: Path, children: Children, clock: Clock) -> None:
        self._folder = folder
        self._children = children
        self._clock = clock
        self._tables: dict[str, NDArray[np.datetime64]] = {}

    def sessions(self, name: str) -> NDArray[np.datetime64] | None:
        """Give all known session days of a calendar, ascending; ``None`` if every day is one."""
        if name == EVERY_DAY:
            return None
        today = np.datetime64(self._clock.now().date(), "D")
        if name == WEEKDAYS:
            return weekdays_through(today + HORIZON_DAYS)
        table = self._tables.get(name)
        if table is None or table[-1] < today + HORIZON_DAYS:
            table = self._tables[name] = self._load(name, today)
        return table

    def _load(self, name: str, today: np.datetime64) -> NDArray[np.datetime64]:
        path = self._folder / f"{name}.json"
        if path.exists():
            table = np.array(json.loads(path.read_text(encoding="utf-8")), dtype="datetime64[D]")
            if table[-1] >= today + HORIZON_DAYS:
                return table
        days = self._compute(name, today)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps(days).encode())
        return np.array(days, dtype="datetime64[D]")

    def _compute(self, name: str, today: np.datetime64) -> list[str]:
        job = ChildJob(
            module="daemon.children.sessions",
            job={"calendar": name, "first": FIRST_SESSION, "last": str(today + 2 * HORIZON_DAYS)},
            time_limit_s=WAIT_S,
            memory_limit_mib=2048,
        )
        end = self._children.run(job)
        if end.result is None:
            raise ChildFailedError(
                f"the sessions of calendar {name!r} could not be computed: {end.reason};"
                " check markets.*.calendar in the configuration"
            )
        days = end.result["sessions"]
        assert isinstance(days, list)  # noqa: S101 - our own child
        return days


def weekdays_through(last: np.datetime64) -> NDArray[np.datetime64]:
    """Give every Monday to Friday from 1960 through ``last``.

    >>> str(weekdays_through(np.datetime64("1960-01-04"))[-1])
    '1960-01-04'
    """
    days = np.arange(np.datetime64(FIRST_SESSION, "D"), last + 1)
    return days[np.is_busday(days)]
