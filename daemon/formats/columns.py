"""What every format is turned into before it becomes bars: columns, in the order of the file.

Rules that hold for all formats:

* A row without a close has told nothing and is left out; how many is reported.
* Days of each symbol must ascend. A descending file is refused too: no format here is written newest
  first, so one that is was changed by hand. Symbols may follow each other or alternate.
* Where a source gives an adjusted close, open, high, low and close are multiplied by adjusted close / close,
  so that returns include dividends, as ``yfinance`` does by default. Levels of early years then contain
  later dividends; returns do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats.reasons import FileRejectedError, Reason, rejection
from daemon.formats.symbols import CLOSE_ONLY, known_symbol
from regime.errors import BarsInvalidError
from regime.types import BAR_FIELDS, PRICE_FIELDS, Bars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DATE_MIN: Final = np.datetime64("1700-01-01", "D")
"""Stooq's oldest index row is of 1789; an earlier day is a misread number."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Rows of a file as columns of shape (n_rows,), unchecked; NaN is not known."""

    symbol: NDArray[np.str_]
    date: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Columns:
        """Give the rows that a mask or an order names."""
        return Columns(
            symbol=self.symbol[rows],
            date=self.date[rows],
            **{name: getattr(self, name)[rows] for name in BAR_FIELDS},
        )


def adjusted(columns: Columns, adjusted_close: NDArray[np.float64]) -> Columns:
    """Give the columns with all four prices multiplied by ``adjusted_close`` / close.

    Where the adjusted close is not known, neither is the adjusted bar.
    """
    with np.errstate(all="ignore"):
        factor = adjusted_close / columns.close
        prices = {name: getattr(columns, name) * factor for name in PRICE_FIELDS}
    return replace(columns, **{**prices, "close": adjusted_close})


def without_zero_opens(columns: Columns) -> Columns:
    """Give the columns with opens of exactly 0 as not known, which is how Yahoo writes it.

    Its history of ``^GSPC``, for one, has no opens from 1962 to 1982.
    """
    return replace(columns, open=np.where(columns.open == 0.0, np.nan, columns.open))


def bars_of_columns(columns: Columns, symbols: Mapping[str, str]) -> tuple[Bars, int]:
    """Give checked bars, and the number of rows that were left out for want of a close.

    Parameters
    ----------
    columns
        The rows of one file.
    symbols
        Symbols to rename; see `known_symbol`.

    Raises
    ------
    FileRejectedError
        With the reason code of the first rule that is broken.
    """
    told = columns.take(~np.isnan(columns.close))
    if not len(told.date):
        raise rejection(Reason.EMPTY, "no row has a close")
    if np.isnat(told.date).any() or (told.date < DATE_MIN).any():
        raise rejection(Reason.DATE, f"a row has no day or one before {DATE_MIN}")
    bars = checked_bars(_in_order(_renamed(told, symbols)))
    return bars, len(columns.date) - len(bars)


def checked_bars(columns: Columns) -> Bars:
    """Give bars from columns as they stand, refusing what `Bars` refuses."""
    try:
        return Bars(
            symbol=columns.symbol,
            date=columns.date,
            **{name: getattr(columns, name) for name in BAR_FIELDS},
        )
    except BarsInvalidError as error:
        raise FileRejectedError(error.code, str(error)) from error


def _renamed(columns: Columns, symbols: Mapping[str, str]) -> Columns:
    found, rows = np.unique(columns.symbol, return_inverse=True)
    names = np.array([known_symbol(str(symbol), symbols) for symbol in found])
    renamed = replace(columns, symbol=names[rows])
    close_only = np.isin(renamed.symbol, list(CLOSE_ONLY))
    hidden = {
        name: np.where(close_only, np.nan, getattr(renamed, name)) for name in BAR_FIELDS if name != "close"
    }
    return replace(renamed, **hidden)


def _in_order(columns: Columns) -> Columns:
    """Give the rows sorted by symbol, refusing days that occur twice or do not ascend."""
    order = np.lexsort((columns.date, columns.symbol))
    sorted_columns = columns.take(order)
    symbol, date = sorted_columns.symbol, sorted_columns.date
    same_symbol = symbol[1:] == symbol[:-1]
    repeated = same_symbol & (date[1:] == date[:-1])
    if repeated.any():
        at = int(repeated.argmax())
        raise rejection(
            Reason.DUPLICATE_DAY, f"{symbol[at]} has {date[at]} twice ({int(repeated.sum())} such rows)"
        )
    falling = same_symbol & (np.diff(order) < 0)
    if falling.any():
        at = int(falling.argmax())
        raise rejection(Reason.UNSORTED, f"{symbol[at]}: {date[at + 1]} stands before {date[at]} in the file")
    return sorted_columns
