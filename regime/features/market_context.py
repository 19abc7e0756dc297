"""Market context: the index, fear, breadth, the symbol's place among the others, its sector and the season.

Index and fear features are computed from the index's and the fear index's own bars and then given to each
symbol as known on its day, carried over at most five of the symbol's bars. A symbol's first bars are NaN as
if the context were as young as the symbol, so that warm-up does not depend on what else is in store.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features import market_structure, momentum, trend, volatility, volume
from regime.features.cross_section import Comparison
from regime.features.expression import log
from regime.features.feature import REFERENCE, DayRule, Family, FearRule, Feature, IndexRule
from regime.features.multi_timeframe import volatility_ratio
from regime.features.ratios import log_variance
from regime.features.series import CARRY_MAX
from regime.features.windows import correlation, highest, mean, rank_of_last, regression_slope, total

if TYPE_CHECKING:
    from collections.abc import Callable

    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="market_context")


def fear_variance(fear: Expression) -> Expression:
    """Give the variance a day that a fear index in points (percent a year) stands for."""
    return (fear / 100) ** 2 / volatility.TRADING_DAYS


def drawdown(series: Series) -> Expression:
    """Give log(close / highest close of 250 bars)."""
    return log(series.close / highest(series.close, 250))


def fear_level(series: Series) -> Expression:
    """Give the logarithm of the fear index in points."""
    return log(series.close)


def fear_rank(series: Series) -> Expression:
    """Give the rank of today's fear among the last 250 days."""
    return rank_of_last(series.close, 250)


def fear_premium(series: Series) -> Expression:
    """Give log(variance that fear stands for / mean squared index return of 22 days)."""
    realised = mean(series.log_return**2, 22)
    return log_variance(fear_variance(series.fear)) - log_variance(realised)


def beta(series: Series, *, length: int) -> Expression:
    """Give the slope of the symbol's log returns on the index's over the same bars."""
    return regression_slope(series.log_return, series.index_return, length)


def index_correlation(series: Series) -> Expression:
    """Give the correlation of 60 log returns of the symbol and the index."""
    return correlation(series.log_return, series.index_return, 60)


def idiosyncratic_share(series: Series) -> Expression:
    """Give the share of the variance of 120 log returns that the index does not explain."""
    return 1 - correlation(series.log_return, series.index_return, 120) ** 2


def relative_strength(series: Series, *, length: int) -> Expression:
    """Give the log return of the symbol less that of the index over the same bars."""
    return total(series.log_return, length) - total(series.index_return, length)


def scaled_fear(series: Series) -> Expression:
    """Give log(fear's variance brought to the symbol's level of 252 days / its decaying variance)."""
    implied = fear_variance(series.fear)
    level = mean(series.log_return**2, 252) / mean(implied, 252)
    return log_variance(level * implied) - log_variance(volatility.decaying_variance(series))


def _of_context(
    name: str, rule: IndexRule | FearRule, formula: str, length: int, inputs: str, source: str = REFERENCE
) -> Feature:
    return Feature(
        name=name,
        family=_FAMILY.name,
        formula=formula,
        inputs=tuple(inputs.split()),
        look_back=length + CARRY_MAX,
        warm_up=length - 1,
        source=source,
        rule=rule,
    )


def _of_index(name: str, kernel: Callable[[Series], Expression], formula: str, length: int) -> Feature:
    return _of_context(f"index_{name}", IndexRule(kernel=kernel), f"{formula}, of the index", length, "index")


def _of_fear(name: str, kernel: Callable[[Series], Expression], formula: str, length: int) -> Feature:
    return _of_context(f"fear_{name}", FearRule(kernel=kernel), f"{formula}, f in points", length, "fear")


_COMPARED: Final = {
    feature.name: feature
    for family in (momentum, trend, volume, volatility, market_structure)
    for feature in family.FEATURES
}


def _of_day(
    name: str,
    feature: Feature,
    comparison: Comparison,
    formula: str,
    source: str,
    *,
    within_sector: bool = False,
) -> Feature:
    members = "sector" if within_sector else "cross_section"
    return Feature(
        name=name,
        family=_FAMILY.name,
        formula=formula.format(feature.name),
        inputs=(*feature.inputs, members),
        look_back=feature.look_back,
        warm_up=feature.warm_up,
        source=source,
        rule=DayRule(column=feature.name, within_sector=within_sector, comparison=comparison),
    )


def _rank_feature(feature: Feature) -> Feature:
    return _of_day(
        f"rank_{feature.name}",
        feature,
        Comparison.RANK,
        "(r - 1/2) / n, r = rank of {} among the day's n symbols, ties to 9 decimals shared",
        "Gu, Kelly and Xiu 2020",
    )


def _sector_feature(length: int) -> Feature:
    return _of_day(
        f"sector_relative_{length}",
        _COMPARED[f"momentum_{length}"],
        Comparison.FROM_MEAN,
        "{} less its mean over the day's symbols of the sector, or of all if the sector is not known",
        "Moskowitz and Grinblatt 1999",
        within_sector=True,
    )


def _beta_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"beta_{length}",
        partial(beta, length=length),
        f"covariance(log return, index log return, {length}) / variance(index log return, {length});"
        " 0 if the index does not vary",
        length + 1,
        "close index",
        carried=CARRY_MAX,
    )


def _strength_feature(length: int) -> Feature:
    return _FAMILY.of_symbol(
        f"relative_strength_{length}",
        partial(relative_strength, length=length),
        f"sum(log return, {length}) - sum(index log return, {length})",
        length + 1,
        "close index",
        "Levy 1967",
        carried=CARRY_MAX,
    )


