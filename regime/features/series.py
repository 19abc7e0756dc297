"""One symbol's bars with the daily quantities that many features share, as expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from regime.features.expression import Expression, field, lag, larger, log, smaller
from regime.features.ratios import ratio

CARRY_MAX: Final = 5
"""Bars of a symbol through which the last known value of the index or of fear stands in for a missing one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Daily quantities of one symbol, a value a bar, in date order.

    ``change`` is close less previous close; returns are logarithmic: ``log_return`` close to close,
    ``log_gap`` close to open, ``log_body`` open to close, ``log_range`` low to high. ``true_range``, in
    price, includes the previous close (Wilder 1978). ``day_variance`` is the variance within the day
    (Garman and Klass 1980, equation 19 without its smallest term), ``total_variance`` adds the squared gap.
    ``index_return`` is the market index's log return between this symbol's bars and ``fear`` the fear index
    in VIX points, both as known on the day, NaN where neither the day nor one of the ``CARRY_MAX`` bars
    before it has a value. ``quarter_sine`` and ``quarter_cosine`` are those of the day's angle in its
    calendar quarter.
    """

    open: Expression
    high: Expression
    low: Expression
    close: Expression
    volume: Expression
    previous_close: Expression
    change: Expression
    true_high: Expression
    true_low: Expression
    true_range: Expression
    typical: Expression
    close_location: Expression
    log_return: Expression
    log_gap: Expression
    log_body: Expression
    log_range: Expression
    day_variance: Expression
    total_variance: Expression
    index_return: Expression
    fear: Expression
    quarter_sine: Expression
    quarter_cosine: Expression


def series_of_fields() -> Series:
    """Give the series in terms of the fields ``open`` to ``volume``, ``index_close``, ``fear`` and quarter.

    >>> from regime.features.engine import evaluate
    >>> true_range = series_of_fields().true_range
    >>> evaluate(true_range, high=[12.0, 13.0], low=[9.0, 11.0], close=[11.0, 12.0])
    array([nan,  2.])
    """
    open_, high, low, close = field("open"), field("high"), field("low"), field("close")
    previous_close = lag(close, 1)
    true_high, true_low = larger(high, previous_close), smaller(low, previous_close)
    log_range, log_body = log(high / low), log(close / open_)
    log_gap = log(open_ / previous_close)
    day_variance = 0.5 * log_range**2 - (2 * math.log(2) - 1) * log_body**2
    index_close = field("index_close")
    return Series(
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=field("volume"),
        previous_close=previous_close,
        change=close - previous_close,
        true_high=true_high,
        true_low=true_low,
        true_range=true_high - true_low,
        typical=(high + low + close) / 3,
        # Where the close lies in the day's range, -1 at the low to 1 at the high; 0 for a flat bar.
        close_location=ratio((close - low) - (high - close), high - low, neutral=0.0, scale=close),
        log_return=log(close / previous_close),
        log_gap=log_gap,
        log_body=log_body,
        log_range=log_range,
        day_variance=day_variance,
        total_variance=day_variance + log_gap**2,
        index_return=log(index_close / lag(index_close, 1)),
        fear=field("fear"),
        quarter_sine=field("quarter_sine"),
        quarter_cosine=field("quarter_cosine"),
    )
