"""What no gate could do better: the power of the most powerful test there is (Neyman & Pearson 1933).

Of "better everywhere" against "breaks the crash", for the challengers of `benchmarks.gate_simulation`, of all
tests that let the latter pass with a given probability. It knows the whole covariance; a real test does not.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import stats

from benchmarks.gate_simulation import (
    DAY_EFFECT,
    DISCORDANT,
    ROW_NOISE,
    SYMBOLS,
    Condition,
    Scenario,
    calendar,
)
from regime.types import REGIMES, Regime
from registry.policy import Metric

ROW_VARIANCE: Final = {
    Metric.ACCURACY: (DISCORDANT - DAY_EFFECT**2) / SYMBOLS,
    Metric.LOG_LOSS: ROW_NOISE**2 / SYMBOLS,
}
"""What the rows of a day add to the variance of its mean."""


def best_power(
    metric: Metric, condition: Condition, better: Scenario, worse: Scenario, *, passes: float
) -> dict[str, float]:
    """Give the greatest power for ``better`` of tests that ``worse`` passes with probability ``passes``.

    Of tests that look at the mean over the crash days, and of those that look at every day, also those before
    and after a crash, and weigh them by the whole covariance (generalized least squares), with the gains in
    the other regimes unknown. Days are taken for normal.
    """
    regime = calendar(better, condition.episodes)
    lag = np.abs(np.subtract.outer(np.arange(len(regime)), np.arange(len(regime))))
    covariance = DAY_EFFECT**2 * condition.autocorrelation**lag + ROW_VARIANCE[metric] * np.eye(len(regime))
    inside = np.column_stack([regime == each.value for each in REGIMES]).astype(np.float64)
    crash = REGIMES.index(Regime.CRASH)
    days = inside[:, crash] / inside[:, crash].sum()
    of_all = np.linalg.inv(inside.T @ np.linalg.solve(covariance, inside))[crash, crash]
    apart = better.gains[Regime.CRASH] - worse.gains[Regime.CRASH]

    def power(variance: float) -> float:
        return float(stats.norm.cdf(apart / math.sqrt(variance) - stats.norm.isf(passes)))

    return {"crash mean": power(days @ covariance @ days), "every day": power(of_all)}
