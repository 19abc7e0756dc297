"""One symbol's bars with the daily quantities that many features share, and what was known around them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.features.ratios import ratio
from regime.features.windows import lag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.types import Bars

CARRY_MAX: Final = 5
"""Bars of a symbol through which the last known value of the index or of fear stands in for a missing one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Daily quantities of one symbol, each of shape (n_bars,), in date order.

    ``change`` is close less previous close; returns are logarithmic: ``log_return`` close to close,
    ``log_gap`` close to open, ``log_body`` open to close, ``log_range`` low to high. ``true_range``, in
    price, includes the previous close (Wilder 1978). ``day_variance`` is the variance within the day
    (Garman and Klass 1980, equation 19 without its smallest term), ``total_variance`` adds the squared gap.
    ``index_return`` is the market index's log return between this symbol's bars and ``fear`` the fear index
    in VIX points, both as known on the day, NaN where neither the day nor one of the ``CARRY_MAX`` bars
    before it has a value.
    """

    date: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    previous_close: NDArray[np.float64]
    change: NDArray[np.float64]
    true_high: NDArray[np.float64]
    true_low: NDArray[np.float64]
    true_range: NDArray[np.float64]
    typical: NDArray[np.float64]
    close_location: NDArray[np.float64]
    log_return: NDArray[np.float64]
    log_gap: NDArray[np.float64]
    log_body: NDArray[np.float64]
    log_range: NDArray[np.float64]
    day_variance: NDArray[np.float64]
    total_variance: NDArray[np.float64]
    index_return: NDArray[np.float64]
    fear: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.date)


def series_of(bars: Bars, *, index: Bars, fear: Bars) -> Series:
    """Give the series of one symbol's bars beside the market index and the fear index.

    ``index`` and ``fear`` hold one symbol or nothing; what came later than a bar is not used for it.

    >>> from regime.types import Bars
    >>> bars = Bars.of("A", ["2024-01-02", "2024-01-03"], [10, 11], [12, 13], [9, 11], [11, 12], [5, 5])
    >>> series_of(bars, index=bars, fear=Bars.empty()).true_range
    array([nan,  2.])
    """
    previous_close = lag(bars.close, 1)
    true_high, true_low = np.maximum(bars.high, previous_close), np.minimum(bars.low, previous_close)
    log_range, log_body = np.log(bars.high / bars.low), np.log(bars.close / bars.open)
    log_gap = np.log(bars.open / previous_close)
    day_variance = 0.5 * log_range**2 - (2 * math.log(2) - 1) * log_body**2
    index_close = known_values(index.close, index.date, bars.date)
    return Series(
        date=bars.date,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        previous_close=previous_close,
        change=bars.close - previous_close,
        true_high=true_high,
        true_low=true_low,
        true_range=true_high - true_low,
        typical=(bars.high + bars.low + bars.close) / 3,
        close_location=_close_location(bars),
        log_return=np.log(bars.close / previous_close),
        log_gap=log_gap,
        log_body=log_body,
        log_range=log_range,
        day_variance=day_variance,
        total_variance=day_variance + log_gap**2,
        index_return=np.log(index_close / lag(index_close, 1)),
        fear=known_values(fear.close, fear.date, bars.date),
    )


def known_values(
    values: NDArray[np.float64], known_on: NDArray[np.datetime64], asked_on: NDArray[np.datetime64]
) -> NDArray[np.float64]:
    """Give for each day asked the latest value known by then, carried at most ``CARRY_MAX`` days asked.

    Both dates are ascending. A value of the day itself has age 0; the age counts the days asked since.

    >>> known, asked = np.array(["2024-01-02"], "M8[D]"), np.arange("2024-01-01", "2024-01-09", dtype="M8[D]")
    >>> known_values(np.array([7.0]), known, asked)
    array([nan,  7.,  7.,  7.,  7.,  7.,  7., nan])
    """
    if not len(values):
        return np.full(len(asked_on), np.nan)
    latest = np.searchsorted(known_on, asked_on, side="right") - 1
    at = np.maximum(latest, 0)
    seen_before = np.searchsorted(asked_on, known_on[at], side="right")
    age = np.arange(1, len(asked_on) + 1) - seen_before
    return np.where((latest >= 0) & (age <= CARRY_MAX), values[at], np.nan)


def _close_location(bars: Bars) -> NDArray[np.float64]:
    """Where the close lies in the day's range, -1 at the low to 1 at the high; 0 for a flat bar."""
    above = (bars.close - bars.low) - (bars.high - bars.close)
    return ratio(above, bars.high - bars.low, neutral=0.0, scale=bars.close)
