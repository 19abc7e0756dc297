"""Rolling statistics that are exact: each value is computed from its own window and from nothing else.

Running sums are faster and drift: after a price of a thousand the window of a penny stock is wrong in the
sixth digit, and the answer depends on where history began. Here row t of a result sees the last ``length``
rows and is NaN before there are that many, or where one of them is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from regime.features.ratios import TIE, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

EMA_SPANS: Final = 3
"""Windows of an exponential mean in spans: three hold 99.75 % of the weight of an infinite one."""


def lag(values: NDArray[np.float64], bars: int) -> NDArray[np.float64]:
    """Give the values of ``bars`` rows ago.

    >>> lag(np.array([1.0, 2.0, 3.0]), 1)
    array([nan,  1.,  2.])
    """
    shifted = np.full(len(values), np.nan)
    shifted[bars:] = values[: max(len(values) - bars, 0)]
    return shifted


def windows(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give the full windows of ``values``, shape (max(n - length + 1, 0), length), oldest first."""
    if len(values) < length:
        return np.empty((0, length))
    return sliding_window_view(values, length)


def total(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling sums.

    >>> total(np.array([1.0, 2.0, 3.0]), 2)
    array([nan,  3.,  5.])
    """
    return weighted(values, np.ones(length))


def mean(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling arithmetic means.

    >>> mean(np.array([1.0, 2.0, 3.0]), 2)
    array([nan, 1.5, 2.5])
    """
    return total(values, length) / length


def weighted(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give rolling weighted sums; the last of ``weights`` belongs to today.

    >>> weighted(np.array([1.0, 2.0, 3.0]), np.array([-1.0, 1.0]))
    array([nan,  1.,  1.])
    """
    if len(values) < len(weights):
        return np.full(len(values), np.nan)
    return _padded(np.correlate(values, weights, "valid"), len(values))


def exponential_mean(
    values: NDArray[np.float64], span: float, length: int | None = None, step: int = 1
) -> NDArray[np.float64]:
    """Give exponential means over the last ``length`` values, the weights renormalised to sum 1.

    The weight falls by 1 - 2 / (span + 1) a value. ``length`` is three spans unless given. With ``step``
    every step-th value counts, back from today: ``step=5`` is weekly, whatever day history began.

    >>> exponential_mean(np.array([1.0, 2.0, 4.0]), 3, length=2).round(4)
    array([   nan, 1.6667, 3.3333])
    """
    return decaying_mean(values, 1 - 2 / (span + 1), length or round(EMA_SPANS * span), step)


def decaying_mean(
    values: NDArray[np.float64], decay: float, length: int, step: int = 1
) -> NDArray[np.float64]:
    """Give means over the last ``length`` values with weights decay^age, renormalised to sum 1.

    >>> decaying_mean(np.array([1.0, 4.0]), 0.5, 2)
    array([nan,  3.])
    """
    weights = decay ** np.arange(length - 1, -1, -1.0)
    spaced = np.zeros((length - 1) * step + 1)
    spaced[::step] = weights / weights.sum()
    return weighted(values, spaced)


def deviation(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling sample standard deviations; exactly 0 where all values are the same up to rounding.

    >>> deviation(np.array([1.0, 2.0, 3.0, 3.0]), 3).round(4)
    array([   nan,    nan, 1.    , 0.5774])
    """
    return np.sqrt(_squares(values, length) / (length - 1))


def skewness(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling skewness, third central moment over sigma cubed; 0 where nothing varies.

    >>> skewness(np.array([0.0, 0.0, 3.0]), 3).round(4)
    array([   nan,    nan, 0.7071])
    """
    return _moment(values, length, 3, neutral=0.0)


def excess_kurtosis(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling excess kurtosis, fourth central moment over variance squared less 3; 0 if nothing varies.

    >>> excess_kurtosis(np.array([-1.0, 1.0, -1.0, 1.0]), 4)
    array([nan, nan, nan, -2.])
    """
    return _moment(values, length, 4, neutral=3.0) - 3.0


def correlation(first: NDArray[np.float64], second: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling Pearson correlations; 0 where either side does not vary.

    >>> correlation(np.array([1.0, 2.0, 4.0]), np.array([3.0, 2.0, 0.0]), 3).round(4)
    array([nan, nan, -1.])
    """
    spread = np.sqrt(_squares(first, length) * _squares(second, length))
    return np.clip(ratio(_products(first, second, length), spread, neutral=0.0), -1.0, 1.0)


def regression_slope(
    dependent: NDArray[np.float64], independent: NDArray[np.float64], length: int
) -> NDArray[np.float64]:
    """Give rolling least-squares slopes; 0 where ``independent`` does not vary.

    >>> regression_slope(np.array([1.0, 3.0, 5.0]), np.array([0.0, 1.0, 2.0]), 3)
    array([nan, nan,  2.])
    """
    products = _products(dependent, independent, length)
    return ratio(products, _squares(independent, length), neutral=0.0)


def slope_in_time(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling least-squares slopes on time, in units of ``values`` a bar.

    >>> slope_in_time(np.array([1.0, 3.0, 5.0]), 3)
    array([nan, nan,  2.])
    """
    time = np.arange(length) - (length - 1) / 2
    return weighted(values, time / np.sum(time**2))


def highest(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling maxima.

    >>> highest(np.array([3.0, 2.0, 1.0]), 2)
    array([nan,  3.,  2.])
    """
    return _padded(windows(values, length).max(axis=1), len(values))


def lowest(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give rolling minima.

    >>> lowest(np.array([3.0, 2.0, 1.0]), 2)
    array([nan,  2.,  1.])
    """
    return -highest(-values, length)


def age_of_highest(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give the bars since the maximum of the window, 0 to length - 1; of equal maxima the latest counts.

    >>> age_of_highest(np.array([1.0, 5.0, 2.0, 5.0]), 3)
    array([nan, nan,  1.,  0.])
    """
    window = windows(values, length)
    top = window.max(axis=1, keepdims=True)
    is_top = window >= top - TIE * np.abs(top)
    age = is_top[:, ::-1].argmax(axis=1) + 0.0 * top[:, 0]
    return _padded(age, len(values))


def age_of_lowest(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give the bars since the minimum of the window, 0 to length - 1; of equal minima the latest counts.

    >>> age_of_lowest(np.array([1.0, 5.0, 2.0, 5.0]), 3)
    array([nan, nan,  2.,  1.])
    """
    return age_of_highest(-values, length)


def rank_of_last(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give the rank r of today's value in its window as (r - 1/2) / length, within 0 and 1; ties share.

    Values are scale-free: those within ``TIE`` of each other are equal.

    >>> rank_of_last(np.array([1.0, 2.0, 3.0, 2.0]), 4)
    array([nan, nan, nan, 0.5])
    """
    window = windows(values, length)
    beyond = window - window[:, -1:]
    below = (beyond < -TIE).sum(axis=1)
    equal = (np.abs(beyond) <= TIE).sum(axis=1)
    known = 0.0 * window.max(axis=1)
    return _padded((below + equal / 2) / length + known, len(values))


def deepest_fall(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Give the lowest of value / highest value before it within the window: 0.8 is a fall of 20 %.

    >>> deepest_fall(np.array([10.0, 8.0, 9.0]), 3)
    array([nan, nan, 0.8])
    """
    window = windows(values, length)
    fallen = window / np.maximum.accumulate(window, axis=1)
    return _padded(fallen.min(axis=1), len(values))


def _padded(values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    return np.concatenate([np.full(rows - len(values), np.nan), values])


def _centred(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    window = windows(values, length)
    centre: NDArray[np.float64] = window.mean(axis=1, keepdims=True)
    return window - centre


def _squares(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Sum of squared deviations from the window's mean, 0 where they are nothing but rounding."""
    squares = np.sum(_centred(values, length) ** 2, axis=1)
    level = np.sum(windows(values, length) ** 2, axis=1)
    return _padded(np.where(squares <= TIE**2 * level, 0.0, squares), len(values))


def _products(first: NDArray[np.float64], second: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    return _padded(np.sum(_centred(first, length) * _centred(second, length), axis=1), len(first))


def _moment(values: NDArray[np.float64], length: int, order: int, *, neutral: float) -> NDArray[np.float64]:
    power = _padded(np.mean(_centred(values, length) ** order, axis=1), len(values))
    variance = _squares(values, length) / length
    return ratio(power, variance ** (order / 2), neutral=neutral)
