"""The few statistics that the gate needs, exact and light: numpy and the standard library only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_NORMAL: Final = NormalDist()
P_CERTAIN: Final = 1e-12
DECIMALS: Final = 12
"""Gains are rounded here: what is smaller is arithmetic, not evidence, and differs between machines."""


def student_t_tail(t: float, degrees: int) -> float:
    """Give the probability that Student's t exceeds ``t``, for whole degrees of freedom.

    The finite trigonometric series (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4), exact but for
    rounding: absolute error under 1e-14 for up to a hundred degrees.

    >>> round(student_t_tail(1.4149239276505072, 7), 12)
    0.1
    """
    if degrees < 1:
        msg = f"degrees = {degrees}: give one or more"
        raise ValueError(msg)
    angle = math.atan(abs(t) / math.sqrt(degrees))
    cosine = math.cos(angle)
    odd = degrees % 2
    term = math.sin(angle) * (cosine if odd else 1.0)
    inside = 0.0
    for k in range(1 + odd, degrees, 2):
        inside += term
        term *= k / (k + 1) * cosine**2
    if odd:
        inside = 2 / math.pi * (angle + inside)
    upper = max(0.0, (1.0 - inside) / 2)
    return upper if t >= 0 else 1.0 - upper


@lru_cache(maxsize=256)
def student_t_quantile(tail: float, degrees: int) -> float:
    """Give the t that Student's t exceeds with probability ``tail``, 0 < tail < 0.5, by bisection.

    >>> round(student_t_quantile(0.10, 7), 9)
    1.414923928
    """
    if not 0 < tail < 0.5:  # noqa: PLR2004 - half the mass lies above zero
        msg = f"tail = {tail}: give a probability between 0 and 0.5"
        raise ValueError(msg)
    low, high = 0.0, 1.0
    while student_t_tail(high, degrees) > tail:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        if student_t_tail(middle, degrees) > tail:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTest:
    """A mean gain with its standard error and degrees of freedom, ready for one-sided bounds."""

    mean: float
    error: float
    degrees: int

    def lower(self, alpha: float) -> float:
        """Give the one-sided lower bound at level ``alpha``."""
        return _rounded(self.mean - student_t_quantile(alpha, self.degrees) * self.error)

    def upper(self, alpha: float) -> float:
        """Give the one-sided upper bound at level ``alpha``."""
        return _rounded(self.mean + student_t_quantile(alpha, self.degrees) * self.error)

    def p_positive(self) -> float:
        """Give the one-sided p-value against "the gain is zero or less".

        Without any spread the sign of the mean decides: no gain at all is never evidence of one.
        """
        if self.error == 0:
            return 0.0 if self.mean > 0 else 1.0
        return _rounded(student_t_tail(self.mean / self.error, self.degrees))


def block_test(daily: NDArray[np.float64], blocks: int) -> BlockTest:
    """Test the mean of a dependent daily series by the t statistic of its block means.

    The days, shape (n_days,) in date order, are cut into ``blocks`` runs of nearly equal length. Their
    means are nearly independent and normal where dependence is short against a run, and the t test over
    them holds its level also when their variances differ: proven for two-sided levels up to .083, and up
    to .10 for 14 blocks or fewer (Bakirov & Szekely 2005; Ibragimov & Mueller 2010, section 2.2). A
    one-sided .10 is looser than that; what it costs is measured by ``benchmarks/gate.py``.

    >>> block_test(np.array([1.0, 1.0, 3.0, 3.0]), 2).mean
    2.0
    """
    if len(daily) < blocks:
        msg = f"{len(daily)} days cannot be cut into {blocks} blocks"
        raise ValueError(msg)
    means = _block_means(daily, blocks)
    mean = math.fsum(means) / blocks
    squares = math.fsum((each - mean) ** 2 for each in means)
    return BlockTest(
        mean=_rounded(mean),
        error=_rounded(math.sqrt(squares / (blocks - 1) / blocks)),
        degrees=blocks - 1,
    )


def _block_means(daily: NDArray[np.float64], blocks: int) -> list[float]:
    """Give the means of ``blocks`` runs of days; the first runs are a day longer if they cannot be equal."""
    short, longer = divmod(len(daily), blocks)
    lengths = np.full(blocks, short)
    lengths[:longer] += 1
    starts = np.cumsum(lengths) - lengths
    return [round(each, DECIMALS) for each in (np.add.reduceat(daily, starts) / lengths).tolist()]


def weighted_mean(values: Sequence[float], weights: Sequence[float]) -> float:
    """Give the weighted mean of some gains.

    >>> weighted_mean([0.1, 0.4], [2.0, 1.0])
    0.2
    """
    total = math.fsum(value * weight for value, weight in zip(values, weights, strict=True))
    return _rounded(total / math.fsum(weights))


def combined_p(tests: Sequence[BlockTest], weights: Sequence[float]) -> float:
    """Give the one-sided p-value of independent gains taken together, weighted by importance.

    Their normal scores are averaged (Stouffer et al. 1949; weights after Liptak 1958). A test counts by how
    sure it is and not by its spread, so that one wild regime cannot drown what the others show. Scores are
    capped at a p of 1e-12: no single test is certainty. A regime without any difference scores zero.

    >>> each = BlockTest(mean=0.1, error=0.05, degrees=7)
    >>> round(each.p_positive(), 4), round(combined_p([each, each], [1.0, 1.0]), 4)
    (0.0428, 0.0075)
    """
    total = math.fsum(weight * _score(test) for test, weight in zip(tests, weights, strict=True))
    return _rounded(_NORMAL.cdf(-total / math.sqrt(math.fsum(weight**2 for weight in weights))))


def _score(test: BlockTest) -> float:
    """Give the normal score of a gain, positive if it is one."""
    if test.mean == 0:
        return 0.0
    return -_NORMAL.inv_cdf(min(max(test.p_positive(), P_CERTAIN), 1 - P_CERTAIN))


def alpha_spent(alpha: float, position: int) -> float:
    """Give the level of the ``position``-th test of a series without end whose levels sum to ``alpha``.

    ``alpha * 6 / (pi * position)**2``, since the inverse squares sum to pi**2 / 6 (Euler 1735).

    >>> round(alpha_spent(0.05, 1), 6), round(alpha_spent(0.05, 10), 6)
    (0.030396, 0.000304)
    """
    return alpha * 6 / (math.pi * position) ** 2


def log_losses(
    probabilities: NDArray[np.float64], truth: NDArray[np.integer], probability_min: float
) -> NDArray[np.float64]:
    """Give the log-loss of each row in nats, shape (n_rows,).

    ``probabilities`` has shape (n_rows, n_classes); they are raised to ``probability_min`` and scaled to
    sum to one first.
    """
    raised = np.maximum(probabilities.astype(np.float64), probability_min)
    chosen = raised[np.arange(len(truth)), truth] / raised.sum(axis=1)
    return np.asarray(-np.log(chosen), dtype=np.float64)


def hits(probabilities: NDArray[np.float64], truth: NDArray[np.integer]) -> NDArray[np.float64]:
    """Give 1.0 for each row whose most probable class is the truth, else 0.0; of equals the first counts."""
    return np.asarray(probabilities.argmax(axis=1) == truth, dtype=np.float64)


def daily_means(date: NDArray[np.datetime64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean over the rows of each day, in date order; one value a day, however many symbols."""
    days, day = np.unique(date, return_inverse=True)
    totals = np.bincount(day, weights=values, minlength=len(days))
    return np.asarray(totals / np.bincount(day, minlength=len(days)), dtype=np.float64)


def _rounded(value: float | np.floating) -> float:
    """Round to `DECIMALS` and give zero one sign."""
    return round(float(value), DECIMALS) + 0.0
