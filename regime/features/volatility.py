"""Volatility: how much the price moves, measured from closes, ranges and gaps, and how that changes."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, lag, larger, log, smaller, square_root
from regime.features.feature import Family, Feature
from regime.features.ratios import log_variance, ratio
from regime.features.windows import (
    decaying_mean,
    deviation,
    exponential_mean,
    highest,
    lowest,
    mean,
    total,
)

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="volatility")
TRADING_DAYS: Final = 252
_MONTH: Final = 22
_DECAY: Final = 0.97
_DECAY_LENGTH: Final = 150


def annualised(variance: Expression) -> Expression:
    """Give percent a year from variance a day; what rounding left below nothing is nothing."""
    yearly: Expression = TRADING_DAYS * larger(variance, 0.0)
    return 100 * square_root(yearly)


def average_true_range(series: Series, *, length: int) -> Expression:
    """Give the mean true range in percent of the close."""
    return 100 * mean(series.true_range, length) / series.close


def bollinger_width(series: Series) -> Expression:
    """Give the width of bands two deviations around the 20-day mean, as a share of the mean."""
    return 4 * deviation(series.close, 20) / mean(series.close, 20)


def bollinger_position(series: Series) -> Expression:
    """Give where the close lies between the bands, 0 at the lower, 1 at the upper; .5 if they are one."""
    from_mean = series.close - mean(series.close, 20)
    width = 4 * deviation(series.close, 20)
    return 0.5 + ratio(from_mean, width, neutral=0.0, scale=series.close)


def keltner_position(series: Series) -> Expression:
    """Give where the close lies in the channel of two true ranges around the exponential mean."""
    from_mean = series.close - exponential_mean(series.close, 20)
    width = 4 * mean(series.true_range, 20)
    return 0.5 + ratio(from_mean, width, neutral=0.0, scale=series.close)


def historical_volatility(series: Series, *, length: int) -> Expression:
    """Give the deviation of daily log returns in percent a year."""
    return annualised(deviation(series.log_return, length) ** 2)


def channel_width(series: Series, *, length: int) -> Expression:
    """Give log(highest high / lowest low)."""
    return log(highest(series.high, length) / lowest(series.low, length))


def garman_klass(series: Series) -> Expression:
    """Give the Garman-Klass volatility of 22 days in percent a year; gaps are left out."""
    return annualised(mean(series.day_variance, _MONTH))


def parkinson_variance(series: Series) -> Expression:
    """Give the Parkinson variance a day over 22 days."""
    return mean(series.log_range**2, _MONTH) / (4 * math.log(2))


def parkinson(series: Series) -> Expression:
    """Give the Parkinson volatility of 22 days in percent a year."""
    return annualised(parkinson_variance(series))


def rogers_satchell_variance(series: Series) -> Expression:
    """Give the Rogers-Satchell variance a day over 22 days, which a drift within the day does not bias."""
    up = log(series.high / series.close) * log(series.high / series.open)
    down = log(series.low / series.close) * log(series.low / series.open)
    return mean(up + down, _MONTH)


def rogers_satchell(series: Series) -> Expression:
    """Give the Rogers-Satchell volatility of 22 days in percent a year."""
    return annualised(rogers_satchell_variance(series))


def yang_zhang(series: Series) -> Expression:
    """Give the Yang-Zhang volatility of 22 days in percent a year: gaps, bodies and Rogers-Satchell."""
    share = 0.34 / (1.34 + (_MONTH + 1) / (_MONTH - 1))
    gap, body = deviation(series.log_gap, _MONTH) ** 2, deviation(series.log_body, _MONTH) ** 2
    return annualised(gap + share * body + (1 - share) * rogers_satchell_variance(series))


def decaying_variance(series: Series) -> Expression:
    """Give the mean squared return with weights .97^age over the last 150 bars."""
    return decaying_mean(series.log_return**2, _DECAY, _DECAY_LENGTH)


def relative_variance(series: Series, *, length: int) -> Expression:
    """Give log(mean total variance of ``length`` days / decaying variance): a HAR term without level."""
    return log_variance(mean(series.total_variance, length)) - log_variance(decaying_variance(series))


def relative_parkinson(series: Series) -> Expression:
    """Give log(Parkinson variance of 22 days / decaying variance)."""
    return log_variance(parkinson_variance(series)) - log_variance(decaying_variance(series))


def volatility_of_volatility(series: Series) -> Expression:
    """Give the deviation of the log total variance of 22 days."""
    return deviation(log_variance(series.total_variance), _MONTH)


def overnight_share(series: Series) -> Expression:
    """Give the gaps' share of the total variance of 22 days; .5 if there is none."""
    gaps = total(series.log_gap**2, _MONTH)
    return ratio(gaps, total(series.total_variance, _MONTH), neutral=0.5)


def downside_share(series: Series) -> Expression:
    """Give the falling days' share of the squared returns of 22 days; .5 if nothing moved."""
    falls = smaller(series.log_return, 0.0)
    return ratio(total(falls**2, _MONTH), total(series.log_return**2, _MONTH), neutral=0.5)


def jump_share(series: Series) -> Expression:
    """Give the share of 22 squared returns that neighbouring returns do not explain, 0 to 1."""
    size = absolute(series.log_return)
    pairs = _MONTH / (_MONTH - 1)
    smooth = pairs * math.pi / 2 * total(size * lag(size, 1), _MONTH - 1)
    return smaller(larger(1 - ratio(smooth, total(size**2, _MONTH), neutral=1.0), 0.0), 1.0)


