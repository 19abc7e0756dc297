"""Forecasts of the coming weeks' volatility, each relative to what a slow EWMA says today.

Three of different kinds: a ridge regression of ratios (HAR, Corsi 2009, in logs and relative to the EWMA),
small trees on the same target, and fear scaled to the symbol. Their geometric mean beats each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import lightgbm
import numpy as np

from regime.barrier.inputs import COLUMNS, RATIOS, RETURNS, SEASONS, SHAPES, VOLUMES
from regime.barrier.parameters import HAR_RIDGE, TREES, TREES_ROUNDS, TREES_ROWS_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Values = NDArray[np.float32]

FEAR: Final = "fear"
HAR: Final = "har"
TREES_SOURCE: Final = "trees"
MEAN: Final = "mean"
SOURCES: Final = (FEAR, HAR, TREES_SOURCE, MEAN)

HAR_INPUTS: Final = (
    "day", "week", "month", "quarter", "year", "fear", "range_month", "market_fear", "return_5",
    "season", "season_63", "season_252", "event_season",
)  # fmt: skip
TREES_INPUTS: Final = (
    *RATIOS, *(name for name in RETURNS if name != "return_5"), *SHAPES[1:], *VOLUMES, *SEASONS,
    "rank_month",
)  # fmt: skip
FORWARD_MIN: Final = 1e-7


def pick(values: Values, names: tuple[str, ...]) -> Values:
    """Give some columns of a table of ``COLUMNS``, shape (n_rows, len(names))."""
    return values[:, [COLUMNS.index(name) for name in names]]


def log_fear_variance(values: Values) -> NDArray[np.float64]:
    """Give the forecast that needs no fit: log of the daily variance that scaled fear says, shape (n_rows,).

    A row whose scaled fear is not known takes its EWMA for it.
    """
    level, fear = pick(values, ("log_ewma", "log_fear")).astype(np.float64).T
    known: NDArray[np.float64] = np.where(np.isnan(fear), level, fear)
    return known


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolatilityForecaster:
    """A fitted forecaster: the ridge's standardisation and coefficients, and the trees if there were rows."""

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    trees: lightgbm.Booster | None

    def sigmas(self, values: Values) -> Mapping[str, NDArray[np.float64]]:
        """Give the forecasts by source: standard deviation of a daily log return, shape (n_rows,)."""
        level = pick(values, ("log_ewma",))[:, 0].astype(np.float64)
        # Summed by row: a matrix product may differ in the last bit with the number of rows.
        ratio = (_ratios(values, self.center, self.scale) * self.coefficients).sum(axis=1)
        logs = {FEAR: log_fear_variance(values), HAR: level + ratio}
        if self.trees is None:
            logs[TREES_SOURCE] = logs[HAR]
        elif len(values):
            logs[TREES_SOURCE] = level + self.trees.predict(pick(values, TREES_INPUTS), num_threads=1)
        else:
            logs[TREES_SOURCE] = level
        logs[MEAN] = (logs[FEAR] + logs[HAR] + logs[TREES_SOURCE]) / 3
        return {name: np.exp(log / 2) for name, log in logs.items()}


def fit_forecaster(
    values: Values, forward_variance: NDArray[np.float64], *, seed: int
) -> VolatilityForecaster:
    """Fit to rows of which the coming variance is known.

    Both learn log(forward variance / EWMA) less its mean: no free level.

    Parameters
    ----------
    values
        Shape (n_rows, len(COLUMNS)).
    forward_variance
        Shape (n_rows,), of ``regime.barrier.inputs``; rows where it is NaN are left out.
    seed
        Of the trees.
    """
    known = np.isfinite(forward_variance) & np.isfinite(pick(values, ("log_ewma",))[:, 0])
    values = values[known]
    target = np.log(np.maximum(forward_variance[known], FORWARD_MIN)) - pick(values, ("log_ewma",))[:, 0]
    if not len(target):
        return _nothing_known()
    target = target - target.mean()
    learnt = np.nan_to_num(pick(values, HAR_INPUTS).astype(np.float64))
    center, scale = learnt.mean(axis=0), learnt.std(axis=0) + 1e-6
    ratios = _ratios(values, center, scale)
    penalty = len(ratios) * HAR_RIDGE * np.eye(ratios.shape[1])
    coefficients = np.linalg.solve(ratios.T @ ratios + penalty, ratios.T @ target)
    trees = _fit_trees(values, target, seed) if len(target) >= TREES_ROWS_MIN else None
    return VolatilityForecaster(center=center, scale=scale, coefficients=coefficients, trees=trees)


def _nothing_known() -> VolatilityForecaster:
    width = len(HAR_INPUTS)
    return VolatilityForecaster(
        center=np.zeros(width), scale=np.ones(width), coefficients=np.zeros(width), trees=None
    )


def _ratios(values: Values, center: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardise; what is not known is 0 before it: no different from the EWMA."""
    return (np.nan_to_num(pick(values, HAR_INPUTS).astype(np.float64)) - center) / scale


def _fit_trees(values: Values, target: NDArray[np.float64], seed: int) -> lightgbm.Booster:
    settings = {
        **TREES,
        "objective": "regression",
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed % (2**31 - 1),
        "verbosity": -1,
    }
    data = lightgbm.Dataset(pick(values, TREES_INPUTS), label=target, params=settings)
    return lightgbm.train(settings, data, num_boost_round=TREES_ROUNDS)
