"""Statistical: the shape and the memory of the distribution of returns."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, lag, log
from regime.features.feature import Family, Feature
from regime.features.momentum import log_return
from regime.features.ratios import direction, ratio
from regime.features.volatility import TRADING_DAYS
from regime.features.windows import (
    correlation,
    correlation_with_time,
    deviation,
    excess_kurtosis,
    highest,
    lowest,
    mean,
    rank_of_last,
    skewness,
    slope_in_time,
    total,
)

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="statistical")


def return_skewness(series: Series, *, length: int) -> Expression:
    """Give the skewness of daily log returns."""
    return skewness(series.log_return, length)


def return_kurtosis(series: Series, *, length: int) -> Expression:
    """Give the excess kurtosis of daily log returns."""
    return excess_kurtosis(series.log_return, length)


def z_score(series: Series) -> Expression:
    """Give the close's distance from its 50-day mean in deviations; 0 if nothing moved."""
    from_mean = series.close - mean(series.close, 50)
    return ratio(from_mean, deviation(series.close, 50), neutral=0.0, scale=series.close)


def sharpe_ratio(series: Series) -> Expression:
    """Give mean over deviation of 60 log returns, annualised; 0 if they do not vary."""
    spread = deviation(series.log_return, 60)
    return math.sqrt(TRADING_DAYS) * ratio(mean(series.log_return, 60), spread, neutral=0.0, scale=1.0)


def regression_slope(series: Series, *, length: int) -> Expression:
    """Give the least-squares slope of the log close in percent a day."""
    return 100 * slope_in_time(log(series.close), length)


def regression_fit(series: Series) -> Expression:
    """Give the correlation of 60 closes with time, squared, with its sign; 0 if nothing moved."""
    fit = correlation_with_time(series.close, 60)
    return fit * absolute(fit)


def autocorrelation(series: Series) -> Expression:
    """Give the correlation of 60 log returns with those of the day before."""
    return correlation(series.log_return, lag(series.log_return, 1), 60)


def absolute_autocorrelation(series: Series) -> Expression:
    """Give the correlation of 60 absolute log returns with those of the day before."""
    size = absolute(series.log_return)
    return correlation(size, lag(size, 1), 60)


def variance_ratio(series: Series) -> Expression:
    """Give the variance of 5-day returns over five times that of daily ones, 60 returns; 1 if none."""
    drift = mean(series.log_return, 60)
    daily = deviation(series.log_return, 60) ** 2 * 59 / 60
    weekly = total(series.log_return, 5)
    around = mean(weekly, 56) - 5 * drift
    spread = deviation(weekly, 56) ** 2 * 55 / 56 + around**2
    return ratio(spread, 5 * daily, neutral=1.0)


def return_rank(series: Series) -> Expression:
    """Give the rank of today's log return among the last 250."""
    return rank_of_last(series.log_return, 250)


def largest_rise(series: Series) -> Expression:
    """Give the largest log return of 20 days in deviations of 60; 0 if they do not vary."""
    return _in_deviations(series, highest(series.log_return, 20))


def largest_fall(series: Series) -> Expression:
    """Give the lowest log return of 20 days in deviations of 60; 0 if they do not vary."""
    return _in_deviations(series, lowest(series.log_return, 20))


def _in_deviations(series: Series, values: Expression) -> Expression:
    return ratio(values, deviation(series.log_return, 60), neutral=0.0, scale=1.0)


def positive_share(series: Series) -> Expression:
    """Give the share of rising days among 20; an unchanged day counts one half."""
    return 0.5 + mean(direction(series.log_return), 20) / 2


def _return_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"return_{length}",
        partial(log_return, start=length),
        f"log(close / close[{length}])",
        length + 1,
        "close",
    )


def _skewness_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"skewness_{length}",
        partial(return_skewness, length=length),
        f"third central moment of {length} log returns / (their variance)^(3/2), divisor {length};"
        " 0 if they do not vary",
        length + 1,
        "close",
    )


def _kurtosis_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"kurtosis_{length}",
        partial(return_kurtosis, length=length),
        f"fourth central moment of {length} log returns / (their variance)^2 - 3, divisor {length};"
        " 0 if they do not vary",
        length + 1,
        "close",
    )


def _slope_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"regression_slope_{length}",
        partial(regression_slope, length=length),
        f"100 * least-squares slope of log(close) on time, last {length}",
        length,
        "close",
    )


FEATURES: Final[tuple[Feature, ...]] = (
    _return_feature(1),
    _return_feature(3),
    _skewness_feature(20),
    _skewness_feature(60),
    _kurtosis_feature(20),
    _kurtosis_feature(60),
    _FAMILY.of_symbol(
        "z_score_50",
        z_score,
        "(close - mean(close, 50)) / deviation(close, 50); 0 if nothing moved",
        50,
        "close",
    ),
    _FAMILY.of_symbol(
        "sharpe_ratio_60",
        sharpe_ratio,
        "sqrt(252) * mean(log return, 60) / deviation(log return, 60); 0 if they do not vary",
        61,
        "close",
        "Sharpe 1966, windowed",
    ),
    _slope_feature(20),
    _slope_feature(60),
    _FAMILY.of_symbol(
        "regression_fit_60",
        regression_fit,
        "sign(c) c^2, c = correlation(close, time, 60); 0 if nothing moved",
        60,
        "close",
    ),
    _FAMILY.of_symbol(
        "autocorrelation_60",
        autocorrelation,
        "correlation(log return, log return[1], 60); 0 if one does not vary",
        62,
        "close",
        "Lo and MacKinlay 1988",
    ),
    _FAMILY.of_symbol(
        "absolute_autocorrelation_60",
        absolute_autocorrelation,
        "correlation(|log return|, |log return[1]|, 60); 0 if one does not vary",
        62,
        "close",
        "Taylor 1986",
    ),
    _FAMILY.of_symbol(
        "variance_ratio_5_60",
        variance_ratio,
        "mean((sum(log return, 5) - 5 m)^2, 56) / (5 mean((log return - m)^2, 60)),"
        " m = mean(log return, 60); 1 if they do not vary",
        61,
        "close",
        "Lo and MacKinlay 1988",
    ),
    _FAMILY.of_symbol(
        "return_rank_250",
        return_rank,
        "(r - 1/2) / 250, r = rank of the log return among the last 250, ties shared",
        251,
        "close",
    ),
    _FAMILY.of_symbol(
        "maximum_return_20",
        largest_rise,
        "highest(log return, 20) / deviation(log return, 60); 0 if they do not vary",
        61,
        "close",
        "Bali, Cakici and Whitelaw 2011",
    ),
    _FAMILY.of_symbol(
        "minimum_return_20",
        largest_fall,
        "lowest(log return, 20) / deviation(log return, 60); 0 if they do not vary",
        61,
        "close",
        "Bali, Cakici and Whitelaw 2011",
    ),
    _FAMILY.of_symbol(
        "positive_share_20",
        positive_share,
        "share of rising days among 20, an unchanged day counts one half",
        21,
        "close",
    ),
)
