"""Bars as panels, sessions by symbols, and the daily variances that everything else averages."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.types import Bars

VARIANCE_MIN: Final = 1e-8
"""A bar whose high is its low has no range; a log must stay finite. It is .01 % a day."""

EWMA_BARS_MIN: Final = 20

Frame = TypeVar("Frame", pd.DataFrame, "pd.Series[float]")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """All bars as frames of shape (n_sessions, n_symbols); NaN where a symbol has no bar.

    ``overnight``, ``range_variance`` (Parkinson 1980) and ``daily_variance`` (Garman & Klass 1980, equation
    19, plus the squared overnight return) are variances of log returns a day. Where only closes are known
    the squared return stands for all of them. What remembers long is computed with the panel, so that it
    may be cut: ``ewma_97`` and ``ewma_94`` of squared returns (RiskMetrics 1996), ``own_97`` of squared
    excess returns, ``ups`` and ``downs`` of changes (Wilder 1978).
    """

    sessions: NDArray[np.datetime64]
    rows: tuple[NDArray[np.intp], NDArray[np.intp]]
    close: pd.DataFrame
    log_close: pd.DataFrame
    returns: pd.DataFrame
    squares: pd.DataFrame
    high: pd.DataFrame
    volume: pd.DataFrame
    overnight: pd.DataFrame
    range_variance: pd.DataFrame
    daily_variance: pd.DataFrame
    ewma_97: pd.DataFrame
    ewma_94: pd.DataFrame
    own_97: pd.DataFrame
    ups: pd.DataFrame
    downs: pd.DataFrame

    @classmethod
    def of(cls, bars: Bars) -> Self:
        """Lay out bars; the order of rows is kept for the way back."""
        sessions, at = np.unique(bars.date, return_inverse=True)
        symbols, of = np.unique(bars.symbol, return_inverse=True)

        def frame(column: NDArray[np.float64]) -> pd.DataFrame:
            cells = np.full((len(sessions), len(symbols)), np.nan)
            cells[at, of] = column
            return pd.DataFrame(cells, sessions, symbols)

        open_, high, low, close = (frame(getattr(bars, name)) for name in ("open", "high", "low", "close"))
        volume = frame(bars.volume)
        before = close.ffill().shift()
        returns = logs(close / before)
        squares = returns**2
        log_range = logs(high / low) ** 2
        body = (2 * np.log(2) - 1) * logs(close / open_) ** 2
        overnight = logs(open_ / before) ** 2
        garman_klass = (0.5 * log_range - body).clip(lower=VARIANCE_MIN)
        changes = close.diff() / before
        return cls(
            sessions=sessions,
            rows=(at, of),
            close=close,
            log_close=logs(close),
            returns=returns,
            squares=squares,
            high=high.fillna(close),
            volume=volume.where(volume > 0),
            overnight=overnight.fillna(0.0).where(close.notna()),
            range_variance=(log_range / (4 * np.log(2))).clip(lower=VARIANCE_MIN).fillna(squares),
            daily_variance=(garman_klass + overnight).fillna(squares),
            ewma_97=smoothed(squares, 0.97),
            ewma_94=smoothed(squares, 0.94),
            own_97=smoothed(_excess(returns) ** 2, 0.97),
            ups=smoothed(changes.clip(lower=0), 13 / 14),
            downs=smoothed((-changes).clip(lower=0), 13 / 14),
        )

    def last(self, sessions: int) -> Self:
        """Give the last sessions alone."""
        first = max(0, len(self.sessions) - sessions)
        at, of = self.rows
        kept = at >= first
        frames = {
            field.name: getattr(self, field.name).iloc[first:]
            for field in fields(self)
            if field.name not in ("sessions", "rows")
        }
        return type(self)(sessions=self.sessions[first:], rows=(at[kept] - first, of[kept]), **frames)

    def of_bars(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Give a frame's value of each bar, shape (n_bars,)."""
        return np.asarray(frame.to_numpy()[self.rows], dtype=np.float64)

    def spread(self, series: pd.Series[float]) -> pd.DataFrame:
        """Give every symbol the same series."""
        wide = np.repeat(series.to_numpy()[:, np.newaxis], self.returns.shape[1], axis=1)
        return pd.DataFrame(wide, self.sessions, self.returns.columns)

    def excess(self) -> pd.DataFrame:
        """Give returns less the day's mean over the symbols."""
        return _excess(self.returns)


def _excess(returns: pd.DataFrame) -> pd.DataFrame:
    return returns.sub(returns.mean(axis=1), axis=0)


def smoothed(frame: pd.DataFrame, decay: float) -> pd.DataFrame:
    """Give the exponentially weighted mean, weights scaled to sum 1."""
    return frame.ewm(alpha=1 - decay, min_periods=EWMA_BARS_MIN).mean()


def logs(frame: Frame) -> Frame:
    """Give logarithms, -inf of zero: where there is one symbol, it has no variance of its own.

    numpy's own function forgets in its types that a frame stays one.
    """
    with np.errstate(divide="ignore"):
        return cast("Frame", np.log(frame))


def log_variance(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the logarithm, of at least .03 % a day so that it stays finite."""
    return logs(frame.clip(lower=1e-7))


def rank_of_day(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each value's rank among those of its day, centred: above -.5 to .5; ties share theirs."""
    return frame.rank(axis=1, pct=True) - 0.5
