"""Sums, means and maxima over the last rows, each made of windows of 1, 2, 4, 8, ... rows.

A running sum drifts, and is slow where it is kept for one column at a time. Here a window of 22 rows is one
of 16, one of 4 and one of 2: each value is made of the rows of its own window alone, in a fixed order, and
all columns at once. The features are computed the same way (``regime.features.pyramids``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Cells = NDArray[np.float64]

Frame = TypeVar("Frame", pd.DataFrame, "pd.Series[float]")


def rolling_sum(frame: Frame, bars: int, bars_min: int | None = None) -> Frame:
    """Give the sum of what is known of the last ``bars`` rows; NaN where fewer than ``bars_min`` are known.

    Without ``bars_min`` all of them must be known.

    >>> rolling_sum(pd.Series([1.0, 2.0, np.nan, 4.0]), 2, 1).tolist()
    [1.0, 3.0, 2.0, 4.0]
    """
    total, known = _totals(frame, bars)
    return _like(frame, np.where(known >= (bars_min or bars), total, np.nan))


def rolling_mean(frame: Frame, bars: int, bars_min: int | None = None) -> Frame:
    """Give the mean of what is known of the last rows, of at least half of them unless said otherwise."""
    total, known = _totals(frame, bars)
    enough = known >= (bars_min or max(1, bars // 2))
    return _like(frame, np.divide(total, known, out=np.full(total.shape, np.nan), where=enough))


def rolling_max(frame: Frame, bars: int, bars_min: int | None = None) -> Frame:
    """Give the largest of what is known of the last rows; NaN as in ``rolling_sum``."""
    cells = frame.to_numpy(dtype=np.float64)
    highest = _folded(np.where(np.isnan(cells), -np.inf, cells), bars, np.maximum, -np.inf)
    known = _folded((~np.isnan(cells)).astype(np.float64), bars, np.add, 0.0)
    return _like(frame, np.where(known >= (bars_min or bars), highest, np.nan))


def rolling_variance(frame: Frame, bars: int) -> Frame:
    """Give the variance (of n - 1) of the last rows, all of which must be known."""
    cells = frame.to_numpy(dtype=np.float64)
    center = np.nanmean(cells, axis=0) if np.isfinite(cells).any() else 0.0
    away = _like(frame, cells - np.nan_to_num(center))
    squares = (rolling_mean(away**2, bars, bars) - rolling_mean(away, bars, bars) ** 2) * bars / (bars - 1)
    return squares.clip(lower=0.0)


def rolling_covariance(frame: pd.DataFrame, series: pd.Series[float], bars: int) -> pd.DataFrame:
    """Give the covariance (of n - 1) of each column and a series over rows where both are always known."""
    products = rolling_mean(frame.mul(series, axis=0), bars, bars)
    means = rolling_mean(frame, bars, bars).mul(rolling_mean(series, bars, bars), axis=0)
    return (products - means) * bars / (bars - 1)


def _totals(frame: Frame, bars: int) -> tuple[Cells, Cells]:
    """Give the sum of what is known of the last rows, and how many are known."""
    cells = frame.to_numpy(dtype=np.float64)
    missing = np.isnan(cells)
    known = _folded((~missing).astype(np.float64), bars, np.add, 0.0)
    return _folded(np.where(missing, 0.0, cells), bars, np.add, 0.0), known


def _folded(cells: Cells, bars: int, merge: Callable[[Cells, Cells], Cells], neutral: float) -> Cells:
    """Merge each row with the ``bars`` - 1 before it; what lies before the first is ``neutral``."""

    def before(window: Cells, rows: int) -> Cells:
        earlier = np.full_like(window, neutral)
        earlier[rows:] = window[: max(0, len(window) - rows)]
        return earlier

    powers, size = {1: cells}, 1
    while 2 * size <= bars:
        powers[2 * size] = merge(before(powers[size], size), powers[size])
        size *= 2
    window = powers[size]
    for power in sorted(powers, reverse=True)[1:]:
        if size + power <= bars:
            window = merge(before(powers[power], size), window)
            size += power
    return window


def _like(frame: Frame, cells: Cells) -> Frame:
    if isinstance(frame, pd.Series):
        return pd.Series(cells, frame.index)
    return pd.DataFrame(cells, frame.index, frame.columns)
