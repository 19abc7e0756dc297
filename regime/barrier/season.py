"""Proxies of the earnings season, for which no calendar is at hand.

Companies report every quarter, about 63 sessions apart, and such days move and trade more than others. So
what the variance was in the weeks one to four quarters before the coming weeks says something about them.
All windows end before the day's close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from regime.barrier.windows import earlier, rolling_max, rolling_mean

if TYPE_CHECKING:
    from regime.barrier.panels import Cells, Panel

QUARTERS: Final = (63, 126, 189, 252)
WINDOW: Final = 16
"""Sessions looked at a quarter earlier: the coming 14 and one on either side."""
WINDOW_MIN: Final = 10
EVENT_MAX: Final = 10.0
PEAK_MAX: Final = 30.0


def season_columns(panel: Panel) -> dict[str, Cells]:
    """Give the columns of ``regime.barrier.inputs.SEASONS``, shape (n_sessions, n_symbols)."""
    variance, year = panel.daily_variance, rolling_mean(panel.daily_variance, 252)
    then = {lag: _quarters_ago(rolling_mean(variance, WINDOW, WINDOW_MIN), lag) for lag in QUARTERS}
    peaks = rolling_max(variance, WINDOW, WINDOW_MIN)
    columns = {"season": np.log(sum(then.values(), start=0.0 * year) / len(QUARTERS) / year)}
    columns |= {f"season_{lag}": np.log(each / year) for lag, each in then.items()}
    columns |= {f"peak_{lag}": (_quarters_ago(peaks, lag) / year).clip(max=PEAK_MAX) for lag in (63, 252)}
    return columns | _event_columns(panel)


def _quarters_ago(cells: Cells, lag: int) -> Cells:
    """Give the window that lies ``lag`` sessions before the coming one; it ends at least 48 sessions ago."""
    return earlier(cells, lag - WINDOW + 1)


def _event_columns(panel: Panel) -> dict[str, Cells]:
    """Tell of days on which a symbol moved by itself in heavy trade: how long ago, how large, and when."""
    events = _outsized(panel)
    age = _age_of_highest(panel.tail(events, before=QUARTERS[0] - 1), QUARTERS[0])
    largest = rolling_max(events, WINDOW, WINDOW_MIN)
    then = {lag: _quarters_ago(largest, lag) for lag in QUARTERS}
    usual = rolling_mean(events, 252, 120)
    columns = {
        "event_age": age,
        "event_next": (QUARTERS[0] - age).clip(-5, QUARTERS[0]),
        "event_size": rolling_max(events, QUARTERS[0]).clip(max=EVENT_MAX),
        "event_season": (sum(then.values(), start=0.0 * usual) / len(QUARTERS) / usual).clip(0, 6),
    }
    return columns | {f"event_{lag}": each.clip(max=EVENT_MAX) for lag, each in then.items()}


def _outsized(panel: Panel) -> Cells:
    """Give how far a day stands out: its own move in usual own moves, times the log of relative volume."""
    usual = earlier(panel.own_97**0.5, 1)
    median = pd.DataFrame(panel.volume).rolling(63, min_periods=30).median().to_numpy(dtype=np.float64)
    volume = panel.volume / median
    outsized = np.abs(panel.excess()) / usual * np.log(volume.clip(max=8) + 1)
    return np.where(np.isnan(outsized), 0.0, outsized)


def _age_of_highest(cells: Cells, bars: int) -> Cells:
    """Give how many sessions ago the highest of the last ``bars`` was; NaN before there are so many."""
    ages = np.full(cells.shape, np.nan)
    if len(cells) >= bars:
        ages[bars - 1 :] = bars - 1 - sliding_window_view(cells, bars, axis=0).argmax(axis=2)
    return ages