_INDEX: Final = (
    _of_index("return_1", partial(momentum.log_return, start=1), "log(close / close[1])", 2),
    _of_index("return_5", partial(momentum.log_return, start=5), "log(close / close[5])", 6),
    _of_index("return_20", partial(momentum.log_return, start=20), "log(close / close[20])", 21),
    _of_index(
        "volatility_20",
        partial(volatility.historical_volatility, length=20),
        "100 * sqrt(252) * deviation(log return, 20)",
        21,
    ),
    _of_index(
        "volatility_ratio_5_60",
        partial(volatility_ratio, short=5, long=60),
        "log(deviation(log return, 5) / deviation(log return, 60)) within log .01 and log 100",
        61,
    ),
    _of_index("drawdown_250", drawdown, "log(close / highest(close, 250))", 250),
    _of_index(
        "price_vs_sma_200",
        partial(trend.distance_to_mean, length=200),
        "close / mean(close, 200) - 1",
        200,
    ),
)

_FEAR: Final = (
    _of_fear("level", fear_level, "log(f)", 1),
    _of_fear("change_5", partial(momentum.log_return, start=5), "log(f / f[5])", 6),
    _of_fear("rank_250", fear_rank, "(r - 1/2) / 250, r = rank of f among the last 250, ties shared", 250),
    _of_fear(
        "volatility_20",
        partial(volatility.historical_volatility, length=20),
        "100 * sqrt(252) * deviation(log(f / f[1]), 20)",
        21,
    ),
    _of_context(
        "fear_premium_22",
        IndexRule(kernel=fear_premium),
        "log((f / 100)^2 / 252) - log(mean(log return^2, 22)), of the index, f in points;"
        " variances under 1e-8 count as 1e-8",
        23,
        "index fear",
        "Bollerslev, Tauchen and Zhou 2009",
    ),
)

_PAIRED: Final = (
    _beta_feature(60),
    _beta_feature(250),
    _FAMILY.of_symbol(
        "index_correlation_60",
        index_correlation,
        "correlation(log return, index log return, 60); 0 if one does not vary",
        61,
        "close index",
        carried=CARRY_MAX,
    ),
    _FAMILY.of_symbol(
        "idiosyncratic_share_120",
        idiosyncratic_share,
        "1 - correlation(log return, index log return, 120)^2; 1 if one does not vary",
        121,
        "close index",
        "Morck, Yeung and Yu 2000",
        carried=CARRY_MAX,
    ),
    _strength_feature(20),
    _strength_feature(120),
    _FAMILY.of_symbol(
        "fear_scaled_ratio_252",
        scaled_fear,
        "log(w * mean(log return^2, 252) / mean(w, 252)) - log(v of har_ratio), w = (f / 100)^2 / 252,"
        " f in points; variances under 1e-8 count as 1e-8",
        253,
        "close fear",
        "Bollerslev, Tauchen and Zhou 2009, as a ratio",
        carried=CARRY_MAX,
    ),
)

_BREADTH: Final = (
    _of_day(
        "breadth_above_sma_50",
        _COMPARED["price_vs_sma_50"],
        Comparison.RISING,
        "share of the day's symbols with {} above 0, a zero counts one half",
        "Zweig 1986",
    ),
    _of_day(
        "breadth_above_sma_200",
        _COMPARED["price_vs_sma_200"],
        Comparison.RISING,
        "share of the day's symbols with {} above 0, a zero counts one half",
        "Zweig 1986",
    ),
    _of_day(
        "breadth_rising_5",
        _COMPARED["momentum_5"],
        Comparison.RISING,
        "share of the day's symbols with {} above 0, a zero counts one half",
        "Zweig 1986",
    ),
    _of_day(
        "dispersion_20",
        _COMPARED["momentum_20"],
        Comparison.DEVIATION,
        "standard deviation of {} over the day's symbols, divisor n",
        "Stivers 2003",
    ),
)

_SECTOR: Final = (
    _sector_feature(20),
    _sector_feature(120),
    _of_day(
        "sector_momentum_20",
        _COMPARED["momentum_20"],
        Comparison.MEAN,
        "mean of {} over the day's symbols of the sector, or of all if the sector is not known",
        "Moskowitz and Grinblatt 1999",
        within_sector=True,
    ),
    _of_day(
        "sector_breadth_20",
        _COMPARED["price_vs_sma_20"],
        Comparison.RISING,
        "share of the sector's symbols of the day with {} above 0, or of all if the sector is not known",
        "Zweig 1986",
        within_sector=True,
    ),
)

_SEASON: Final = (
    _FAMILY.of_symbol(
        "quarter_sine",
        lambda series: series.quarter_sine,
        "sin(2 pi * days since the first day of the quarter / days of the quarter)",
        1,
        "calendar",
        "Beaver 1968: companies report by the quarter",
    ),
    _FAMILY.of_symbol(
        "quarter_cosine",
        lambda series: series.quarter_cosine,
        "cos(2 pi * days since the first day of the quarter / days of the quarter)",
        1,
        "calendar",
        "Beaver 1968: companies report by the quarter",
    ),
)

_RANKED: Final = (
    "momentum_5",
    "momentum_20",
    "momentum_120",
    "momentum_12_1",
    "historical_volatility_60",
    "beta_250",
    "distance_52w_high",
    "volume_trend_5_20",
    "har_ratio_5",
)


def _rank_features() -> tuple[Feature, ...]:
    known = _COMPARED | {feature.name: feature for feature in _PAIRED}
    return tuple(_rank_feature(known[name]) for name in _RANKED)


FEATURES: Final[tuple[Feature, ...]] = (
    *_INDEX,
    *_FEAR,
    *_PAIRED,
    *_BREADTH,
    *_rank_features(),
    *_SECTOR,
    *_SEASON,
)
