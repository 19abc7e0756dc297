"""Arithmetic that stays defined where a market stands still.

A flat bar, a halted week or a day without trades makes denominators vanish. Each feature says what it is
then: a neutral value, never infinity. "Vanishes" is relative to a scale, so that the answer does not depend
on the unit of prices or on the last bit of a sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TIE: Final = 1e-9
"""Relative difference under which two values are the same; a thousandth of a cent on a price of 10,000."""
VARIANCE_FLOOR: Final = 1e-8
"""Smallest daily variance told apart, in squared log returns: a move of one basis point a day."""
RATIO_FLOOR: Final = 0.01
"""Ratios of activity are held within a hundredth and a hundredfold before the logarithm is taken."""


def ratio(
    numerator: NDArray[np.float64],
    denominator: NDArray[np.float64],
    *,
    neutral: float,
    scale: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Give numerator / denominator, and ``neutral`` where the denominator is nothing on ``scale``.

    ``denominator`` is not negative; it is nothing where it does not exceed ``TIE`` times ``scale``.
    NaN in either part gives NaN.

    >>> ratio(np.array([1.0, 1.0]), np.array([4.0, 0.0]), neutral=0.5)
    array([0.25, 0.5 ])
    """
    vanishes = denominator <= TIE * np.asarray(scale)
    safe = np.where(vanishes, 1.0, denominator)
    unknown = np.isnan(numerator)
    return np.where(vanishes & ~unknown, neutral, numerator / safe)


def log_ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give log(numerator / denominator) of two amounts of activity, held within log .01 and log 100.

    0 where the denominator is nothing: no activity to compare with is the usual activity.

    >>> log_ratio(np.array([1.0, 0.0]), np.array([1.0, 5.0]))
    array([ 0.        , -4.60517019])
    """
    bounded = np.clip(ratio(numerator, denominator, neutral=1.0), RATIO_FLOOR, 1 / RATIO_FLOOR)
    return np.log(bounded)


def log_variance(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the logarithm of daily variances, those under ``VARIANCE_FLOOR`` counted as the floor.

    >>> float(log_variance(np.array([0.0]))[0]) == float(np.log(1e-8))
    True
    """
    return np.log(np.maximum(variance, VARIANCE_FLOOR))


def average(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Give the mean of several features of the same rows, row by row.

    >>> average([np.array([1.0, 2.0]), np.array([3.0, 4.0])])
    array([2., 3.])
    """
    means: NDArray[np.float64] = np.mean(parts, axis=0)
    return means


def direction(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give -1, 0 or 1 for scale-free values; those within ``TIE`` of zero have no direction.

    >>> direction(np.array([-0.02, 1e-17, 0.3]))
    array([-1.,  0.,  1.])
    """
    return np.where(np.isnan(values), np.nan, np.where(np.abs(values) <= TIE, 0.0, np.sign(values)))
