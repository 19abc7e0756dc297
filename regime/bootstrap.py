"""Intervals of skill and means that know that neighbouring days, and all symbols of a day, move together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import SettingInvalidError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS_MIN: Final = 40
"""Days below which an interval says nothing: two blocks of twenty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A two-sided interval and the probability with which its method covers."""

    low: float
    high: float
    level: float


def block_bootstrap_interval(
    loss: NDArray[np.float64],
    baseline_loss: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    block_days: int = 20,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval | None:
    """Give the percentile interval of the skill 1 - sum(loss) / sum(baseline_loss).

    Circular block bootstrap (Politis & Romano 1992): each draw joins runs of ``block_days`` neighbouring
    days, the last day followed by the first, to a series of the original length. Days are drawn whole, so
    that what symbols of one day share counts once.

    Parameters
    ----------
    loss, baseline_loss
        Shape (n_days,), in date order: losses of model and baseline summed over the rows of each day, not
        negative. For one regime pass all days, with 0 on the days of the others: then the number of its
        spells varies between draws as it does in life. Draws without any such day are set aside.
    rng
        Source of chance; the same state gives the same interval.
    block_days, draws, level
        Days a block (20 is longer than the 14-day overlap of the reference target), number of draws, and
        coverage.

    Returns
    -------
    Interval or None
        None if fewer than 40 days, or than two blocks, have a baseline loss: not known.

    Raises
    ------
    SettingInvalidError
        If lengths differ or a setting is out of range.

    >>> rng = np.random.default_rng(7)
    >>> baseline = rng.gamma(2.0, size=500)
    >>> interval = block_bootstrap_interval(0.9 * baseline, baseline, rng)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.1, 0.1)
    """
    _check(loss, baseline_loss, block_days, draws, level)
    if np.count_nonzero(baseline_loss) < max(DAYS_MIN, 2 * block_days):
        return None
    return _interval(1 - _ratios(loss, baseline_loss, rng, block_days, draws), level)


def mean_interval(
    total: NDArray[np.float64],
    rows: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    block_days: int = 20,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval | None:
    """Give the percentile interval of the mean of rows, sum(total) / sum(rows), by the same bootstrap.

    Parameters
    ----------
    total, rows
        Shape (n_days,), in date order: the sum over each day's rows of what is averaged, of either sign, and
        how many rows they are. For one regime pass all days, with 0 on the days of the others.
    rng, block_days, draws, level
        As for ``block_bootstrap_interval``.

    Returns
    -------
    Interval or None
        None if fewer than 40 days, or than two blocks, have a row: not known.

    Raises
    ------
    SettingInvalidError
        If lengths differ or a setting is out of range.

    >>> rng = np.random.default_rng(7)
    >>> interval = mean_interval(rng.normal(1.0, 1.0, size=500), np.full(500, 2.0), rng)
    >>> round(interval.low, 2), round(interval.high, 2)
    (0.4, 0.48)
    """
    _check(total, rows, block_days, draws, level)
    if np.count_nonzero(rows) < max(DAYS_MIN, 2 * block_days):
        return None
    return _interval(_ratios(total, rows, rng, block_days, draws), level)


def _interval(drawn: NDArray[np.float64], level: float) -> Interval:
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2))
    return Interval(low=float(low), high=float(high), level=level)


def _ratios(
    above: NDArray[np.float64],
    below: NDArray[np.float64],
    rng: np.random.Generator,
    block_days: int,
    draws: int,
) -> NDArray[np.float64]:
    """Give sum(above) / sum(below) of each draw that has something below."""
    days = len(above)
    blocks = -(-days // block_days)
    starts = rng.integers(0, days, size=(draws, blocks))
    lengths = np.full(blocks, block_days)
    lengths[-1] = days - block_days * (blocks - 1)
    drawn_above, drawn_below = (_sums(column, starts, lengths) for column in (above, below))
    filled = drawn_below > 0
    ratios: NDArray[np.float64] = drawn_above[filled] / drawn_below[filled]
    return ratios


def _sums(
    column: NDArray[np.float64], starts: NDArray[np.intp], lengths: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Give the sum of each draw, from differences of running sums: no draw is ever written out."""
    running = np.concatenate(([0.0], np.cumsum(np.concatenate((column, column)))))
    sums: NDArray[np.float64] = (running[starts + lengths] - running[starts]).sum(axis=1)
    return sums


def _check(
    loss: NDArray[np.float64], baseline_loss: NDArray[np.float64], block_days: int, draws: int, level: float
) -> None:
    if loss.shape != baseline_loss.shape or loss.ndim != 1:
        raise SettingInvalidError(
            f"daily sums have shapes {loss.shape} and {baseline_loss.shape}; give one number a day for both"
        )
    if block_days < 1 or draws < 1 or not 0 < level < 1:
        raise SettingInvalidError(
            f"block_days = {block_days}, draws = {draws}, level = {level}; give 1 or more, 1 or more, and"
            " a probability between 0 and 1"
        )
