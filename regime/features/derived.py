"""Derived: what follows from several families together, and the season of a symbol's own events."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, average, lag, log
from regime.features.feature import Family, Feature
from regime.features.momentum import log_return, money_flow, relative_strength, stochastic_k
from regime.features.ratios import log_ratio, log_variance, ratio
from regime.features.trend import efficiency
from regime.features.volatility import bollinger_position
from regime.features.windows import age_of_highest, correlation, deviation, highest, mean

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="derived")
_QUARTER: Final = 63
_QUARTERS: Final = (63, 126, 189, 252)
_SEASON_LENGTH: Final = 16
"""Bars around the same point of an earlier quarter: a fortnight ahead of today, and two spare."""
_YEAR: Final = 252


def around_quarter(values: Expression, quarter: int) -> Expression:
    """Give rolling values of ``_SEASON_LENGTH`` bars as they stood that many bars after t - ``quarter``."""
    return lag(values, quarter - (_SEASON_LENGTH - 1))


def season_variance(series: Series, *, quarters: tuple[int, ...]) -> Expression:
    """Give log(variance at this point of earlier quarters / variance of the year)."""
    fortnight = mean(series.total_variance, _SEASON_LENGTH)
    seasonal = average([around_quarter(fortnight, quarter) for quarter in quarters])
    return log_variance(seasonal) - log_variance(mean(series.total_variance, _YEAR))


def event_score(series: Series) -> Expression:
    """Give how much a day looks like earnings: move in deviations of 60 days before, times volume."""
    usual_move = lag(deviation(series.log_return, 60), 1)
    move = ratio(absolute(series.log_return), usual_move, neutral=0.0, scale=1.0)
    return move * log(1.0 + ratio(series.volume, mean(series.volume, 60), neutral=1.0))


def event_strength(series: Series) -> Expression:
    """Give the largest event score of a quarter."""
    return log(1.0 + highest(event_score(series), _QUARTER))


def event_age(series: Series) -> Expression:
    """Give the age of the quarter's largest event score, 0 (today) to 1."""
    return age_of_highest(event_score(series), _QUARTER) / (_QUARTER - 1)


def season_event(series: Series) -> Expression:
    """Give the event score at this point of the last three quarters over its mean of 180 days."""
    score = event_score(series)
    fortnight = highest(score, _SEASON_LENGTH)
    seasonal = average([around_quarter(fortnight, quarter) for quarter in _QUARTERS[:3]])
    return log_ratio(seasonal, mean(score, 180))


def strength_price_correlation(series: Series) -> Expression:
    """Give the correlation of rsi and close over 20 days: low where they diverge."""
    return correlation(relative_strength(series, length=14), series.close, 20)


def squeeze(series: Series) -> Expression:
    """Give log(Bollinger width / Keltner width): low where closes stay within the daily range."""
    return log_ratio(2 * deviation(series.close, 20), 1.5 * mean(series.true_range, 20))


def volume_confirmed_move(series: Series) -> Expression:
    """Give today's return in deviations of 20 days, weighted by volume."""
    move = ratio(series.log_return, deviation(series.log_return, 20), neutral=0.0, scale=1.0)
    return move * log(1.0 + ratio(series.volume, mean(series.volume, 20), neutral=1.0))


def price_volume_correlation(series: Series) -> Expression:
    """Give the correlation of close and volume over 20 days."""
    return correlation(series.close, series.volume, 20)


def oscillator_composite(series: Series) -> Expression:
    """Give the mean of rsi, stochastic and money flow of 14 days, 0 (oversold) to 100 (overbought)."""
    return (relative_strength(series, length=14) + stochastic_k(series) + money_flow(series)) / 3


def mean_reversion(series: Series) -> Expression:
    """Give how far the close must come back to its mean, if the month had no direction."""
    aimless: Expression = 1 - absolute(efficiency(series))
    return (0.5 - bollinger_position(series)) * aimless


def momentum_acceleration(series: Series) -> Expression:
    """Give the return of 10 days less that of the 10 before, in deviations of their sum."""
    gained = log_return(series, start=10) - log_return(series, start=20, end=10)
    usual = deviation(series.log_return, 20) * math.sqrt(20)
    return ratio(gained, usual, neutral=0.0, scale=1.0)


