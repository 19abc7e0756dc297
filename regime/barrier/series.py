"""The probability that a driftless random walk touches one of two barriers within the horizon.

The double-barrier series of a Brownian motion (Darling & Siegert 1953; Borodin & Salminen 2002, 3.0.6) is
for a path watched all the time; closes are watched once a day. Broadie, Glasserman & Kou (1997) move each
barrier away by .5826 standard deviations of a step, after which the series is within .012 of the exact
numbers for 14 closes; without it .13 to .16 off.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.targets import FIRST_TOUCH, LOWER, NEITHER, UPPER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.types import TargetSpec

DISCRETE_SHIFT: Final = 0.5826
"""-zeta(1/2) / sqrt(2 pi), Broadie, Glasserman & Kou (1997), theorem 1.1."""

TERMS: Final = 100
PROBABILITY_MIN: Final = 1e-4
"""A probability of the series counts as at least this: markets jump, Brownian motion does not."""

GRID_POINTS: Final = 4001
SIGMA_RANGE: Final = (0.001, 0.25)
"""Daily volatility beyond which the nearer end is taken."""

RATIO_RANGE: Final = (0.05, 20.0)
"""The same for the ratio of two volatilities."""


def touch_probabilities(
    sigma: NDArray[np.float64],
    up: NDArray[np.float64] | float,
    down: NDArray[np.float64] | float,
    closes: int,
) -> NDArray[np.float64]:
    """Give the probabilities of lower barrier, neither, upper barrier, shape (n, 3), each row summing to 1.

    ``sigma``, shape (n,), is the standard deviation of a daily log return; ``up`` and ``down`` are the
    distances of the barriers in log returns, both positive.

    >>> touch_probabilities(np.array([0.02]), np.log(1.1), -np.log(0.95), 14).round(2).tolist()
    [[0.4, 0.45, 0.15]]
    """
    above, below = up + DISCRETE_SHIFT * sigma, down + DISCRETE_SHIFT * sigma
    width = above + below
    n = np.arange(1, TERMS + 1)[:, np.newaxis]
    decay = np.exp(-((n * np.pi * sigma / width) ** 2) * closes / 2) / n

    def touched_first(other: NDArray[np.float64]) -> NDArray[np.float64]:
        waves = (-1.0) ** n * np.sin(n * np.pi * other / width) * decay
        touched: NDArray[np.float64] = other / width + 2 / np.pi * waves.sum(axis=0)
        return touched

    upper, lower = touched_first(below), touched_first(above)
    proba = np.empty((len(sigma), 3))
    proba[:, LOWER], proba[:, NEITHER], proba[:, UPPER] = lower, 1 - lower - upper, upper
    proba = np.clip(proba, PROBABILITY_MIN, 1.0)
    return np.asarray(proba / proba.sum(axis=1, keepdims=True))


def barrier_log_probabilities(
    sigma: NDArray[np.float64], ewma_sigma: NDArray[np.float64], spec: TargetSpec
) -> NDArray[np.float64]:
    """Give log-probabilities of a target's classes for forecast volatilities, shape (n, 3).

    ``sigma`` and ``ewma_sigma``, shape (n,), are daily volatilities: the forecast, and the one that a
    ``vol_scaled`` target puts its barriers by. The series is computed on a grid and interpolated, which
    costs less than 1e-6.

    >>> from regime.targets import target_named
    >>> one = np.array([0.02])
    >>> np.exp(barrier_log_probabilities(one, one, target_named("reference"))).round(2).tolist()
    [[0.4, 0.45, 0.15]]
    """
    if spec.kind == FIRST_TOUCH:
        up, down = float(np.log1p(spec.up)), float(-np.log1p(-spec.down))
        return _interpolated(sigma, *_table(SIGMA_RANGE, up, down, spec.horizon_days))
    # The barriers stand in units of the EWMA over the horizon: only the forecast's ratio to it matters.
    over_horizon = float(np.sqrt(spec.horizon_days))
    up, down = spec.up * over_horizon, spec.down * over_horizon
    return _interpolated(sigma / ewma_sigma, *_table(RATIO_RANGE, up, down, spec.horizon_days))


@lru_cache(maxsize=8)
def _table(
    ends: tuple[float, float], up: float, down: float, closes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the grid and the probabilities on it; kept, since all members and days ask for the same one."""
    grid = np.geomspace(*ends, GRID_POINTS)
    return grid, touch_probabilities(grid, up, down, closes)


def _interpolated(
    at: NDArray[np.float64], grid: NDArray[np.float64], table: NDArray[np.float64]
) -> NDArray[np.float64]:
    place = np.log(np.clip(at, grid[0], grid[-1]))
    columns = [np.interp(place, np.log(grid), table[:, column]) for column in range(table.shape[1])]
    log_proba: NDArray[np.float64] = np.log(np.stack(columns, axis=1))
    return log_proba
