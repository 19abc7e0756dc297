"""Rolling kernels: each value depends on the last ``length`` rows and on nothing else.

Running sums are faster to write and drift: after a price of a thousand the window of a penny stock is wrong
in the sixth digit, and the answer depends on where history began. Here row t of a result sees the last
``length`` rows and is NaN before there are that many, or where one of them is NaN. ``pyramids`` says how
that is computed without walking the window for each row.
"""

from __future__ import annotations

from typing import Final

from regime.features.expression import Expression, lag, larger, smaller, square_root
from regime.features.ratios import TIE, ratio

EMA_SPANS: Final = 3
"""Windows of an exponential mean in spans: three hold 99.75 % of the weight of an infinite one."""


def total(values: Expression, length: int, step: int = 1) -> Expression:
    """Give rolling sums of ``length`` values; with ``step`` of every step-th one, back from today.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(total(field("x"), 2), x=[1.0, 2.0, 3.0])
    array([nan,  3.,  5.])
    """
    return Expression("total", (values,), (length, step))


def mean(values: Expression, length: int) -> Expression:
    """Give rolling arithmetic means.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(mean(field("x"), 2), x=[1.0, 2.0, 3.0])
    array([nan, 1.5, 2.5])
    """
    return total(values, length) / length


def exponential_mean(values: Expression, span: float, length: int | None = None, step: int = 1) -> Expression:
    """Give exponential means over the last ``length`` values, the weights renormalised to sum 1.

    The weight falls by 1 - 2 / (span + 1) a value. ``length`` is three spans unless given. With ``step``
    every step-th value counts, back from today: ``step=5`` is weekly, whatever day history began.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(exponential_mean(field("x"), 3, length=2), x=[1.0, 2.0, 4.0]).round(4)
    array([   nan, 1.6667, 3.3333])
    """
    return decaying_mean(values, 1 - 2 / (span + 1), length or round(EMA_SPANS * span), step)


def decaying_mean(values: Expression, decay: float, length: int, step: int = 1) -> Expression:
    """Give means over the last ``length`` values with weights decay^age, renormalised to sum 1.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(decaying_mean(field("x"), 0.5, 2), x=[1.0, 4.0])
    array([nan,  3.])
    """
    weights = sum(decay**age for age in range(length))
    return Expression("decaying_total", (values,), (decay, length, step)) / weights


def deviation(values: Expression, length: int) -> Expression:
    """Give rolling sample standard deviations; exactly 0 where all values are the same up to rounding.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(deviation(field("x"), 3), x=[1.0, 2.0, 3.0, 3.0]).round(4)
    array([   nan,    nan, 1.    , 0.5774])
    """
    return square_root(squares(values, length) / (length - 1))


def skewness(values: Expression, length: int) -> Expression:
    """Give rolling skewness, third central moment over sigma cubed; 0 where nothing varies.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(skewness(field("x"), 3), x=[0.0, 0.0, 3.0]).round(4)
    array([   nan,    nan, 0.7071])
    """
    variance = squares(values, length) / length
    cubes = Expression("cubes", (values,), (length,))
    return ratio(cubes / length, variance * square_root(variance), neutral=0.0)


def excess_kurtosis(values: Expression, length: int) -> Expression:
    """Give rolling excess kurtosis, fourth central moment over variance squared less 3; 0 if nothing varies.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(excess_kurtosis(field("x"), 4), x=[-1.0, 1.0, -1.0, 1.0])
    array([nan, nan, nan, -2.])
    """
    variance = squares(values, length) / length
    fourths = Expression("fourths", (values,), (length,))
    return ratio(fourths / length, variance * variance, neutral=3.0) - 3.0


def correlation(first: Expression, second: Expression, length: int) -> Expression:
    """Give rolling Pearson correlations; 0 where either side does not vary.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(correlation(field("x"), field("y"), 3), x=[1.0, 2.0, 4.0], y=[3.0, 2.0, 0.0]).round(4)
    array([nan, nan, -1.])
    """
    spread = square_root(squares(first, length) * squares(second, length))
    return _within_one(ratio(products(first, second, length), spread, neutral=0.0))


def correlation_with_time(values: Expression, length: int) -> Expression:
    """Give rolling correlations with the number of the bar; 0 where nothing varies.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(correlation_with_time(field("x"), 3), x=[1.0, 2.0, 3.0])
    array([nan, nan,  1.])
    """
    spread = square_root(squares(values, length) * _squares_of_time(length))
    return _within_one(ratio(_products_with_time(values, length), spread, neutral=0.0))


