"""Trend: where the price stands against its averages, and how directed its path is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, lag, where
from regime.features.feature import Family, Feature
from regime.features.ratios import TIE, ratio
from regime.features.windows import (
    age_of_highest,
    age_of_lowest,
    exponential_mean,
    highest,
    lowest,
    mean,
    total,
)

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="trend")
_FAST, _SLOW, _SIGNAL = 12, 26, 9


def distance_to_mean(series: Series, *, length: int) -> Expression:
    """Give close / simple mean of ``length`` closes - 1."""
    return series.close / mean(series.close, length) - 1


def distance_to_exponential_mean(series: Series, *, span: int, length: int) -> Expression:
    """Give close / exponential mean - 1."""
    return series.close / exponential_mean(series.close, span, length) - 1


def distance_between_means(series: Series, *, short: int, long: int) -> Expression:
    """Give mean of ``short`` closes / mean of ``long`` closes - 1."""
    return mean(series.close, short) / mean(series.close, long) - 1


def _macd_in_price(series: Series) -> Expression:
    return exponential_mean(series.close, _FAST) - exponential_mean(series.close, _SLOW)


def macd(series: Series) -> Expression:
    """Give the convergence of the 12- and 26-day exponential means as a share of the close."""
    return _macd_in_price(series) / series.close


def macd_signal(series: Series) -> Expression:
    """Give the 9-day exponential mean of the convergence as a share of the close."""
    return exponential_mean(_macd_in_price(series), _SIGNAL) / series.close


def macd_histogram(series: Series) -> Expression:
    """Give the convergence less its signal as a share of the close."""
    return macd(series) - macd_signal(series)


def _directional_moves(series: Series) -> tuple[Expression, Expression]:
    """Wilder's upward and downward movement; equal moves are neither."""
    up, down = series.high - lag(series.high, 1), lag(series.low, 1) - series.low
    tie = TIE * series.close
    none = 0.0 * (up + down)
    upward = where((up > down + tie) & (up > 0.0), up, none)
    downward = where((down > up + tie) & (down > 0.0), down, none)
    return upward, downward


def _directional(series: Series, move: Expression) -> Expression:
    return 100 * ratio(total(move, 14), total(series.true_range, 14), neutral=0.0, scale=series.close)


def plus_directional(series: Series) -> Expression:
    """Give +DI of 14 bars."""
    return _directional(series, _directional_moves(series)[0])


def minus_directional(series: Series) -> Expression:
    """Give -DI of 14 bars."""
    return _directional(series, _directional_moves(series)[1])


def average_directional(series: Series) -> Expression:
    """Give the average directional index: the mean of 14 DX."""
    plus, minus = plus_directional(series), minus_directional(series)
    return mean(100 * ratio(absolute(plus - minus), plus + minus, neutral=0.0, scale=1.0), 14)


def in_true_ranges(series: Series, distance: Expression, length: int) -> Expression:
    """Give a distance in price in units of the mean true range of ``length`` bars; 0 if that is nothing."""
    return ratio(distance, mean(series.true_range, length), neutral=0.0, scale=series.close)


def below_highest(series: Series) -> Expression:
    """Give the close less the 22-day high, in true ranges: the long side of the chandelier exit."""
    return in_true_ranges(series, series.close - highest(series.high, 22), 22)


def above_lowest(series: Series) -> Expression:
    """Give the close less the 22-day low, in true ranges: the short side of the chandelier exit."""
    return in_true_ranges(series, series.close - lowest(series.low, 22), 22)


def vortex(series: Series) -> Expression:
    """Give upward less downward vortex movement over the true range, 14 bars."""
    up, down = absolute(series.high - lag(series.low, 1)), absolute(series.low - lag(series.high, 1))
    return ratio(total(up - down, 14), total(series.true_range, 14), neutral=0.0, scale=series.close)


def aroon_oscillator(series: Series) -> Expression:
    """Give Aroon up less Aroon down over 25 bars, -1 to 1."""
    return (age_of_lowest(series.low, 26) - age_of_highest(series.high, 26)) / 25


