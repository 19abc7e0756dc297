"""Momentum: how far and how steadily the price has moved."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, lag, larger, log, where
from regime.features.feature import Family, Feature
from regime.features.ratios import TIE, ratio
from regime.features.windows import highest, lowest, mean, mean_distance, total

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="momentum")
_RSI_LENGTHS: Final = (7, 14, 28)
_RETURN_LENGTHS: Final = (5, 10, 20, 60, 120, 250)
MONTH: Final = 21
YEAR: Final = 252


def rising_share(change: Expression, close: Expression, length: int) -> Expression:
    """Give the rises' share of all movement over ``length`` changes, in percent; 50 if nothing moved.

    This is the relative strength index with simple means (Cutler), which has no memory beyond its window.
    """
    rises, moves = total(larger(change, 0.0), length), total(absolute(change), length)
    return 100 * ratio(rises, moves, neutral=0.5, scale=close)


def relative_strength(series: Series, *, length: int) -> Expression:
    """Give the relative strength index over ``length`` daily changes, 0 to 100."""
    return rising_share(series.change, series.close, length)


def range_position(series: Series, *, length: int) -> Expression:
    """Give where the close lies between the lowest low and the highest high, 0 to 1; .5 if they are one."""
    bottom = lowest(series.low, length)
    width = highest(series.high, length) - bottom
    return ratio(series.close - bottom, width, neutral=0.5, scale=series.close)


def stochastic_k(series: Series) -> Expression:
    """Give Lane's %K of 14 bars."""
    return 100 * range_position(series, length=14)


def stochastic_d(series: Series) -> Expression:
    """Give Lane's %D: the mean of three %K."""
    return mean(stochastic_k(series), 3)


def log_return(series: Series, *, start: int, end: int = 0) -> Expression:
    """Give the log return from the close ``start`` bars ago to the close ``end`` bars ago."""
    return log(lag(series.close, end) / lag(series.close, start))


def money_flow(series: Series) -> Expression:
    """Give the money flow index of 14 bars; 50 if no money flowed."""
    flow = series.typical * series.volume
    rise = series.typical - lag(series.typical, 1)
    none = 0.0 * rise * flow
    rising = where(rise > TIE * series.typical, flow, none)
    falling = where(rise < -TIE * series.typical, flow, none)
    gained, lost = total(rising, 14), total(falling, 14)
    return 100 * ratio(gained, gained + lost, neutral=0.5)


def commodity_channel(series: Series) -> Expression:
    """Give the commodity channel index of 20 bars; 0 if the typical price stood still."""
    from_mean = series.typical - mean(series.typical, 20)
    usual = mean_distance(series.typical, 20)
    return ratio(from_mean, 0.015 * usual, neutral=0.0, scale=series.close)


def ultimate_oscillator(series: Series) -> Expression:
    """Give the ultimate oscillator of 7, 14 and 28 bars; 50 if the true range is nothing."""
    pressure = series.close - series.true_low
    shares = [
        ratio(total(pressure, n), total(series.true_range, n), neutral=0.5, scale=series.close)
        for n in (7, 14, 28)
    ]
    return 100 * (4 * shares[0] + 2 * shares[1] + shares[2]) / 7


def _relative_strength_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"rsi_{length}",
        partial(relative_strength, length=length),
        f"100 * sum(max(change, 0), {length}) / sum(|change|, {length}); 50 if nothing moved",
        length + 1,
        "close",
        "Wilder 1978, with simple means (Cutler)",
    )


def _return_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"momentum_{length}",
        partial(log_return, start=length),
        f"log(close / close[{length}])",
        length + 1,
        "close",
    )


FEATURES: Final[tuple[Feature, ...]] = (
    *(_relative_strength_feature(length) for length in _RSI_LENGTHS),
    _FAMILY.of_symbol(
        "stochastic_k_14",
        stochastic_k,
        "100 * (close - lowest(low, 14)) / (highest(high, 14) - lowest(low, 14)); 50 if they are one",
        14,
        "high low close",
        "Lane 1984",
    ),
    _FAMILY.of_symbol(
        "stochastic_d_14", stochastic_d, "mean(stochastic_k_14, 3)", 16, "high low close", "Lane 1984"
    ),
    *(_return_feature(length) for length in _RETURN_LENGTHS),
    _FAMILY.of_symbol(
        "momentum_12_1",
        partial(log_return, start=YEAR, end=MONTH),
        "log(close[21] / close[252]): the year before the last month",
        YEAR + 1,
        "close",
        "Jegadeesh and Titman 1993",
    ),
    _FAMILY.of_symbol(
        "mfi_14",
        money_flow,
        "100 * sum(typical * volume on rising days, 14) / sum(the same on rising and falling days, 14),"
        " typical = (high + low + close) / 3; 50 if no money flowed",
        15,
        "high low close volume",
        "Quong and Soudack 1989",
    ),
    _FAMILY.of_symbol(
        "cci_20",
        commodity_channel,
        "(typical - mean(typical, 20)) / (0.015 * mean absolute deviation of the same 20);"
        " 0 if the typical price stood still",
        20,
        "high low close",
        "Lambert 1980",
    ),
    _FAMILY.of_symbol(
        "ultimate_oscillator",
        ultimate_oscillator,
        "100 * (4 a(7) + 2 a(14) + a(28)) / 7, a(n) = sum(close - true low, n) / sum(true range, n);"
        " 50 if the true range is nothing",
        29,
        "high low close",
        "Williams 1985",
    ),
)