def regression_slope(dependent: Expression, independent: Expression, length: int) -> Expression:
    """Give rolling least-squares slopes; 0 where ``independent`` does not vary.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(regression_slope(field("y"), field("x"), 3), y=[1.0, 3.0, 5.0], x=[0.0, 1.0, 2.0])
    array([nan, nan,  2.])
    """
    return ratio(products(dependent, independent, length), squares(independent, length), neutral=0.0)


def slope_in_time(values: Expression, length: int) -> Expression:
    """Give rolling least-squares slopes on time, in units of ``values`` a bar.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(slope_in_time(field("x"), 3), x=[1.0, 3.0, 5.0])
    array([nan, nan,  2.])
    """
    return _products_with_time(values, length) / _squares_of_time(length)


def highest(values: Expression, length: int) -> Expression:
    """Give rolling maxima.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(highest(field("x"), 2), x=[3.0, 2.0, 1.0])
    array([nan,  3.,  2.])
    """
    return Expression("highest", (values,), (length,))


def lowest(values: Expression, length: int) -> Expression:
    """Give rolling minima.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(lowest(field("x"), 2), x=[3.0, 2.0, 1.0])
    array([nan,  2.,  1.])
    """
    return Expression("lowest", (values,), (length,))


def age_of_highest(values: Expression, length: int) -> Expression:
    """Give the bars since the maximum of the window, 0 to length - 1; of equal maxima the latest counts.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(age_of_highest(field("x"), 3), x=[1.0, 5.0, 2.0, 5.0])
    array([nan, nan,  1.,  0.])
    """
    return Expression("age_of_highest", (values, highest(values, length)), (length, TIE))


def age_of_lowest(values: Expression, length: int) -> Expression:
    """Give the bars since the minimum of the window, 0 to length - 1; of equal minima the latest counts.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(age_of_lowest(field("x"), 3), x=[1.0, 5.0, 2.0, 5.0])
    array([nan, nan,  2.,  1.])
    """
    return age_of_highest(-values, length)


def rank_of_last(values: Expression, length: int) -> Expression:
    """Give the rank r of today's value in its window as (r - 1/2) / length, within 0 and 1; ties share.

    Values are scale-free: those within ``TIE`` of each other are equal.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(rank_of_last(field("x"), 4), x=[1.0, 2.0, 3.0, 2.0])
    array([nan, nan, nan, 0.5])
    """
    return Expression("rank_of_last", (values, total(values, length)), (length, TIE))


def deepest_fall(values: Expression, length: int) -> Expression:
    """Give the lowest of value / highest value before it within the window: 0.8 is a fall of 20 %.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(deepest_fall(field("x"), 3), x=[10.0, 8.0, 9.0])
    array([nan, nan, 0.8])
    """
    return Expression("deepest_fall", (values,), (length,))


def mean_distance(values: Expression, length: int) -> Expression:
    """Give the mean absolute distance of a window's values from their mean.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(mean_distance(field("x"), 2), x=[1.0, 2.0])
    array([nan, 0.5])
    """
    return Expression("distances", (values, mean(values, length)), (length,)) / length


def streak(direction: Expression, length: int) -> Expression:
    """Give how many rows running had today's direction, times that direction, ``length`` at most.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(streak(field("x"), 3), x=[1.0, -1.0, -1.0, -1.0, -1.0])
    array([nan, nan, -2., -3., -3.])
    """
    return Expression("streak", (direction,), (length,))


def last_swing(values: Expression, width: int, window: int) -> Expression:
    """Give the latest swing high confirmed in the last ``window`` rows, else the highest of the window.

    A swing high is the middle and the highest of ``width`` rows; it is known half a width later.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> bars = [*range(1, 41), 39.0, 38.0]
    >>> float(evaluate(last_swing(field("x"), 5, 36), x=bars)[-1])
    40.0
    """
    summit = highest(values, width)
    fallback = highest(values, window + width - 1)
    return Expression("last_swing", (lag(values, width // 2), summit, fallback), (window,))


def squares(values: Expression, length: int) -> Expression:
    """Give sums of squared deviations from the window's mean, 0 where they are nothing but rounding."""
    return Expression("squares", (values,), (length, TIE))


def products(first: Expression, second: Expression, length: int) -> Expression:
    """Give sums of products of deviations from the two windows' means."""
    return Expression("products", (first, second), (length,))


def _products_with_time(values: Expression, length: int) -> Expression:
    return Expression("products_with_time", (values,), (length,))


def _squares_of_time(length: int) -> float:
    """Sum of squared distances of 1, 2, ..., length from their mean."""
    return length * (length**2 - 1) / 12


def _within_one(values: Expression) -> Expression:
    return smaller(larger(values, -1.0), 1.0)
