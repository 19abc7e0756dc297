"""Checks of bars against what lies outside the file: today, the sessions, and the bars of before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats.reasons import Reason, rejection
from regime.types import Bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIX_DAY_WEEK_LAST: Final = np.datetime64("1952-09-28", "D")
"""Until then the New York exchange traded on Saturdays."""

SPLIT_RATIOS: Final = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)
"""New shares for an old one; reverse splits are their inverses.

3:2 is left out: a fall by a third cannot be told from a bad day (NFLX 2022-04-20, -35 %).
"""

SPLIT_TOLERANCE: Final = 0.07
"""How far from the logarithm of a ratio of 2 a jump may be; a day's own move is on top of the split."""

SPLIT_TOLERANCE_WIDE: Final = 0.15
"""The same for larger ratios, which real days hardly reach (TSLA split 5:1 on a day of +12.6 %)."""

SPLIT_USUAL_MULTIPLE: Final = 10.0
"""A split moves a price by this many times the symbol's usual (median) move, or more."""

SPLIT_GAP_DAYS_MAX: Final = 10
"""Bars further apart than this are not compared; the longest shutdown since 1934 was 7 days."""

SPLIT_RETURNS_MIN: Final = 20
"""With fewer returns than this nothing is known of the usual move."""


def check_bars(
    bars: Bars,
    *,
    today: np.datetime64,
    sessions: NDArray[np.datetime64] | None,
    history: Bars | None = None,
) -> None:
    """Refuse bars that cannot be, given the day, the sessions and the bars that are stored.

    Parameters
    ----------
    bars
        The bars of one file.
    today
        The present day at the exchange.
    sessions
        Session days, ascending; ``None`` if every day is one. Days outside their range are only checked
        for weekends. Rows without an open may lie on holidays, not on weekends: closes of calculated
        indices do (the VIX has 17 such rows since 2004), and are joined to sessions later.
    history
        Stored bars of these symbols and perhaps others, to which the bars of the file must fit.

    Raises
    ------
    FileRejectedError
        With `Reason.FUTURE_DATE`, `Reason.NON_SESSION_DAY` or `Reason.SPLIT_SUSPECTED`.

    Notes
    -----
    A split is suspected where, from one close to the next, within `SPLIT_GAP_DAYS_MAX` days, the price
    changes by a ratio near one of `SPLIT_RATIOS` or its inverse, the open (where known) jumped by the same
    ratio, and the move is at least `SPLIT_USUAL_MULTIPLE` times the symbol's median absolute log return.
    Indices, whose symbols start with ``^``, do not split. The rule and its numbers are regimed's own choice:
    it stays silent on the largest moves of US large caps since 2004 and of the indices in 1987, 2008, 2020.
    """
    _refuse(bars, bars.date > today, Reason.FUTURE_DATE, f"today is {today}")
    _check_sessions(bars, sessions)
    _check_splits(bars, Bars.empty() if history is None else history)


def is_session(date: NDArray[np.datetime64], sessions: NDArray[np.datetime64] | None) -> NDArray[np.bool_]:
    """Say of each day whether the market was open, shape (n_days,).

    Outside the range of ``sessions`` every weekday counts as one, and before October 1952 Saturdays too.
    """
    if sessions is None:
        return np.ones(len(date), dtype=bool)
    if not len(sessions):
        return _is_working_day(date)
    is_covered = (date >= sessions[0]) & (date <= sessions[-1])
    place = np.minimum(np.searchsorted(sessions, date), len(sessions) - 1)
    return np.where(is_covered, sessions[place] == date, _is_working_day(date))


def _is_working_day(date: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    is_old_saturday = (date <= SIX_DAY_WEEK_LAST) & np.is_busday(date, weekmask="0000010")
    working: NDArray[np.bool_] = np.is_busday(date) | is_old_saturday
    return working


def _check_sessions(bars: Bars, sessions: NDArray[np.datetime64] | None) -> None:
    if sessions is None:
        return
    is_traded = ~np.isnan(bars.open)
    is_open = np.where(is_traded, is_session(bars.date, sessions), _is_working_day(bars.date))
    _refuse(bars, ~is_open, Reason.NON_SESSION_DAY, "the market was shut")


def _check_splits(bars: Bars, history: Bars) -> None:
    """Look for splits between bars of one symbol of which at least one is of the file."""
    bars = bars.take(~np.char.startswith(bars.symbol, "^"))
    if not len(bars):
        return
    reach = np.timedelta64(SPLIT_GAP_DAYS_MAX, "D")
    near = (history.date >= bars.date.min() - reach) & (history.date <= bars.date.max() + reach)
    joined = Bars.concat([history.take(near).of_symbols(bars.symbols()), bars])
    is_new = np.zeros(len(joined), dtype=bool)
    is_new[joined.places_of(bars)] = True
    with np.errstate(invalid="ignore"):
        move = np.diff(np.log(joined.close))
        gap = np.log(joined.open[1:] / joined.close[:-1])
    is_pair = (joined.symbol[1:] == joined.symbol[:-1]) & (np.diff(joined.date) <= reach)
    suspected = (is_new[1:] | is_new[:-1]) & is_pair & _is_like_split(move, gap)
    for at in np.flatnonzero(suspected):
        symbol = joined.symbol[at + 1]
        suspected[at] = _is_unusual(move[at], history.of_symbol(symbol), bars.of_symbol(symbol))
    _refuse(joined, np.append(False, suspected), Reason.SPLIT_SUSPECTED, "the price jumped overnight")


def _is_like_split(move: NDArray[np.float64], gap: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each change, in log returns, whether close and open moved by one split ratio."""
    like = np.zeros(len(move), dtype=bool)
    for ratio in SPLIT_RATIOS:
        tolerance = SPLIT_TOLERANCE if ratio == SPLIT_RATIOS[0] else SPLIT_TOLERANCE_WIDE
        for jump in (np.log(ratio), -np.log(ratio)):
            open_fits = np.isnan(gap) | (np.abs(gap - jump) <= tolerance)
            like |= (np.abs(move - jump) <= tolerance) & open_fits
    return like


def _is_unusual(move: float, history: Bars, bars: Bars) -> bool:
    """Tell whether a log return is a large multiple of its symbol's usual one."""
    moves = np.abs(np.diff(np.log(Bars.concat([history, bars]).close)))
    usual = float(np.median(moves)) if len(moves) >= SPLIT_RETURNS_MIN else 0.0
    return abs(move) >= SPLIT_USUAL_MULTIPLE * usual


def _refuse(bars: Bars, wrong: NDArray[np.bool_], code: Reason, what: str) -> None:
    if wrong.any():
        at = int(wrong.argmax())
        rows = f"{int(wrong.sum())} such rows"
        raise rejection(code, f"{bars.symbol[at]} {bars.date[at]}: {what} ({rows})")
