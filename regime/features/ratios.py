"""Arithmetic that stays defined where a market stands still.

A flat bar, a halted week or a day without trades makes denominators vanish. Each feature says what it is
then: a neutral value, never infinity. "Vanishes" is relative to a scale, so that the answer does not depend
on the unit of prices or on the last bit of a sum.
"""

from __future__ import annotations

from typing import Final

from regime.features.expression import Expression, log, smaller
from regime.features.expression import larger as at_least

TIE: Final = 1e-9
"""Relative difference under which two values are the same; a thousandth of a cent on a price of 10,000."""
VARIANCE_FLOOR: Final = 1e-8
"""Smallest daily variance told apart, in squared log returns: a move of one basis point a day."""
RATIO_FLOOR: Final = 0.01
"""Ratios of activity are held within a hundredth and a hundredfold before the logarithm is taken."""


def ratio(
    numerator: Expression, denominator: Expression, *, neutral: float, scale: Expression | float = 0.0
) -> Expression:
    """Give numerator / denominator, and ``neutral`` where the denominator is nothing on ``scale``.

    ``denominator`` is not negative; it is nothing where it does not exceed ``TIE`` times ``scale``.
    NaN in either part gives NaN.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(ratio(field("a"), field("b"), neutral=0.5), a=[1.0, 1.0], b=[4.0, 0.0])
    array([0.25, 0.5 ])
    """
    if isinstance(scale, Expression):
        return Expression("ratio", (numerator, denominator, scale), (neutral, TIE))
    return Expression("ratio_above", (numerator, denominator), (neutral, TIE * scale))


def log_ratio(numerator: Expression, denominator: Expression) -> Expression:
    """Give log(numerator / denominator) of two amounts of activity, held within log .01 and log 100.

    0 where the denominator is nothing: no activity to compare with is the usual activity.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(log_ratio(field("a"), field("b")), a=[1.0, 0.0], b=[1.0, 5.0])
    array([ 0.        , -4.60517019])
    """
    bounded = at_least(ratio(numerator, denominator, neutral=1.0), RATIO_FLOOR)
    return log(smaller(bounded, 1 / RATIO_FLOOR))


def log_variance(variance: Expression) -> Expression:
    """Give the logarithm of daily variances, those under ``VARIANCE_FLOOR`` counted as the floor.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(log_variance(field("a")), a=[0.0]).round(4)
    array([-18.4207])
    """
    return log(at_least(variance, VARIANCE_FLOOR))


def direction(values: Expression) -> Expression:
    """Give -1, 0 or 1 for scale-free values; those within ``TIE`` of zero have no direction.

    >>> from regime.features.engine import evaluate
    >>> from regime.features.expression import field
    >>> evaluate(direction(field("a")), a=[-0.02, 1e-17, 0.3])
    array([-1.,  0.,  1.])
    """
    return Expression("direction", (values,), (TIE,))
