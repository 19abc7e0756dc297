"""Calendar years and quarters as runs of rows: what is refitted at such a date stays what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

YEAR: Final = 12
QUARTER: Final = 3


def calendar_blocks(date: NDArray[np.datetime64], months: int) -> Iterator[tuple[np.datetime64, slice]]:
    """Yield the first day of each block of calendar months that has rows, and its rows.

    ``date``, shape (n_rows,), is ascending; ``months`` divides the year, so that blocks start in January.

    >>> days = np.array(["2020-03-31", "2020-04-01", "2020-06-30"], dtype="datetime64[D]")
    >>> [(str(start), rows.start, rows.stop) for start, rows in calendar_blocks(days, QUARTER)]
    [('2020-01-01', 0, 1), ('2020-04-01', 1, 3)]
    """
    if not len(date):
        return
    blocks = date.astype("datetime64[M]").astype(np.int64) // months
    edges = np.flatnonzero(np.diff(blocks, prepend=blocks[:1] - 1))
    for first, stop in zip(edges, [*edges[1:], len(date)], strict=True):
        start = np.datetime64(int(blocks[first]) * months, "M").astype("datetime64[D]")
        yield start, slice(int(first), int(stop))


def matured_sessions(
    date: NDArray[np.datetime64], horizon_end: NDArray[np.datetime64], embargo_days: int
) -> tuple[NDArray[np.datetime64], NDArray[np.intp]]:
    """Give the sessions that occur in ``date``, and for each row the one by which it may be learnt from.

    That is ``embargo_days`` sessions after its horizon's end. A row may be used in a block whose first
    session comes later: ``learnable_from < searchsorted(sessions, start)``.
    """
    sessions = np.unique(date)
    return sessions, np.searchsorted(sessions, horizon_end) + embargo_days
