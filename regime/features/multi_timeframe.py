"""Multi-timeframe: weeks, months, quarters and years as blocks of bars that end today.

A week is five bars counted back from the day itself, so that the phase never depends on history.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, average, lag, larger
from regime.features.feature import Family, Feature
from regime.features.momentum import log_return
from regime.features.ratios import direction, log_ratio, ratio
from regime.features.volatility import channel_width
from regime.features.windows import deviation, exponential_mean, highest, lowest, total

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="multi_timeframe")
_WEEK, _MONTH, _YEAR = 5, 20, 252
_HORIZONS: Final = (5, 20, 60, 250)
_FAST, _SLOW, _SIGNAL = 6, 13, 5
_SLOW_LENGTH, _SIGNAL_LENGTH = 39, 12


def coarse_relative_strength(series: Series, *, step: int, count: int) -> Expression:
    """Give the relative strength index of ``count`` changes over ``step`` bars each, 0 to 100."""
    change = series.close - lag(series.close, step)
    rises, moves = total(larger(change, 0.0), count, step), total(absolute(change), count, step)
    return 100 * ratio(rises, moves, neutral=0.5, scale=series.close)


def _weekly_macd_in_price(series: Series) -> Expression:
    fast = exponential_mean(series.close, _FAST, step=_WEEK)
    return fast - exponential_mean(series.close, _SLOW, _SLOW_LENGTH, step=_WEEK)


def weekly_macd(series: Series) -> Expression:
    """Give the convergence of the 6- and 13-week exponential means as a share of the close."""
    return _weekly_macd_in_price(series) / series.close


def weekly_macd_histogram(series: Series) -> Expression:
    """Give the weekly convergence less its 5-week exponential mean as a share of the close."""
    line = _weekly_macd_in_price(series)
    return (line - exponential_mean(line, _SIGNAL, _SIGNAL_LENGTH, step=_WEEK)) / series.close


def volatility_ratio(series: Series, *, short: int, long: int) -> Expression:
    """Give log(deviation of ``short`` log returns / deviation of ``long``)."""
    return log_ratio(deviation(series.log_return, short), deviation(series.log_return, long))


def timeframe_agreement(series: Series) -> Expression:
    """Give the mean sign of the returns over a week, a month, a quarter and a year."""
    return average([direction(log_return(series, start=bars)) for bars in _HORIZONS])


def weekly_body(series: Series) -> Expression:
    """Give the week's close less its open over its range, -1 to 1; 0 for a flat week."""
    week = highest(series.high, _WEEK) - lowest(series.low, _WEEK)
    moved = series.close - lag(series.open, _WEEK - 1)
    return ratio(moved, week, neutral=0.0, scale=series.close)


def _strength_feature(name: str, step: int, count: int) -> Feature:
    return _FAMILY.of_symbol(
        name,
        partial(coarse_relative_strength, step=step, count=count),
        f"rsi of {count} changes close - close[{step}], {step} bars apart, back from today;"
        " 50 if nothing moved",
        step * count + 1,
        "close",
        "Wilder 1978, with simple means (Cutler)",
    )


def _volatility_feature(short: int, long: int) -> Feature:
    return _FAMILY.of_symbol(
        f"volatility_ratio_{short}_{long}",
        partial(volatility_ratio, short=short, long=long),
        f"log(deviation(log return, {short}) / deviation(log return, {long})) within log .01 and log 100;"
        " 0 if nothing moved",
        long + 1,
        "close",
    )


_LINE_LOOK_BACK: Final = (_SLOW_LENGTH - 1) * _WEEK + 1

FEATURES: Final[tuple[Feature, ...]] = (
    _FAMILY.of_symbol(
        "weekly_range_5",
        partial(channel_width, length=_WEEK),
        "log(highest(high, 5) / lowest(low, 5))",
        _WEEK,
        "high low",
    ),
    _strength_feature("weekly_rsi_14", _WEEK, 14),
    _strength_feature("monthly_rsi_12", _MONTH, 12),
    _FAMILY.of_symbol(
        "weekly_macd",
        weekly_macd,
        "m / close, m = exponential_mean(close, span 6, last 18) - exponential_mean(close, span 13, last 39),"
        " of every 5th close back from today",
        _LINE_LOOK_BACK,
        "close",
        "Appel 1979",
    ),
    _FAMILY.of_symbol(
        "weekly_macd_histogram",
        weekly_macd_histogram,
        "(m - exponential_mean(m, span 5, last 12)) / close, m of weekly_macd, every 5th back from today",
        _LINE_LOOK_BACK + (_SIGNAL_LENGTH - 1) * _WEEK,
        "close",
        "Appel 1979",
    ),
    _volatility_feature(5, 20),
    _volatility_feature(20, 60),
    _volatility_feature(60, 250),
    _FAMILY.of_symbol(
        "timeframe_agreement",
        timeframe_agreement,
        "mean of sign(log(close / close[n])) over n = 5, 20, 60, 250",
        251,
        "close",
    ),
    _FAMILY.of_symbol(
        "weekly_body",
        weekly_body,
        "(close - open[4]) / (highest(high, 5) - lowest(low, 5)); 0 for a flat week",
        _WEEK,
        "open high low close",
    ),
    _FAMILY.of_symbol(
        "same_month_last_year",
        partial(log_return, start=_YEAR, end=_YEAR - 21),
        "log(close[231] / close[252]): the month that followed this day a year ago",
        _YEAR + 1,
        "close",
        "Heston and Sadka 2008",
    ),
)
