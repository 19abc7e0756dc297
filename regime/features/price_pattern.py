"""Price pattern: the shape of bars and where the close lies among recent highs, lows and pivots."""

from __future__ import annotations

from functools import partial, reduce
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, lag, larger, log, smaller
from regime.features.feature import Family, Feature
from regime.features.momentum import range_position
from regime.features.ratios import ratio
from regime.features.trend import in_true_ranges
from regime.features.windows import highest, last_swing, lowest, rank_of_last

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="price_pattern")
_RETRACEMENTS: Final = (0.0, 0.236, 0.382, 0.5, 0.618, 0.786, 1.0)
_SWING_WINDOW: Final = 36
"""Bars within which a swing must have been confirmed."""
_SWING_LENGTH: Final = 5
_SWING_LOOK_BACK: Final = _SWING_WINDOW + _SWING_LENGTH - 1


def _share_of_range(series: Series, part: Expression) -> Expression:
    return ratio(part, series.high - series.low, neutral=0.0, scale=series.close)


def candle_body(series: Series) -> Expression:
    """Give close less open over the day's range, -1 to 1; 0 for a flat bar."""
    return _share_of_range(series, series.close - series.open)


def upper_shadow(series: Series) -> Expression:
    """Give the part of the day's range above the body, 0 to 1; 0 for a flat bar."""
    return _share_of_range(series, series.high - larger(series.open, series.close))


def lower_shadow(series: Series) -> Expression:
    """Give the part of the day's range below the body, 0 to 1; 0 for a flat bar."""
    return _share_of_range(series, smaller(series.open, series.close) - series.low)


def gap_percent(series: Series) -> Expression:
    """Give the gap from yesterday's close to the open in percent."""
    return 100 * (series.open / series.previous_close - 1)


def resistance_distance(series: Series) -> Expression:
    """Give the way up to the first floor-trader resistance of yesterday's bar, in true ranges."""
    resistance = 2 * lag(series.typical, 1) - lag(series.low, 1)
    return in_true_ranges(series, resistance - series.close, 14)


def support_distance(series: Series) -> Expression:
    """Give the way down to the first floor-trader support of yesterday's bar, in true ranges."""
    support = 2 * lag(series.typical, 1) - lag(series.high, 1)
    return in_true_ranges(series, series.close - support, 14)


def last_swing_high(values: Expression) -> Expression:
    """Give the latest swing high confirmed in the last 36 bars, else the highest of the window."""
    return last_swing(values, _SWING_LENGTH, _SWING_WINDOW)


def swing_high_distance(series: Series) -> Expression:
    """Give log(close / latest swing high)."""
    return log(series.close / last_swing_high(series.high))


def swing_low_distance(series: Series) -> Expression:
    """Give log(close / latest swing low)."""
    return log(series.close / -last_swing_high(-series.low))


def higher_high(series: Series) -> Expression:
    """Give log(highest high of 20 bars / highest high of the 20 before)."""
    top = highest(series.high, 20)
    return log(top / lag(top, 20))


def higher_low(series: Series) -> Expression:
    """Give log(lowest low of 20 bars / lowest low of the 20 before)."""
    bottom = lowest(series.low, 20)
    return log(bottom / lag(bottom, 20))


def retracement_distance(series: Series) -> Expression:
    """Give the distance to the nearest Fibonacci retracement of the 60-bar range, as a share of it."""
    position = range_position(series, length=60)
    return reduce(smaller, [absolute(position - level) for level in _RETRACEMENTS])


def narrow_range(series: Series) -> Expression:
    """Give the rank of the day's range among the last 7, 0 (narrowest) to 1."""
    return rank_of_last(series.log_range, 7)


def _position_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"range_position_{length}",
        partial(range_position, length=length),
        f"(close - lowest(low, {length})) / (highest(high, {length}) - lowest(low, {length}));"
        " .5 if they are one",
        length,
        "high low close",
    )


_SWING_RULE: Final = (
    "middle and {side} of 5 bars, the latest of those whose fifth bar is among the last 36, else the {side}"
    " of the last 40"
)

FEATURES: Final[tuple[Feature, ...]] = (
    _FAMILY.of_symbol(
        "candle_body",
        candle_body,
        "(close - open) / (high - low); 0 for a flat bar",
        1,
        "open high low close",
    ),
    _FAMILY.of_symbol(
        "upper_shadow",
        upper_shadow,
        "(high - max(open, close)) / (high - low); 0 for a flat bar",
        1,
        "open high low close",
    ),
    _FAMILY.of_symbol(
        "lower_shadow",
        lower_shadow,
        "(min(open, close) - low) / (high - low); 0 for a flat bar",
        1,
        "open high low close",
    ),
    _FAMILY.of_symbol("gap_percent", gap_percent, "100 * (open / close[1] - 1)", 2, "open close"),
    *(_position_feature(length) for length in (5, 20, 60, 250)),
    _FAMILY.of_symbol(
        "resistance_distance",
        resistance_distance,
        "(2 typical[1] - low[1] - close) / mean(true range, 14); 0 if the true range is nothing",
        15,
        "high low close",
    ),
    _FAMILY.of_symbol(
        "support_distance",
        support_distance,
        "(close - 2 typical[1] + high[1]) / mean(true range, 14); 0 if the true range is nothing",
        15,
        "high low close",
    ),
    _FAMILY.of_symbol(
        "swing_high_distance",
        swing_high_distance,
        "log(close / swing high), swing high = " + _SWING_RULE.format(side="highest"),
        _SWING_LOOK_BACK,
        "high close",
    ),
    _FAMILY.of_symbol(
        "swing_low_distance",
        swing_low_distance,
        "log(close / swing low), swing low = " + _SWING_RULE.format(side="lowest"),
        _SWING_LOOK_BACK,
        "low close",
    ),
    _FAMILY.of_symbol(
        "higher_high_20", higher_high, "log(highest(high, 20) / highest(high, 20)[20])", 40, "high"
    ),
    _FAMILY.of_symbol("higher_low_20", higher_low, "log(lowest(low, 20) / lowest(low, 20)[20])", 40, "low"),
    _FAMILY.of_symbol(
        "fibonacci_distance_60",
        retracement_distance,
        "min |range_position_60 - level| over the levels 0, .236, .382, .5, .618, .786, 1",
        60,
        "high low close",
    ),
    _FAMILY.of_symbol(
        "narrow_range_7",
        narrow_range,
        "(r - 1/2) / 7, r = rank of log(high / low) among the last 7, ties shared",
        7,
        "high low",
        "Crabel 1990",
    ),
)
