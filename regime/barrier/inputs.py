"""What volatility forecasts and the offset model start from: one table of relative measures by bar.

Everything is relative (a ratio of variances, a rank among the day's symbols, a return in units of its own
volatility), so that no level of the past is learnt by heart: a model of levels forecasts 2009 with the mean
of 2005. Two columns are levels and serve as the scale that forecasts multiply: ``log_ewma`` and ``log_fear``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from regime.barrier.panels import Panel, log_variance, rank_of_day
from regime.barrier.season import season_columns
from regime.barrier.windows import (
    earlier,
    mean_of_known,
    rolling_covariance,
    rolling_max,
    rolling_mean,
    rolling_sum,
    rolling_variance,
)
from regime.errors import HistoryTooShortError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.barrier.panels import Cells
    from regime.types import Bars

LEVELS: Final = ("log_ewma", "log_fear")
"""Log variance a day: the EWMA's own, and fear's scaled to the symbol."""

RATIOS: Final = ("day", "week", "month", "quarter", "year", "range_month", "fear", "ewma_94", "market_fear")
"""Log ratios of variances to the EWMA: Garman-Klass with overnight over 1, 5, 22, 66 and 252 bars, Parkinson
over 22, scaled fear, the faster EWMA; and fear over the symbols' mean EWMA."""

RETURNS: Final = ("return_1_sd", "return_5_sd", "return_21_sd", "return_5")

SHAPES: Final = ("month_excess", "overnight_share", "down_share", "vol_of_vol", "idiosyncratic", "beta")
"""How a symbol's variance is made up: among all symbols, by night and day, down and up, over time, own and
shared."""

VOLUMES: Final = ("volume_5_20", "volume_1_20", "kurtosis_60")

SEASONS: Final = (
    "season", "season_63", "season_126", "season_189", "season_252", "peak_63", "peak_252",
    "event_age", "event_next", "event_size", "event_season",
    "event_63", "event_126", "event_189", "event_252",
)  # fmt: skip
"""Proxies of the earnings season: variance and outsized days one to four quarters before the coming weeks."""

RANKS: Final = (
    "rank_return_5", "rank_return_21", "rank_return_63", "rank_return_126", "rank_momentum", "rank_trend_50",
    "rank_high_252", "rank_beta", "rank_rsi", "rank_volume", "rank_month", "rank_week", "rank_quarter",
    "rank_idiosyncratic",
)  # fmt: skip
"""Ranks among the day's symbols, centred: -.5 to .5."""

COLUMNS: Final = (*LEVELS, *RATIOS, *RETURNS, *SHAPES, *VOLUMES, *SEASONS, *RANKS)

VERSION: Final = "1"
"""Changes whenever a formula does: part of the recipe's hash."""

WINDOW_SESSIONS: Final = 340
"""Sessions that windows reach back, of what is not smoothed: 252 of outsized days, measured by the median
volume of the 63 before each."""

LOOK_BACK_SESSIONS: Final = 1000
"""Sessions after which a value hardly changes: 252 of events that lie up to 268 back, measured by an EWMA of
which the 480 sessions before them are all but 5e-7."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VolatilityInputs:
    """The table, row by row with the bars it was made of.

    Parameters
    ----------
    values
        float64, shape (n_bars, len(COLUMNS)); NaN where not known. Known at the bar's close.
    forward_variance
        Shape (n_bars,): mean of the daily variance (Garman-Klass with overnight) over the next
        ``horizon_days`` bars of the symbol. Known when the horizon is over, NaN before.
    """

    values: NDArray[np.float64]
    forward_variance: NDArray[np.float64]

    def column(self, name: str) -> NDArray[np.float64]:
        """Give one column, shape (n_bars,)."""
        return self.values[:, COLUMNS.index(name)]


def volatility_inputs(
    bars: Bars, index: Bars, fear: Bars, *, horizon_days: int | None, last_sessions: int | None = None
) -> VolatilityInputs:
    """Compute the table of every bar.

    Parameters
    ----------
    bars
        Symbols that are predicted; cross-sectional columns compare exactly these.
    index, fear
        The market index, and effective fear in VIX points (``regime.labels.effective_fear``). A day
        without fear takes the last one before it.
    horizon_days
        How far ``forward_variance`` looks ahead; ``None``: it is not asked for, and all NaN.
    last_sessions
        Give only the bars of the last so many sessions, which is quicker and the same to 1e-9. Then
        ``horizon_days`` must be ``None``.

    Raises
    ------
    HistoryTooShortError
        If there are no bars, or no fear at all.
    """
    if not len(bars) or not len(fear):
        raise HistoryTooShortError(
            f"volatility needs bars and fear, there are {len(bars)} and {len(fear)};"
            " load more history of the index"
        )
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not known is NaN, and so is what follows
        panel = Panel.of(bars)
        if last_sessions is not None:
            panel = panel.last(last_sessions, before=WINDOW_SESSIONS)
        columns = _columns(panel, _aligned(index, panel), _aligned(fear, panel))
    values = np.stack([panel.of_bars(columns[name]) for name in COLUMNS], axis=1)
    values[~np.isfinite(values)] = np.nan
    ahead = np.full(len(values), np.nan) if horizon_days is None else _forward(panel, horizon_days)
    return VolatilityInputs(values=values, forward_variance=ahead)


def _aligned(bars: Bars, panel: Panel) -> Cells:
    """Give the closes of an index on the panel's sessions; the last one before where a session has none."""
    at = np.searchsorted(bars.date, panel.sessions, side="right") - 1
    return np.where(at >= 0, bars.close[at], np.nan)


