"""Market structure: distance to extremes, age of extremes, order of averages, runs and breakouts."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from regime.features.expression import average, lag, log
from regime.features.feature import Family, Feature
from regime.features.ratios import direction, ratio
from regime.features.trend import distance_to_mean, in_true_ranges
from regime.features.windows import (
    age_of_highest,
    age_of_lowest,
    deepest_fall,
    highest,
    lowest,
    mean,
    total,
)
from regime.features.windows import streak as longest_streak

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="market_structure")
_YEAR: Final = 252
_STREAK_MAX: Final = 9
_ALIGNED: Final = (1, 10, 20, 50, 200)


def distance_to_year_high(series: Series) -> Expression:
    """Give log(close / highest high of 252 bars)."""
    return log(series.close / highest(series.high, _YEAR))


def distance_to_year_low(series: Series) -> Expression:
    """Give log(close / lowest low of 252 bars)."""
    return log(series.close / lowest(series.low, _YEAR))


def maximum_drawdown(series: Series) -> Expression:
    """Give the log of the deepest fall from a close to a later one within 60 bars, 0 or less."""
    return log(deepest_fall(series.close, 60))


def age_of_high(series: Series, *, length: int) -> Expression:
    """Give the age of the highest high as a share of the window, 0 (today) to 1."""
    return age_of_highest(series.high, length) / (length - 1)


def age_of_low(series: Series, *, length: int) -> Expression:
    """Give the age of the lowest low as a share of the window, 0 (today) to 1."""
    return age_of_lowest(series.low, length) / (length - 1)


def streak(series: Series) -> Expression:
    """Give the number of days running that rose (positive) or fell (negative), 9 at most.

    0 on an unchanged day.
    """
    return longest_streak(direction(series.log_return), _STREAK_MAX)


def average_alignment(series: Series) -> Expression:
    """Give the mean sign of close over 10-day mean over 20 over 50 over 200, -1 to 1."""
    means = [mean(series.close, length) for length in _ALIGNED]
    return average([direction(short / long - 1) for short, long in pairwise(means)])


def breakout(series: Series) -> Expression:
    """Give the close less the highest high of the 20 bars before, in true ranges."""
    return in_true_ranges(series, series.close - lag(highest(series.high, 20), 1), 20)


def breakdown(series: Series) -> Expression:
    """Give the close less the lowest low of the 20 bars before, in true ranges."""
    return in_true_ranges(series, series.close - lag(lowest(series.low, 20), 1), 20)


def choppiness(series: Series) -> Expression:
    """Give the choppiness index of 14 bars: 0 in a straight trend, 100 if the way leads nowhere."""
    walked = total(series.true_range, 14)
    spanned = highest(series.true_high, 14) - lowest(series.true_low, 14)
    wandered = ratio(walked, spanned, neutral=math.sqrt(14), scale=series.close)
    return 100 * log(wandered) / math.log(14)


def above_average_share(series: Series) -> Expression:
    """Give the share of 50 days that closed above their 20-day mean; one upon it counts one half."""
    return 0.5 + mean(direction(distance_to_mean(series, length=20)), 50) / 2


def _age_feature(word: str, length: int) -> Feature:
    extreme = {"high": "highest high", "low": "lowest low"}[word]
    return _FAMILY.of_symbol(
        f"days_since_{word}_{length}",
        partial({"high": age_of_high, "low": age_of_low}[word], length=length),
        f"bars since the {extreme} of {length} bars / {length - 1}, of equals the latest",
        length,
        word,
    )


FEATURES: Final[tuple[Feature, ...]] = (
    _FAMILY.of_symbol(
        "distance_52w_high",
        distance_to_year_high,
        "log(close / highest(high, 252))",
        _YEAR,
        "high close",
        "George and Hwang 2004",
    ),
    _FAMILY.of_symbol(
        "distance_52w_low",
        distance_to_year_low,
        "log(close / lowest(low, 252))",
        _YEAR,
        "low close",
        "George and Hwang 2004",
    ),
    _FAMILY.of_symbol(
        "maximum_drawdown_60",
        maximum_drawdown,
        "log(min(close / highest close before it within the last 60 bars))",
        60,
        "close",
        "Magdon-Ismail and Atiya 2004",
    ),
    *(_age_feature(word, length) for length in (60, 250) for word in ("high", "low")),
    _FAMILY.of_symbol(
        "streak",
        streak,
        "days running with the sign of today's log return, times that sign, 9 at most; 0 if unchanged",
        _STREAK_MAX + 1,
        "close",
    ),
    _FAMILY.of_symbol(
        "average_alignment",
        average_alignment,
        "mean of sign(m(1) - m(10)), sign(m(10) - m(20)), sign(m(20) - m(50)), sign(m(50) - m(200)),"
        " m(n) = mean(close, n)",
        200,
        "close",
    ),
    _FAMILY.of_symbol(
        "breakout_20",
        breakout,
        "(close - highest(high, 20)[1]) / mean(true range, 20); 0 if the true range is nothing",
        21,
        "high low close",
        "Donchian 1960",
    ),
    _FAMILY.of_symbol(
        "breakdown_20",
        breakdown,
        "(close - lowest(low, 20)[1]) / mean(true range, 20); 0 if the true range is nothing",
        21,
        "high low close",
        "Donchian 1960",
    ),
    _FAMILY.of_symbol(
        "choppiness_14",
        choppiness,
        "100 * log(sum(true range, 14) / (highest(true high, 14) - lowest(true low, 14))) / log(14);"
        " 50 if nothing moved",
        15,
        "high low close",
        "Dreiss 1993",
    ),
    _FAMILY.of_symbol(
        "above_average_share_50",
        above_average_share,
        "share of 50 days with close above mean(close, 20), one upon it counts one half",
        69,
        "close",
    ),
)