def range_to_close(series: Series) -> Expression:
    """Give log(mean total variance / mean squared return), 22 days: movement that closes do not show."""
    ranges, closes = mean(series.total_variance, _MONTH), mean(series.log_return**2, _MONTH)
    return log_variance(ranges) - log_variance(closes)


def _true_range_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"atr_percent_{length}",
        partial(average_true_range, length=length),
        f"100 * mean(true range, {length}) / close, true range = max(high, close[1]) - min(low, close[1])",
        length + 1,
        "high low close",
        "Wilder 1978, with simple means",
    )


def _historical_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"historical_volatility_{length}",
        partial(historical_volatility, length=length),
        f"100 * sqrt(252) * deviation(log return, {length})",
        length + 1,
        "close",
    )


def _relative_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"har_ratio_{length}",
        partial(relative_variance, length=length),
        f"log(mean(total variance, {length})) - log(v), v = decaying_mean(log return^2, .97, last 150);"
        " total variance = log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2"
        " + log(open / close[1])^2; variances under 1e-8 count as 1e-8",
        max(length, _DECAY_LENGTH) + 1,
        "open high low close",
        "Corsi 2009, as a ratio to the variance of RiskMetrics 1996",
    )


FEATURES: Final[tuple[Feature, ...]] = (
    _true_range_feature(7),
    _true_range_feature(14),
    _FAMILY.of_symbol(
        "bollinger_width_20",
        bollinger_width,
        "4 * deviation(close, 20) / mean(close, 20)",
        20,
        "close",
        "Bollinger 1992",
    ),
    _FAMILY.of_symbol(
        "bollinger_position_20",
        bollinger_position,
        "1/2 + (close - mean(close, 20)) / (4 deviation(close, 20)); 1/2 if nothing moved",
        20,
        "close",
        "Bollinger 1992",
    ),
    _FAMILY.of_symbol(
        "keltner_position_20",
        keltner_position,
        "1/2 + (close - exponential_mean(close, span 20, last 60)) / (4 mean(true range, 20));"
        " 1/2 if the true range is nothing",
        60,
        "high low close",
        "Keltner 1960, Raschke's form",
    ),
    _historical_feature(20),
    _historical_feature(60),
    _FAMILY.of_symbol(
        "donchian_width_20",
        partial(channel_width, length=20),
        "log(highest(high, 20) / lowest(low, 20))",
        20,
        "high low",
        "Donchian 1960",
    ),
    _FAMILY.of_symbol(
        "garman_klass_22",
        garman_klass,
        "100 * sqrt(252 * mean(log(high / low)^2 / 2 - (2 log 2 - 1) log(close / open)^2, 22))",
        22,
        "open high low close",
        "Garman and Klass 1980",
    ),
    _FAMILY.of_symbol(
        "parkinson_22",
        parkinson,
        "100 * sqrt(252 * mean(log(high / low)^2, 22) / (4 log 2))",
        22,
        "high low",
        "Parkinson 1980",
    ),
    _FAMILY.of_symbol(
        "rogers_satchell_22",
        rogers_satchell,
        "100 * sqrt(252 * mean(log(high / close) log(high / open) + log(low / close) log(low / open), 22))",
        22,
        "open high low close",
        "Rogers and Satchell 1991",
    ),
    _FAMILY.of_symbol(
        "yang_zhang_22",
        yang_zhang,
        "100 * sqrt(252 * (variance(log(open / close[1]), 22) + k variance(log(close / open), 22)"
        " + (1 - k) Rogers-Satchell variance)), k = .34 / (1.34 + 23 / 21)",
        23,
        "open high low close",
        "Yang and Zhang 2000",
    ),
    *(_relative_feature(length) for length in (1, 5, 22, 66, 252)),
    _FAMILY.of_symbol(
        "parkinson_ratio_22",
        relative_parkinson,
        "log(mean(log(high / low)^2, 22) / (4 log 2)) - log(v of har_ratio);"
        " variances under 1e-8 count as 1e-8",
        _DECAY_LENGTH + 1,
        "high low close",
        "Parkinson 1980, as a ratio to the variance of RiskMetrics 1996",
    ),
    _FAMILY.of_symbol(
        "volatility_of_volatility_22",
        volatility_of_volatility,
        "deviation(log(total variance of har_ratio), 22); variances under 1e-8 count as 1e-8",
        23,
        "open high low close",
        "Corsi, Mittnik, Pigorsch and Pigorsch 2008",
    ),
    _FAMILY.of_symbol(
        "overnight_share_22",
        overnight_share,
        "sum(log(open / close[1])^2, 22) / sum(total variance of har_ratio, 22); .5 if there is none",
        23,
        "open high low close",
        "Lou, Polk and Skouras 2019, of variance",
    ),
    _FAMILY.of_symbol(
        "downside_share_22",
        downside_share,
        "sum(min(log return, 0)^2, 22) / sum(log return^2, 22); .5 if nothing moved",
        23,
        "close",
        "Barndorff-Nielsen, Kinnebrock and Shephard 2010",
    ),
    _FAMILY.of_symbol(
        "jump_share_22",
        jump_share,
        "1 - (22 / 21) (pi / 2) sum(|log return| |log return[1]|, 21) / sum(log return^2, 22), within 0"
        " and 1; 0 if nothing moved",
        23,
        "close",
        "Barndorff-Nielsen and Shephard 2004",
    ),
    _FAMILY.of_symbol(
        "range_to_close_22",
        range_to_close,
        "log(mean(total variance of har_ratio, 22)) - log(mean(log return^2, 22));"
        " variances under 1e-8 count as 1e-8",
        23,
        "open high low close",
        "Garman and Klass 1980, as a ratio",
    ),
)
