"""Symbols: which characters they may have, and how one is read from a file name.

The rules for names, in order; each removes what a download adds to the symbol:

1. the folder part and the suffix: ``SPY.csv`` is ``SPY``;
2. a browser's count of copies: ``SPY (1)``;
3. one leading source: ``yahoo_``, ``yahoo_chart_``, ``stooq_``, ``cboe_`` and so on (`SOURCES`);
4. one trailing ``_d`` (Stooq, daily) or ``_History`` (CBOE);
5. one trailing ``.us`` or ``_us`` (Stooq's name of the US market), in a name and in a ticker alike;
6. what is left is put in capitals.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats.reasons import Reason, rejection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

SOURCES: Final = (
    "yahoo_v8_chart_",
    "yahoo_chart_",
    "yahoo_",
    "yfinance_history_to_csv_",
    "yfinance_download_to_csv_",
    "yfinance_",
    "stooq_bulk_",
    "stooq_",
    "cboe_",
    "fred_",
)
"""What may stand before the symbol in a file name, longer ones first."""

ALIASES: Final[Mapping[str, str]] = MappingProxyType({"VIX": "^VIX", "VIXCLS": "^VIX"})
"""Names of the VIX at CBOE and FRED; the user's own table goes before these."""

CLOSE_ONLY: Final = frozenset({"^VIX"})
"""Symbols of which only the close is kept, whatever the source.

CBOE's own history has 47 days (1992-2006) on which low <= open, close <= high does not hold, and bad
prints that pass that test (low 28.13 on 2008-10-10); its closes agree with FRED's on every day.
"""

NAME_LENGTH_MAX: Final = 255
SYMBOL_CELL_MAX: Final = 64
"""Longer texts are refused before they make an array of symbols wide; a symbol may have half of it."""

_SYMBOL: Final = re.compile(r"(?=.{1,32}\Z)[\^.=&+_-]*[A-Z0-9][A-Z0-9^.=&+_-]*", re.ASCII)
_COPY: Final = re.compile(r" ?\([0-9]{1,3}\)\Z")
_DAILY: Final = re.compile(r"(?:_d|_history)\Z", re.IGNORECASE)
_US_MARKET: Final = re.compile(r"[._]us\Z", re.IGNORECASE)


def checked_name(name: str) -> str:
    """Give a file name back if it is one: no separators, no control characters, at most 255 characters.

    Raises
    ------
    FileRejectedError
        With `Reason.FILE_NAME` otherwise.
    """
    plain = name.isprintable() and "/" not in name and "\\" not in name and name.strip(". ")
    if not plain or len(name) > NAME_LENGTH_MAX:
        raise rejection(Reason.FILE_NAME, f"{name[:80]!r} is no plain file name")
    return name


def symbol_of_name(name: str) -> str:
    """Give the symbol that a file name tells, not yet checked.

    >>> [symbol_of_name(name) for name in ("stooq_^spx_d.csv", "aapl_us_d.csv", "BRK-B (1).csv")]
    ['^SPX', 'AAPL', 'BRK-B']
    """
    stem = name.rpartition(".")[0] or name
    stem = _COPY.sub("", stem)
    source = next((source for source in SOURCES if stem.lower().startswith(source)), "")
    return without_market(_DAILY.sub("", stem[len(source) :])).upper()


def without_market(ticker: str) -> str:
    """Give a Stooq ticker without its US suffix; other markets keep theirs.

    >>> without_market("SPY.US"), without_market("CDR.PL")
    ('SPY', 'CDR.PL')
    """
    return _US_MARKET.sub("", ticker)


def column_of_symbol(symbol: str, rows: int) -> NDArray[np.str_]:
    """Give a column with one symbol in every row, refusing a text that is far too long for one."""
    return np.full(rows, column_of_symbols([symbol])[0])


def column_of_symbols(symbols: Sequence[str]) -> NDArray[np.str_]:
    """Give a column of symbols, refusing a text that is far too long for one."""
    refuse_long(symbols)
    return np.array(symbols, dtype=np.str_)


def refuse_long(symbols: Sequence[str]) -> None:
    """Refuse texts that are far too long for a symbol.

    Raises
    ------
    FileRejectedError
        With `Reason.SYMBOL` if one has more than `SYMBOL_CELL_MAX` characters: numpy would take as much
        room for every row.
    """
    if max(map(len, symbols), default=0) > SYMBOL_CELL_MAX:
        raise rejection(Reason.SYMBOL, f"a symbol has more than {SYMBOL_CELL_MAX} characters")


def known_symbol(symbol: str, symbols: Mapping[str, str]) -> str:
    """Give the symbol under which bars are stored: in capitals, renamed by ``symbols``, then by `ALIASES`.

    Raises
    ------
    FileRejectedError
        With `Reason.SYMBOL` unless it has 1 to 32 characters out of A-Z, 0-9 and ``^ . = & + _ -``, one of
        them a letter or digit.

    >>> known_symbol("^spx", {"^SPX": "^GSPC"})
    '^GSPC'
    """
    capital = symbol.upper()
    renamed = symbols.get(capital, ALIASES.get(capital, capital))
    if not _SYMBOL.fullmatch(renamed):
        raise rejection(Reason.SYMBOL, f"{renamed[:40]!r} is no symbol")
    return renamed
