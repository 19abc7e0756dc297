"""Sums, means and maxima over the last rows, each made of windows of 1, 2, 4, 8, ... rows.

A running sum drifts, and is slow where it is kept for one column at a time. Here a window of 22 rows is one
of 16, one of 4 and one of 2: each value is made of the rows of its own window alone, in a fixed order, and
all columns at once. The features are computed the same way (``regime.features.pyramids``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Cells = NDArray[np.float64]


def rolling_sum(cells: Cells, bars: int, bars_min: int | None = None) -> Cells:
    """Give the sum of what is known of the last ``bars`` rows; NaN where fewer than ``bars_min`` are known.

    Without ``bars_min`` all of them must be known.

    >>> rolling_sum(np.array([1.0, 2.0, np.nan, 4.0]), 2, 1).tolist()
    [1.0, 3.0, 2.0, 4.0]
    """
    total, known = _totals(cells, bars)
    return np.where(known >= (bars_min or bars), total, np.nan)


def rolling_mean(cells: Cells, bars: int, bars_min: int | None = None) -> Cells:
    """Give the mean of what is known of the last rows, of at least half of them unless said otherwise."""
    total, known = _totals(cells, bars)
    enough = known >= (bars_min or max(1, bars // 2))
    means: Cells = np.divide(total, known, out=np.full(total.shape, np.nan), where=enough)
    return means


def rolling_max(cells: Cells, bars: int, bars_min: int | None = None) -> Cells:
    """Give the largest of what is known of the last rows; NaN as in ``rolling_sum``."""
    highest = _folded(np.where(np.isnan(cells), -np.inf, cells), bars, np.maximum, -np.inf)
    known = _folded((~np.isnan(cells)).astype(np.float64), bars, np.add, 0.0)
    return np.where(known >= (bars_min or bars), highest, np.nan)


def rolling_variance(cells: Cells, bars: int) -> Cells:
    """Give the variance (of n - 1) of the last rows, all of which must be known.

    It is taken about the first value of a column, since a mean of all rows would let later ones reach into
    the last bits of earlier ones.
    """
    first = np.take_along_axis(cells, (~np.isnan(cells)).argmax(axis=0, keepdims=True), axis=0)
    away = cells - np.nan_to_num(first)
    squares = (rolling_mean(away**2, bars, bars) - rolling_mean(away, bars, bars) ** 2) * bars / (bars - 1)
    return squares.clip(0.0)


def rolling_covariance(cells: Cells, series: Cells, bars: int) -> Cells:
    """Give the covariance (of n - 1) of each column and a series over rows where both are always known."""
    products = rolling_mean(cells * series[:, np.newaxis], bars, bars)
    means = rolling_mean(cells, bars, bars) * rolling_mean(series, bars, bars)[:, np.newaxis]
    return (products - means) * bars / (bars - 1)


def mean_of_known(cells: Cells, axis: int) -> Cells:
    """Give the mean of what is known along an axis; NaN where nothing is."""
    known = ~np.isnan(cells)
    count = known.sum(axis=axis)
    total = np.where(known, cells, 0.0).sum(axis=axis)
    means: Cells = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return means


def earlier(cells: Cells, rows: int) -> Cells:
    """Give what stood ``rows`` before; NaN where nothing did.

    >>> earlier(np.array([1.0, 2.0, 3.0]), 2).tolist()
    [nan, nan, 1.0]
    """
    return _before(cells, rows, np.nan)


def _totals(cells: Cells, bars: int) -> tuple[Cells, Cells]:
    """Give the sum of what is known of the last rows, and how many are known."""
    missing = np.isnan(cells)
    known = _folded((~missing).astype(np.float64), bars, np.add, 0.0)
    return _folded(np.where(missing, 0.0, cells), bars, np.add, 0.0), known


def _folded(cells: Cells, bars: int, merge: Callable[[Cells, Cells], Cells], neutral: float) -> Cells:
    """Merge each row with the ``bars`` - 1 before it; what lies before the first is ``neutral``."""
    powers, size = {1: cells}, 1
    while 2 * size <= bars:
        powers[2 * size] = merge(_before(powers[size], size, neutral), powers[size])
        size *= 2
    window = powers[size]
    for power in sorted(powers, reverse=True)[1:]:
        if size + power <= bars:
            window = merge(_before(powers[power], size, neutral), window)
            size += power
    return window


def _before(cells: Cells, rows: int, neutral: float) -> Cells:
    shifted = np.full_like(cells, neutral)
    shifted[rows:] = cells[: max(0, len(cells) - rows)]
    return shifted
