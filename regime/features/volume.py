"""Volume: how much is traded, on which days, and what it takes to move the price."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from regime.features.expression import absolute, lag, larger, where
from regime.features.feature import Family, Feature
from regime.features.ratios import direction, log_ratio, ratio
from regime.features.trend import in_true_ranges
from regime.features.windows import correlation, exponential_mean, mean, total

if TYPE_CHECKING:
    from regime.features.expression import Expression
    from regime.features.series import Series

_FAMILY: Final = Family(name="volume")
_THIN: Final = 0.1
"""Share of the mean volume under which ease of movement grows no further; chosen here."""


def volume_trend(series: Series, *, short: int, long: int) -> Expression:
    """Give log(mean volume of ``short`` bars / mean volume of ``long`` bars)."""
    return log_ratio(mean(series.volume, short), mean(series.volume, long))


def on_balance(series: Series) -> Expression:
    """Give rising less falling volume as a share of all volume, 20 bars, -1 to 1."""
    signed = direction(series.log_return) * series.volume
    return ratio(total(signed, 20), total(series.volume, 20), neutral=0.0)


def money_flow_share(series: Series) -> Expression:
    """Give Chaikin's money flow: volume weighted by where the close lies, 20 bars, -1 to 1."""
    flow = series.close_location * series.volume
    return ratio(total(flow, 20), total(series.volume, 20), neutral=0.0)


def distance_to_weighted_price(series: Series) -> Expression:
    """Give close / volume-weighted mean price of 20 bars - 1; 0 if nothing was traded."""
    traded = total(series.volume, 20)
    weighted = total(series.typical * series.volume, 20)
    return ratio(series.close * traded, weighted, neutral=1.0) - 1


def ease_of_movement(series: Series) -> Expression:
    """Give how far the middle of the bar moves per usual volume, in true ranges, 14 bars."""
    middle = (series.high + series.low) / 2
    moved = (middle - lag(middle, 1)) / series.close * ((series.high - series.low) / series.close)
    usual = ratio(series.volume, mean(series.volume, 14), neutral=1.0)
    eased = mean(moved / larger(usual, _THIN), 14)
    per_range = in_true_ranges(series, series.close, 14)
    return eased * per_range**2


def _directed_volume(series: Series) -> tuple[Expression, Expression]:
    force = series.log_return * series.volume
    return force, absolute(force)


def force_index(series: Series) -> Expression:
    """Give return times volume over its absolute size, exponential means of 13 days, -1 to 1."""
    force, size = (exponential_mean(part, 13) for part in _directed_volume(series))
    return ratio(force, size, neutral=0.0)


def volume_price_trend(series: Series) -> Expression:
    """Give return times volume over its absolute size, sums of 60 bars, -1 to 1."""
    force, size = (total(part, 60) for part in _directed_volume(series))
    return ratio(force, size, neutral=0.0)


def return_on_volume(series: Series, *, side: float) -> Expression:
    """Give the net return of days whose volume rose (``side`` 1) or fell (-1) over all movement, 60 bars."""
    change = side * (series.volume - lag(series.volume, 1))
    chosen = where(change > 0.0, series.log_return, 0.0 * series.log_return * change)
    return ratio(total(chosen, 60), total(absolute(series.log_return), 60), neutral=0.0, scale=1.0)


def illiquidity_change(series: Series) -> Expression:
    """Give the log change of movement per turnover, 20 bars against 120."""
    movement, turnover = absolute(series.log_return), series.close * series.volume
    moved = log_ratio(mean(movement, 20), mean(movement, 120))
    traded = log_ratio(mean(turnover, 20), mean(turnover, 120))
    return moved - traded


def volume_volatility_correlation(series: Series) -> Expression:
    """Give the correlation of absolute return and volume, 60 bars."""
    return correlation(absolute(series.log_return), series.volume, 60)


def _trend_feature(short: int, long: int) -> Feature:
    return _FAMILY.of_symbol(
        f"volume_trend_{short}_{long}",
        partial(volume_trend, short=short, long=long),
        f"log(mean(volume, {short}) / mean(volume, {long})) within log .01 and log 100;"
        " 0 if nothing was traded",
        long,
        "volume",
    )


def _side_feature(name: str, side: float, word: str) -> Feature:
    return _FAMILY.of_symbol(
        name,
        partial(return_on_volume, side=side),
        f"sum(log return on days with {word} volume, 60) / sum(|log return|, 60); 0 if nothing moved",
        61,
        "close volume",
        "Fosback 1976, windowed",
    )


FEATURES: Final[tuple[Feature, ...]] = (
    _FAMILY.of_symbol(
        "volume_ratio_20",
        partial(volume_trend, short=1, long=20),
        "log(volume / mean(volume, 20)) within log .01 and log 100; 0 if nothing was traded",
        20,
        "volume",
    ),
    _trend_feature(5, 20),
    _trend_feature(20, 120),
    _FAMILY.of_symbol(
        "on_balance_volume_20",
        on_balance,
        "sum(sign(log return) * volume, 20) / sum(volume, 20); 0 if nothing was traded",
        21,
        "close volume",
        "Granville 1963, windowed",
    ),
    _FAMILY.of_symbol(
        "chaikin_money_flow_20",
        money_flow_share,
        "sum(close location * volume, 20) / sum(volume, 20), close location = (2 close - high - low) /"
        " (high - low), 0 for a flat bar; 0 if nothing was traded",
        20,
        "high low close volume",
        "Chaikin 1982",
    ),
    _FAMILY.of_symbol(
        "price_vs_vwap_20",
        distance_to_weighted_price,
        "close * sum(volume, 20) / sum(typical * volume, 20) - 1; 0 if nothing was traded",
        20,
        "high low close volume",
    ),
    _FAMILY.of_symbol(
        "ease_of_movement_14",
        ease_of_movement,
        "mean(change of (high + low) / 2 * (high - low) / close^2 / max(volume / mean(volume, 14), .1), 14)"
        " * (close / mean(true range, 14))^2; volume counts as usual if nothing was traded, and the whole"
        " is 0 if the true range is nothing",
        27,
        "high low close volume",
        "Arms 1983, in true ranges",
    ),
    _FAMILY.of_symbol(
        "force_index_13",
        force_index,
        "exponential_mean(log return * volume, span 13, last 39) / the same of its absolute value;"
        " 0 if nothing moved or was traded",
        40,
        "close volume",
        "Elder 1993, as a share",
    ),
    _side_feature("negative_volume_return_60", -1.0, "falling"),
    _side_feature("positive_volume_return_60", 1.0, "rising"),
    _FAMILY.of_symbol(
        "volume_price_trend_60",
        volume_price_trend,
        "sum(log return * volume, 60) / sum(|log return| * volume, 60); 0 if nothing moved or was traded",
        61,
        "close volume",
    ),
    _FAMILY.of_symbol(
        "illiquidity_change_20_120",
        illiquidity_change,
        "log(mean(|log return|, 20) / mean(|log return|, 120)) - log(mean(close * volume, 20) /"
        " mean(close * volume, 120)), each within log .01 and log 100 and 0 if nothing moved or was traded",
        121,
        "close volume",
        "Amihud 2002, as a change",
    ),
    _FAMILY.of_symbol(
        "volume_volatility_correlation_60",
        volume_volatility_correlation,
        "correlation(|log return|, volume, 60); 0 if one does not vary",
        61,
        "close volume",
        "Karpoff 1987",
    ),
)