def _forward(panel: Panel, horizon_days: int) -> NDArray[np.float64]:
    """Give the mean variance of the next bars of each symbol, in its own bars and not in sessions.

    Each value is made of its own bars alone, to the bit: what is fitted to it is known again in a later run.
    """
    daily, (_, symbol) = panel.of_bars(panel.daily_variance), panel.rows
    ahead = np.full(len(daily), np.nan)
    for each in range(panel.close.shape[1]):
        own = np.flatnonzero(symbol == each)
        ahead[own[:-horizon_days]] = rolling_mean(daily[own], horizon_days, horizon_days)[horizon_days:]
    return ahead


def _columns(panel: Panel, index: Cells, fear: Cells) -> dict[str, Cells]:
    ewma = panel.ewma_97
    level = log_variance(ewma)
    fear_variance = (fear / 100) ** 2 / 252
    usual = rolling_mean(panel.squares, 252, 60) / rolling_mean(fear_variance, 252, 60)[:, np.newaxis]
    log_fear = log_variance(usual * fear_variance[:, np.newaxis])
    windows = {
        name: log_variance(rolling_mean(panel.daily_variance, bars))
        for name, bars in (("day", 1), ("week", 5), ("month", 22), ("quarter", 66), ("year", 252))
    }
    columns = {"log_ewma": level, "log_fear": log_fear, "fear": log_fear - level}
    columns |= {name: variance - level for name, variance in windows.items()}
    columns["range_month"] = log_variance(rolling_mean(panel.range_variance, 22, 10)) - level
    columns["ewma_94"] = log_variance(panel.ewma_94) - level
    columns["market_fear"] = panel.spread(np.log(fear_variance) - np.log(mean_of_known(ewma, axis=1)))
    columns |= _returns(panel, ewma) | _shapes(panel, index, ewma, windows["month"]) | _volumes(panel)
    columns |= season_columns(panel)
    return columns | _ranks(panel, columns, windows)


def _since(cells: Cells, bars: int) -> Cells:
    return cells - earlier(cells, bars)


def _returns(panel: Panel, ewma: Cells) -> dict[str, Cells]:
    sigma = ewma**0.5
    found = {f"return_{bars}_sd": _since(panel.log_close, bars) / sigma for bars in (1, 5, 21)}
    return {**found, "return_5": _since(panel.log_close, 5).clip(-0.3, 0.3)}


def _shapes(panel: Panel, index: Cells, ewma: Cells, month: Cells) -> dict[str, Cells]:
    returns, variance = panel.returns, panel.daily_variance
    of_index = _since(np.log(index), 1)
    month_sum = rolling_sum(panel.squares, 22)
    covariance = rolling_covariance(returns, of_index, 120)
    return {
        "month_excess": month - mean_of_known(month, axis=1)[:, np.newaxis],
        "overnight_share": rolling_sum(panel.overnight, 22, 10) / rolling_sum(variance, 22, 10),
        "down_share": rolling_sum(np.where(returns < 0, panel.squares, 0.0), 22) / month_sum,
        "vol_of_vol": rolling_variance(log_variance(variance), 22) ** 0.5,
        "idiosyncratic": np.log(panel.own_97 / ewma),
        "beta": covariance / rolling_variance(of_index, 120)[:, np.newaxis],
    }


def _volumes(panel: Panel) -> dict[str, Cells]:
    volume = panel.volume
    month = rolling_mean(volume, 20, 20)
    kurtosis = pd.DataFrame(panel.tail(panel.returns, before=59)).rolling(60).kurt()
    return {
        "volume_5_20": np.log(rolling_mean(volume, 5, 5) / month),
        "volume_1_20": np.log(volume / month),
        "kurtosis_60": kurtosis.to_numpy(dtype=np.float64),
    }


def _ranks(panel: Panel, columns: dict[str, Cells], windows: dict[str, Cells]) -> dict[str, Cells]:
    log_close = panel.log_close
    compared = {f"return_{bars}": _since(log_close, bars) for bars in (5, 21, 63, 126)}
    compared |= {
        "momentum": earlier(log_close, 21) - earlier(log_close, 252),
        "trend_50": log_close - np.log(rolling_mean(panel.close, 50, 50)),
        "high_252": log_close - np.log(rolling_max(panel.high, 252, 126)),
        "beta": columns["beta"],
        "rsi": panel.ups / (panel.ups + panel.downs),
        "volume": columns["volume_5_20"],
        "month": windows["month"],
        "week": windows["week"],
        "quarter": windows["quarter"],
        "idiosyncratic": columns["idiosyncratic"],
    }
    return {f"rank_{name}": rank_of_day(panel.tail(cells)) for name, cells in compared.items()}
