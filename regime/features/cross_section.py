"""Comparisons of the symbols of one day.

A group is the rows of one day, or of one day and sector. Kernels take values and group numbers 0, 1, ...,
both of shape (n_rows,), values known everywhere. A group of one is defined: it is its own middle.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.features.ratios import TIE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Comparison(Enum):
    """How a symbol is compared with its group; the value is the code by which ``_engine.c`` knows it."""

    RANK = 0
    MEAN = 1
    FROM_MEAN = 2
    DEVIATION = 3
    RISING = 4


_RANKED_DECIMALS: Final = 9
"""Values that agree to this many decimals share a rank, so that rounding decides no order."""


def group_rank(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give the rank r of each value in its group of n as (r - 1/2) / n, within 0 and 1; ties share.

    >>> group_rank(np.array([3.0, 1.0, 3.0, 9.0]), np.array([0, 0, 0, 1])).round(4)
    array([0.6667, 0.1667, 0.6667, 0.5   ])
    """
    if not len(values):
        return values
    rounded = np.round(values, _RANKED_DECIMALS)
    order = np.lexsort((rounded, groups))
    group, value = groups[order], rounded[order]
    starts_group = np.r_[True, group[1:] != group[:-1]]
    starts_tie = starts_group | np.r_[True, value[1:] != value[:-1]]
    group_start, group_size = _run(starts_group)
    tie_start, tie_size = _run(starts_tie)
    ranks = np.empty(len(values))
    ranks[order] = (tie_start - group_start + tie_size / 2) / group_size
    return ranks


def group_mean(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each row the mean of its group.

    >>> group_mean(np.array([1.0, 3.0, 9.0]), np.array([0, 0, 1]))
    array([2., 2., 9.])
    """
    size = np.maximum(np.bincount(groups), 1)
    return (np.bincount(groups, values) / size)[groups]


def from_group_mean(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each value less the mean of its group.

    >>> from_group_mean(np.array([1.0, 3.0, 9.0]), np.array([0, 0, 1]))
    array([-1.,  1.,  0.])
    """
    return values - group_mean(values, groups)


def group_deviation(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each row the standard deviation of its group, divisor n.

    >>> group_deviation(np.array([1.0, 3.0, 9.0]), np.array([0, 0, 1]))
    array([1., 1., 0.])
    """
    return np.sqrt(group_mean(from_group_mean(values, groups) ** 2, groups))


def rising_part(values: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each row the share of its group above zero; a zero counts one half.

    >>> rising_part(np.array([1.0, 0.0, -2.0, 5.0]), np.array([0, 0, 0, 0]))
    array([0.625, 0.625, 0.625, 0.625])
    """
    sign = np.where(np.abs(values) <= TIE, 0.0, np.sign(values))
    return 0.5 + group_mean(sign, groups) / 2


def _run(starts: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row of sorted runs: where its run starts, and how long it is."""
    first = np.flatnonzero(starts)
    size = np.diff(np.r_[first, len(starts)])
    run = np.cumsum(starts) - 1
    return first[run], size[run]


KERNELS: Final[dict[Comparison, Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]]]] = {
    Comparison.RANK: group_rank,
    Comparison.MEAN: group_mean,
    Comparison.FROM_MEAN: from_group_mean,
    Comparison.DEVIATION: group_deviation,
    Comparison.RISING: rising_part,
}
