"""When a feed has been silent for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from daemon.formats.checks import is_session

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sessions_missed(
    last_date: np.datetime64, *, today: np.datetime64, sessions: NDArray[np.datetime64] | None
) -> int:
    """Count the sessions after ``last_date`` and before ``today``, of which a feed should have told.

    Today's own session is not counted: its bar comes after the close.

    >>> friday, monday = np.datetime64("2024-06-28"), np.datetime64("2024-07-01")
    >>> sessions_missed(friday, today=monday + 2, sessions=np.array([friday, monday, monday + 1]))
    2
    """
    days = np.arange(last_date + 1, today, dtype="datetime64[D]")
    return int(is_session(days, sessions).sum())


def is_stale(
    last_date: np.datetime64 | None,
    *,
    today: np.datetime64,
    sessions: NDArray[np.datetime64] | None,
    sessions_max: int,
) -> bool:
    """Say whether a feed missed ``sessions_max`` sessions or more.

    Parameters
    ----------
    last_date
        Day of the last bar that the feed brought; ``None`` if it never brought one, which is stale.
    today
        The present day at the exchange.
    sessions
        Session days, ascending; ``None`` if every day is one. Outside their range weekdays count.
    sessions_max
        Sessions without news after which the feed is stale.

    >>> is_stale(None, today=np.datetime64("2024-07-01"), sessions=None, sessions_max=2)
    True
    """
    return last_date is None or sessions_missed(last_date, today=today, sessions=sessions) >= sessions_max
