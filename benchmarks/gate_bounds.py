"""What no gate could do better: the same questions asked by one who knows how far chance reaches.

Two answers, both for the challengers of `benchmarks.gate_simulation`:

- `promoted_if_known` asks what the gate asks, at the gate's levels, with the true standard errors in place of
  estimated ones. A better estimate of dependence than eight blocks can come as far as this and no further.
- `best_power` leaves the gate's questions behind: the power of the most powerful test there is (Neyman &
  Pearson 1933) of "better everywhere" against "breaks the crash", of all that let the latter pass with a
  given probability. It knows the whole covariance; a real test does not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

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
from registry.statistics import alpha_spent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from registry.policy import Policy

ROW_VARIANCE: Final = {
    Metric.ACCURACY: (DISCORDANT - DAY_EFFECT**2) / SYMBOLS,
    Metric.LOG_LOSS: ROW_NOISE**2 / SYMBOLS,
}
"""What the rows of a day add to the variance of its mean."""
WAYS: Final = 2
"""Benefit is asked overall and in a crash."""


def promoted_if_known(means: Mapping[Metric, NDArray[np.float64]], policy: Policy) -> NDArray[np.bool_]:
    """Tell which challengers the gate would promote if it knew the standard errors of the regimes.

    ``means`` holds by metric the mean gain in each regime, shape (n_challengers, 5), NaN where a regime never
    occurs; their spread over the challengers, who differ by chance alone, is the standard error.
    """
    safe = np.ones(len(means[policy.metric]), dtype=np.bool_)
    for metric in policy.safety_metrics:
        for regime, mean in zip(REGIMES, means[metric].T, strict=True):
            if not np.isnan(mean).any():
                reach = stats.norm.isf(policy.level(regime)) * mean.std()
                safe &= mean - reach > -policy.margin(metric, regime)
            elif regime in policy.regimes_required:
                safe &= False
    return safe & _better_if_known(means[policy.metric], policy)


def _better_if_known(means: NDArray[np.float64], policy: Policy) -> NDArray[np.bool_]:
    score = means / means.std(axis=0)
    weights = np.array([policy.weights.of(regime) for regime in REGIMES])
    overall = np.nansum(weights * score, axis=1) / math.sqrt(np.sum(weights[~np.isnan(score[0])] ** 2))
    overall[np.nansum(weights * means, axis=1) <= 0] = -np.inf
    crash = np.nan_to_num(score[:, REGIMES.index(Regime.CRASH)], nan=-np.inf)
    least = float(stats.norm.isf(alpha_spent(policy.benefit_alpha, 1) / WAYS))
    return np.asarray(np.maximum(overall, crash) > least, dtype=np.bool_)


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
