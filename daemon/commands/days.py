"""Days as people write them."""

from __future__ import annotations

from datetime import date

import numpy as np

from daemon.errors import UsageError


def day_of(text: str) -> np.datetime64:
    """Give the day that a text names.

    >>> day_of("2024-01-31")
    np.datetime64('2024-01-31')
    """
    try:
        return np.datetime64(date.fromisoformat(text), "D")
    except ValueError as error:
        raise UsageError(f"{text!r} is not a date; write it like 2024-01-31") from error