def efficiency(series: Series) -> Expression:
    """Give the net move over the way walked in 20 days, -1 to 1; 0 if nothing moved."""
    return ratio(
        series.close - lag(series.close, 20),
        total(absolute(series.change), 20),
        neutral=0.0,
        scale=series.close,
    )


def _mean_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"price_vs_sma_{length}",
        partial(distance_to_mean, length=length),
        f"close / mean(close, {length}) - 1",
        length,
        "close",
    )


def _exponential_feature(span: int, length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"price_vs_ema_{span}",
        partial(distance_to_exponential_mean, span=span, length=length),
        f"close / exponential_mean(close, span {span}, last {length}) - 1",
        length,
        "close",
    )


def _crossing_feature(short: int, long: int) -> Feature:
    return _FAMILY.of_symbol(
        f"sma_{short}_vs_{long}",
        partial(distance_between_means, short=short, long=long),
        f"mean(close, {short}) / mean(close, {long}) - 1",
        long,
        "close",
    )


FEATURES: Final[tuple[Feature, ...]] = (
    *(_mean_feature(length) for length in (5, 20, 50, 200)),
    _exponential_feature(10, 30),
    _crossing_feature(20, 50),
    _crossing_feature(50, 200),
    _FAMILY.of_symbol(
        "macd",
        macd,
        "m / close, m = exponential_mean(close, span 12, last 36)"
        " - exponential_mean(close, span 26, last 78)",
        78,
        "close",
        "Appel 1979",
    ),
    _FAMILY.of_symbol(
        "macd_signal",
        macd_signal,
        "exponential_mean(m of macd, span 9, last 27) / close",
        104,
        "close",
        "Appel 1979",
    ),
    _FAMILY.of_symbol("macd_histogram", macd_histogram, "macd - macd_signal", 104, "close", "Appel 1979"),
    _FAMILY.of_symbol(
        "adx_14",
        average_directional,
        "mean(100 |+DI - -DI| / (+DI + -DI), 14); a day without directional movement counts 0",
        28,
        "high low close",
        "Wilder 1978, with simple means",
    ),
    _FAMILY.of_symbol(
        "plus_di_14",
        plus_directional,
        "100 * sum(upward movement, 14) / sum(true range, 14); 0 if the true range is nothing",
        15,
        "high low close",
        "Wilder 1978, with simple means",
    ),
    _FAMILY.of_symbol(
        "minus_di_14",
        minus_directional,
        "100 * sum(downward movement, 14) / sum(true range, 14); 0 if the true range is nothing",
        15,
        "high low close",
        "Wilder 1978, with simple means",
    ),
    _FAMILY.of_symbol(
        "chandelier_long_22",
        below_highest,
        "(close - highest(high, 22)) / mean(true range, 22); 0 if the true range is nothing",
        23,
        "high low close",
        "Le Beau 1999, in place of the parabolic SAR's endless memory",
    ),
    _FAMILY.of_symbol(
        "chandelier_short_22",
        above_lowest,
        "(close - lowest(low, 22)) / mean(true range, 22); 0 if the true range is nothing",
        23,
        "high low close",
        "Le Beau 1999, in place of the parabolic SAR's endless memory",
    ),
    _FAMILY.of_symbol(
        "vortex_14",
        vortex,
        "(sum(|high - low[1]|, 14) - sum(|low - high[1]|, 14)) / sum(true range, 14);"
        " 0 if the true range is nothing",
        15,
        "high low close",
        "Botes and Siepman 2010",
    ),
    _FAMILY.of_symbol(
        "aroon_oscillator_25",
        aroon_oscillator,
        "(bars since the lowest low - bars since the highest high) / 25, of the last 26 bars;"
        " of equals the latest",
        26,
        "high low",
        "Chande 1995",
    ),
    _FAMILY.of_symbol(
        "efficiency_ratio_20",
        efficiency,
        "(close - close[20]) / sum(|change|, 20); 0 if nothing moved",
        21,
        "close",
        "Kaufman 1995",
    ),
)
