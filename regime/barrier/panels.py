"""Bars as panels, sessions by symbols, and the daily variances that everything else averages."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pandas as pd

from regime.barrier.windows import earlier, mean_of_known

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.types import Bars

    Cells = NDArray[np.float64]

VARIANCE_MIN: Final = 1e-8
"""A bar whose high is its low has no range; a log must stay finite. It is .01 % a day."""

EWMA_BARS_MIN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """All bars as arrays of shape (n_sessions, n_symbols); NaN where a symbol has no bar.

    ``rows`` says at which session and symbol each bar stands, ``asked`` of how many last sessions values are
    wanted. ``overnight``, ``range_variance`` (Parkinson 1980) and ``daily_variance`` (Garman & Klass 1980,
    equation 19, plus the squared overnight return) are variances of log returns a day. Where only closes are
    known the squared return stands for all of them. What remembers long is computed with the panel, so that
    it may be cut: ``ewma_97`` and ``ewma_94`` of squared returns (RiskMetrics 1996), ``own_97`` of squared
    excess returns, ``ups`` and ``downs`` of changes (Wilder 1978).
    """

    sessions: NDArray[np.datetime64]
    rows: tuple[NDArray[np.intp], NDArray[np.intp]]
    asked: int
    close: Cells
    log_close: Cells
    returns: Cells
    squares: Cells
    high: Cells
    volume: Cells
    overnight: Cells
    range_variance: Cells
    daily_variance: Cells
    ewma_97: Cells
    ewma_94: Cells
    own_97: Cells
    ups: Cells
    downs: Cells

    @classmethod
    def of(cls, bars: Bars) -> Self:
        """Lay out bars; the order of rows is kept for the way back."""
        sessions, at = np.unique(bars.date, return_inverse=True)
        symbols, of = np.unique(bars.symbol, return_inverse=True)

        def laid_out(column: NDArray[np.float64]) -> Cells:
            cells = np.full((len(sessions), len(symbols)), np.nan)
            cells[at, of] = column
            return cells

        open_, high, low, close = (laid_out(getattr(bars, name)) for name in ("open", "high", "low", "close"))
        volume = laid_out(bars.volume)
        before = earlier(_carried_on(close), 1)
        returns = np.log(close / before)
        squares = returns**2
        log_range = np.log(high / low) ** 2
        body = (2 * np.log(2) - 1) * np.log(close / open_) ** 2
        overnight = np.log(open_ / before) ** 2
        garman_klass = (0.5 * log_range - body).clip(VARIANCE_MIN)
        changes = (close - earlier(close, 1)) / before
        return cls(
            sessions=sessions,
            rows=(at, of),
            asked=len(sessions),
            close=close,
            log_close=np.log(close),
            returns=returns,
            squares=squares,
            high=_filled(high, close),
            volume=np.where(volume > 0, volume, np.nan),
            overnight=np.where(np.isnan(close), np.nan, _filled(overnight, 0.0)),
            range_variance=_filled((log_range / (4 * np.log(2))).clip(VARIANCE_MIN), squares),
            daily_variance=_filled(garman_klass + overnight, squares),
            ewma_97=smoothed(squares, 0.97),
            ewma_94=smoothed(squares, 0.94),
            own_97=smoothed(_excess(returns) ** 2, 0.97),
            ups=smoothed(changes.clip(0), 13 / 14),
            downs=smoothed((-changes).clip(0), 13 / 14),
        )

    def last(self, asked: int, *, before: int) -> Self:
        """Give the panel of the last ``asked`` sessions, with so many before them to look back on."""
        first = max(0, len(self.sessions) - asked - before)
        at, of = self.rows
        kept = at >= first
        cut = {
            field.name: getattr(self, field.name)[first:]
            for field in fields(self)
            if field.name not in ("rows", "asked")
        }
        return type(self)(rows=(at[kept] - first, of[kept]), asked=asked, **cut)

    def tail(self, cells: Cells, *, before: int = 0) -> Cells:
        """Give the sessions that are asked for alone, with so many before them as there are."""
        return cells[max(0, len(cells) - self.asked - before) :]

    def of_bars(self, cells: Cells) -> NDArray[np.float64]:
        """Give the value of each bar of the sessions that are asked for, shape (n_bars,)."""
        at, of = self.rows
        first = max(0, len(self.sessions) - self.asked)
        kept = at >= first
        return self.tail(cells)[at[kept] - first, of[kept]]

    def spread(self, series: Cells) -> Cells:
        """Give every symbol the same series."""
        return np.repeat(series[:, np.newaxis], self.returns.shape[1], axis=1)

    def excess(self) -> Cells:
        """Give returns less the day's mean over the symbols."""
        return _excess(self.returns)


def _excess(returns: Cells) -> Cells:
    return returns - mean_of_known(returns, axis=1)[:, np.newaxis]


def _carried_on(cells: Cells) -> Cells:
    """Give the last value that is known, of each row and column."""
    last = np.where(np.isnan(cells), 0, np.arange(len(cells))[:, np.newaxis])
    return np.take_along_axis(cells, np.maximum.accumulate(last, axis=0), axis=0)


def _filled(cells: Cells, others: Cells | float) -> Cells:
    return np.where(np.isnan(cells), others, cells)


def smoothed(cells: Cells, decay: float) -> Cells:
    """Give the exponentially weighted mean, weights scaled to sum 1."""
    weighted = pd.DataFrame(cells).ewm(alpha=1 - decay, min_periods=EWMA_BARS_MIN)
    return weighted.mean().to_numpy(dtype=np.float64)


def log_variance(cells: Cells) -> Cells:
    """Give the logarithm, of at least .03 % a day so that it stays finite."""
    logs: Cells = np.log(cells.clip(1e-7))
    return logs


def rank_of_day(cells: Cells) -> Cells:
    """Give each value's rank among those of its day, centred: above -.5 to .5; ties share theirs."""
    return pd.DataFrame(cells).rank(axis=1, pct=True).to_numpy(dtype=np.float64) - 0.5
