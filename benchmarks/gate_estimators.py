"""Other tests than the gate's, put to its questions at its levels on the same challengers.

The gate takes the standard error of a mean from block means. Here are fewer and more blocks, and what the
literature offers beside them, all vectorised:

- ``cosines``: the equal-weighted cosine estimate of the long-run variance with .4 n^(2/3) terms (Lazarus,
  Lewis, Stock and Watson 2018, JBES 36), which is what they advise instead of Newey and West;
- ``pooled``: blocks whose standard error is raised by what the autocorrelation of all regimes together,
  tapered over thirty days (Bartlett), says that neighbouring blocks share;
- ``known``: the true standard error, here the spread over the challengers. Nothing that only estimates it
  better can come further.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from regime.types import REGIMES, Regime
from registry.statistics import alpha_spent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from registry.policy import Metric, Policy

LAGS: Final = 30
WAYS: Final = 2
"""Benefit is asked overall and in a crash."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tested:
    """The mean gain of each challenger in one regime, its standard error, and the degrees of Student's t."""

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    degrees: float


Estimator = Callable[["NDArray[np.float64]", "Sequence[NDArray[np.intp]]"], list[Tested | None]]
"""Tests gains of shape (n_challengers, n_days) in regimes, each given as the places of its days."""


def blocks(count: int) -> Estimator:
    """Test by ``count`` blocks in every regime."""
    return lambda gains, regimes: [_by_blocks(gains[:, at], count) if len(at) else None for at in regimes]


def cosines(gains: NDArray[np.float64], regimes: Sequence[NDArray[np.intp]]) -> list[Tested | None]:
    """Test by the equal-weighted cosine estimate."""
    return [_by_cosines(gains[:, at]) if len(at) else None for at in regimes]


def known(gains: NDArray[np.float64], regimes: Sequence[NDArray[np.intp]]) -> list[Tested | None]:
    """Test by the spread of the challengers, who differ by chance alone."""
    means = [gains[:, at].mean(axis=1) if len(at) else None for at in regimes]
    return [
        None if each is None else Tested(mean=each, error=np.full_like(each, each.std()), degrees=math.inf)
        for each in means
    ]


def pooled(count: int) -> Estimator:
    """Test by blocks whose error is raised by what neighbouring blocks share."""

    def tests(gains: NDArray[np.float64], regimes: Sequence[NDArray[np.intp]]) -> list[Tested | None]:
        shared = _autocorrelation(gains, regimes)
        return [_raised(gains, at, count, shared) if len(at) else None for at in regimes]

    return tests


ESTIMATORS: Final[Mapping[str, Estimator]] = {
    "4 blocks": blocks(4),
    "8 blocks": blocks(8),
    "12 blocks": blocks(12),
    "cosines": cosines,
    "8, pooled": pooled(8),
    "12, pooled": pooled(12),
    "known": known,
}


def promotable(tests: Mapping[Metric, Sequence[Tested | None]], policy: Policy) -> NDArray[np.bool_]:
    """Tell which challengers are safe and better at the levels of ``policy``; suspicion is left out."""
    safe = _better(tests[policy.metric], policy)
    for metric in policy.safety_metrics:
        for regime, test in zip(REGIMES, tests[metric], strict=True):
            if test is not None:
                reach = stats.t.isf(policy.level(regime), test.degrees) * test.error
                safe &= test.mean - reach > -policy.margin(metric, regime)
            elif regime in policy.regimes_required:
                safe &= False
    return safe


def _better(tests: Sequence[Tested | None], policy: Policy) -> NDArray[np.bool_]:
    seen = {regime: test for regime, test in zip(REGIMES, tests, strict=True) if test is not None}
    weights = {regime: policy.weights.of(regime) for regime in seen}
    # Above and below alike, so that neither end of the p-value is lost in rounding.
    scores = {
        regime: np.sign(test.mean) * stats.norm.isf(stats.t.sf(np.abs(test.mean / test.error), test.degrees))
        for regime, test in seen.items()
    }
    overall = sum(weights[regime] * scores[regime] for regime in seen) / math.hypot(*weights.values())
    gain = sum(weights[regime] * test.mean for regime, test in seen.items())
    best = np.where(gain > 0, overall, -np.inf)
    if Regime.CRASH in scores:
        best = np.maximum(best, scores[Regime.CRASH])
    least = float(stats.norm.isf(alpha_spent(policy.benefit_alpha, 1) / WAYS))
    return np.asarray(best > least, dtype=np.bool_)


def _by_blocks(daily: NDArray[np.float64], count: int) -> Tested:
    means = daily @ _averages(daily.shape[1], count)
    error = means.std(axis=1, ddof=1) / math.sqrt(count)
    return Tested(mean=means.mean(axis=1), error=error, degrees=count - 1)


def _by_cosines(daily: NDArray[np.float64]) -> Tested:
    n = daily.shape[1]
    terms = max(2, int(0.4 * n ** (2 / 3)))
    angle = math.pi * np.outer(np.arange(n) + 0.5, np.arange(1, terms + 1)) / n
    long_run = np.mean((daily @ (math.sqrt(2 / n) * np.cos(angle))) ** 2, axis=1)
    return Tested(mean=daily.mean(axis=1), error=np.sqrt(long_run / n), degrees=terms)


def _averages(n_days: int, count: int) -> NDArray[np.float64]:
    """Give the matrix, shape (n_days, count), that takes days to the means of their blocks."""
    block = np.repeat(np.arange(count), [len(part) for part in np.array_split(np.arange(n_days), count)])
    inside = block[:, None] == np.arange(count)
    return np.asarray(inside / inside.sum(axis=0))


def _autocorrelation(gains: NDArray[np.float64], regimes: Sequence[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Give the tapered autocorrelation of each challenger, shape (n_challengers, LAGS + 1)."""
    scaled = np.empty_like(gains)
    for at in regimes:
        own = gains[:, at]
        scaled[:, at] = (own - own.mean(axis=1, keepdims=True)) / own.std(axis=1, keepdims=True)
    n = gains.shape[1]
    products = [np.einsum("ij,ij->i", scaled[:, lag:], scaled[:, : n - lag]) / n for lag in range(LAGS + 1)]
    return np.asarray(np.column_stack(products) * (1 - np.arange(LAGS + 1) / (LAGS + 1)))


def _raised(
    gains: NDArray[np.float64], at: NDArray[np.intp], count: int, shared: NDArray[np.float64]
) -> Tested:
    """Give the block test, its squared error raised to what it estimates on average to what is true."""
    test, averages = _by_blocks(gains[:, at], count), _averages(len(at), count)
    lag = np.abs(np.subtract.outer(at, at))
    of_mean, of_blocks = np.empty(LAGS + 1), np.empty(LAGS + 1)
    for each in range(LAGS + 1):
        between = averages.T @ (lag == each) @ averages
        of_mean[each], of_blocks[each] = between.mean(), np.trace(between) / count
    true = shared @ of_mean
    estimated = (shared @ of_blocks - true) / (count - 1)
    return Tested(
        mean=test.mean,
        error=test.error * np.sqrt(np.maximum(true / np.maximum(estimated, 1e-9), 1)),
        degrees=test.degrees,
    )