def volatility_change(series: Series) -> Expression:
    """Give log(deviation of 20 log returns / that of the 20 before)."""
    spread = deviation(series.log_return, 20)
    return log_ratio(spread, lag(spread, 20))


def _season_feature(name: str, quarters: tuple[int, ...], look_back: int) -> Feature:
    ages = ", ".join(str(quarter) for quarter in quarters)
    return _FAMILY.of_symbol(
        name,
        partial(season_variance, quarters=quarters),
        f"log(mean of mean(total variance, 16)[q - 15] over q = {ages}) - log(mean(total variance, 252)),"
        " total variance of har_ratio; variances under 1e-8 count as 1e-8",
        look_back,
        "open high low close",
        "Beaver 1968: companies report by the quarter",
    )


_EVENT: Final = (
    "e = |log return| / deviation(log return, 60)[1] * log(1 + volume / mean(volume, 60)), 0 if returns did"
    " not vary, volume as usual if nothing was traded"
)

FEATURES: Final[tuple[Feature, ...]] = (
    _season_feature("season_variance", _QUARTERS, 254),
    _season_feature("season_variance_63", (63,), 253),
    _season_feature("season_variance_252", (252,), 254),
    _FAMILY.of_symbol(
        "event_strength_63",
        event_strength,
        "log(1 + highest(e, 63)), " + _EVENT,
        124,
        "close volume",
        "Beaver 1968: announcements move price and volume",
    ),
    _FAMILY.of_symbol(
        "event_age_63",
        event_age,
        "bars since the highest e of 63 / 62, of equals the latest, e of event_strength_63",
        124,
        "close volume",
        "Beaver 1968: announcements move price and volume",
    ),
    _FAMILY.of_symbol(
        "season_event",
        season_event,
        "log(mean of highest(e, 16)[q - 15] over q = 63, 126, 189 / mean(e, 180)) within log .01 and log 100,"
        " e of event_strength_63; 0 if there was no event",
        251,
        "close volume",
        "Beaver 1968: announcements move price and volume",
    ),
    _FAMILY.of_symbol(
        "rsi_price_correlation_20",
        strength_price_correlation,
        "correlation(rsi_14, close, 20); 0 if one does not vary",
        34,
        "close",
    ),
    _FAMILY.of_symbol(
        "squeeze_20",
        squeeze,
        "log(2 deviation(close, 20) / (1.5 mean(true range, 20))) within log .01 and log 100;"
        " 0 if the true range is nothing",
        21,
        "high low close",
        "Carter 2005",
    ),
    _FAMILY.of_symbol(
        "volume_confirmed_move",
        volume_confirmed_move,
        "log return / deviation(log return, 20) * log(1 + volume / mean(volume, 20)); 0 if returns did not"
        " vary, volume as usual if nothing was traded",
        21,
        "close volume",
    ),
    _FAMILY.of_symbol(
        "price_volume_correlation_20",
        price_volume_correlation,
        "correlation(close, volume, 20); 0 if one does not vary",
        20,
        "close volume",
    ),
    _FAMILY.of_symbol(
        "oscillator_composite",
        oscillator_composite,
        "(rsi_14 + stochastic_k_14 + mfi_14) / 3",
        15,
        "high low close volume",
    ),
    _FAMILY.of_symbol(
        "mean_reversion_signal",
        mean_reversion,
        "(1/2 - bollinger_position_20) * (1 - |efficiency_ratio_20|)",
        21,
        "close",
    ),
    _FAMILY.of_symbol(
        "momentum_acceleration_10",
        momentum_acceleration,
        "(log(close / close[10]) - log(close[10] / close[20])) / (sqrt(20) deviation(log return, 20));"
        " 0 if they do not vary",
        21,
        "close",
    ),
    _FAMILY.of_symbol(
        "volatility_change_20",
        volatility_change,
        "log(deviation(log return, 20) / deviation(log return, 20)[20]) within log .01 and log 100;"
        " 0 if nothing moved before",
        41,
        "close",
    ),
)
