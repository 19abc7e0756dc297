"""The nouns that every part of regimed shares.

Arrays are numpy; nothing here needs pandas, so that the resident daemon can hold these types
without its weight. ``regime.frames`` converts to and from pandas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from regime.errors import BarsInvalidError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

PRICE_FIELDS: Final = ("open", "high", "low", "close")
BAR_FIELDS: Final = (*PRICE_FIELDS, "volume")
PRICE_MAX: Final = 1e9
"""No listed instrument has traded above this; a larger price is a wrong unit or a wrong column."""


class Regime(StrEnum):
    """The state of a market on one day.

    >>> Regime("crash") is Regime.CRASH
    True
    """

    CRASH = "crash"
    RECOVERY = "recovery"
    HIGH_VOLATILITY = "high_volatility"
    NORMAL = "normal"
    LOW_VOLATILITY = "low_volatility"
    UNKNOWN = "unknown"


REGIMES: Final = (
    Regime.CRASH,
    Regime.RECOVERY,
    Regime.HIGH_VOLATILITY,
    Regime.NORMAL,
    Regime.LOW_VOLATILITY,
)
"""The five regimes that models are weighted, validated and judged by; ``unknown`` is none of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bars:
    """Daily bars of one or more symbols, checked, sorted by (symbol, date), without duplicates.

    All arrays have shape (n_bars,). Prices are in the currency of the source, volume in its units.
    ``close`` is always known; ``open``, ``high``, ``low`` and ``volume`` are NaN where the source does
    not tell them (a volatility index has no volume). Every value of a bar was known at that day's close.

    Raises
    ------
    BarsInvalidError
        If an array has another length, the order is wrong, a day occurs twice, a price is not positive
        and finite, or low <= open, close <= high does not hold.

    >>> bars = Bars.of("SPY", ["2024-01-02"], [10.0], [12.0], [9.0], [11.0], [1000.0])
    >>> len(bars), str(bars.date[0])
    (1, '2024-01-02')
    """

    symbol: NDArray[np.str_]
    date: NDArray[np.datetime64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __post_init__(self) -> None:
        _check_shape(self)
        _check_order(self)
        _check_prices(self)

    @classmethod
    def of(
        cls,
        symbol: str,
        date: Sequence[str] | NDArray[np.datetime64],
        open: Sequence[float] | NDArray[np.float64],  # noqa: A002 - the field's name
        high: Sequence[float] | NDArray[np.float64],
        low: Sequence[float] | NDArray[np.float64],
        close: Sequence[float] | NDArray[np.float64],
        volume: Sequence[float] | NDArray[np.float64],
    ) -> Self:
        """Give the bars of one symbol from its columns, which must be in date order."""
        return cls(
            symbol=np.full(len(date), symbol),
            date=np.asarray(date, dtype="datetime64[D]"),
            open=np.asarray(open, dtype=np.float64),
            high=np.asarray(high, dtype=np.float64),
            low=np.asarray(low, dtype=np.float64),
            close=np.asarray(close, dtype=np.float64),
            volume=np.asarray(volume, dtype=np.float64),
        )

    @classmethod
    def of_closes(
        cls,
        symbol: str,
        date: Sequence[str] | NDArray[np.datetime64],
        close: Sequence[float] | NDArray[np.float64],
    ) -> Self:
        """Give bars of which only the close is known, such as those of a volatility index."""
        unknown = np.full(len(date), np.nan)
        return cls.of(symbol, date, unknown, unknown, unknown, close, unknown)

    @classmethod
    def empty(cls) -> Self:
        """Give no bars."""
        return cls.of_closes("", [], [])

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """Give the union of ``parts``; where a (symbol, date) occurs twice the later part wins."""
        filled = [part for part in parts if len(part)]
        if len(filled) < 2:  # noqa: PLR2004 - one part is its own union
            return filled[0] if filled else cls.empty()
        symbol = np.concatenate([part.symbol for part in filled])
        date = np.concatenate([part.date for part in filled])
        rank = np.concatenate([np.full(len(part), i) for i, part in enumerate(filled)])
        order = np.lexsort((rank, date, symbol))
        ordered_symbol, ordered_date = symbol[order], date[order]
        is_last = np.ones(len(order), dtype=bool)
        is_last[:-1] = (ordered_symbol[1:] != ordered_symbol[:-1]) | (ordered_date[1:] != ordered_date[:-1])
        kept = order[is_last]
        columns = {
            name: np.concatenate([getattr(part, name) for part in filled])[kept] for name in BAR_FIELDS
        }
        return cls(symbol=symbol[kept], date=date[kept], **columns)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Give some of the bars, by a mask of shape (n_bars,), by ascending positions, or by a slice."""
        return type(self)(
            symbol=self.symbol[rows],
            date=self.date[rows],
            open=self.open[rows],
            high=self.high[rows],
            low=self.low[rows],
            close=self.close[rows],
            volume=self.volume[rows],
        )

    def of_symbol(self, symbol: str) -> Self:
        """Give the bars of one symbol, in date order; none if it does not occur."""
        first, end = np.searchsorted(self.symbol, symbol), np.searchsorted(self.symbol, symbol, side="right")
        return self.take(slice(first, end))

    def of_symbols(self, symbols: Collection[str]) -> Self:
        """Give the bars of the named symbols; those that do not occur are passed over."""
        starts = self.first_rows()
        chosen = [symbol in symbols for symbol in self.symbol[starts].tolist()]
        sizes = np.diff(np.append(starts, len(self)))
        return self.take(np.repeat(np.array(chosen, dtype=bool), sizes))

    def symbols(self) -> tuple[str, ...]:
        """Give the symbols that occur, sorted."""
        return tuple(self.symbol[self.first_rows()].tolist())

    def first_rows(self) -> NDArray[np.int64]:
        """Give the row at which each symbol begins; shape (n_symbols,)."""
        changes = np.flatnonzero(self.symbol[1:] != self.symbol[:-1]) + 1
        return np.concatenate([[0] if len(self) else [], changes]).astype(np.int64)

    def places_of(self, other: Bars) -> NDArray[np.int64]:
        """Give for each bar of ``other`` the row with the same symbol and date, -1 if there is none.

        >>> bars = Bars.of_closes("A", ["2024-01-02", "2024-01-03"], [1.0, 2.0])
        >>> bars.places_of(Bars.of_closes("A", ["2024-01-03", "2024-01-04"], [1.0, 2.0]))
        array([ 1, -1])
        """
        if not len(self):
            return np.full(len(other), -1, dtype=np.int64)
        names = self.symbol[self.first_rows()]
        codes = np.minimum(np.searchsorted(names, other.symbol[other.first_rows()]), len(names) - 1)
        keys, asked = _keys(self, np.arange(len(names))), _keys(other, codes)
        place = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        found = (keys[place] == asked) & (self.symbol[place] == other.symbol)
        return np.where(found, place, -1)

    def __len__(self) -> int:
        return len(self.date)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Bars):
            return NotImplemented
        return (
            np.array_equal(self.symbol, other.symbol)
            and np.array_equal(self.date, other.date)
            and all(
                np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True)
                for name in BAR_FIELDS
            )
        )

    __hash__ = None  # type: ignore[assignment]  # arrays inside: not hashable


def _keys(bars: Bars, codes: NDArray[np.intp]) -> NDArray[np.int64]:
    """Give one number a bar that grows with its symbol's code and its date."""
    sizes = np.diff(np.append(bars.first_rows(), len(bars)))
    days = bars.date.astype(np.int64) + 2**31
    return np.repeat(codes.astype(np.int64), sizes) * 2**32 + days


def _check_shape(bars: Bars) -> None:
    lengths = {name: len(getattr(bars, name)) for name in ("symbol", "date", *BAR_FIELDS)}
    if len(set(lengths.values())) > 1:
        raise BarsInvalidError(
            "columns", f"columns have different lengths: {lengths}; give every bar all fields"
        )
    if bars.date.dtype != np.dtype("datetime64[D]"):
        raise BarsInvalidError("date", f"dates are {bars.date.dtype}, not datetime64[D]; give calendar days")
    if np.isnat(bars.date).any():
        raise BarsInvalidError(
            "date", f"row {int(np.isnat(bars.date).argmax())} has no date; drop or mend it"
        )


def _check_order(bars: Bars) -> None:
    same_symbol = bars.symbol[1:] == bars.symbol[:-1]
    repeated = same_symbol & (bars.date[1:] == bars.date[:-1])
    if repeated.any():
        at = int(repeated.argmax())
        raise BarsInvalidError(
            "duplicate_day", f"{bars.symbol[at]} has {bars.date[at]} twice; keep one row a symbol and day"
        )
    falling = (bars.symbol[1:] < bars.symbol[:-1]) | (same_symbol & (bars.date[1:] < bars.date[:-1]))
    if falling.any():
        at = int(falling.argmax())
        raise BarsInvalidError(
            "unsorted",
            f"{bars.symbol[at + 1]} {bars.date[at + 1]} stands after {bars.symbol[at]} {bars.date[at]};"
            " sort by symbol and date",
        )


def _check_prices(bars: Bars) -> None:
    if not len(bars):
        return
    for name in PRICE_FIELDS:
        price = getattr(bars, name)
        known = ~np.isnan(price) if name != "close" else np.ones(len(bars), dtype=bool)
        wrong = known & ~((price > 0) & (price < PRICE_MAX))
        _refuse(bars, wrong, "non_positive_price", f"{name} is not a positive price", name)
    _refuse(bars, bars.volume < 0, "negative_volume", "volume is negative", "volume")
    with np.errstate(invalid="ignore"):
        _refuse(bars, np.isinf(bars.volume), "negative_volume", "volume is not finite", "volume")
        tolerance = 1.0 + 1e-9
        top = np.fmax(np.fmax(bars.open, bars.close), bars.low)
        bottom = np.fmin(np.fmin(bars.open, bars.close), bars.high)
        broken = (top > bars.high * tolerance) | (bottom * tolerance < bars.low)
    _refuse(bars, broken, "ohlc_order", "low <= open, close <= high does not hold", "high")


def _refuse(bars: Bars, wrong: NDArray[np.bool_], code: str, what: str, field: str) -> None:
    if wrong.any():
        at = int(wrong.argmax())
        raise BarsInvalidError(
            code,
            f"{bars.symbol[at]} {bars.date[at]}: {what} ({field} = {getattr(bars, field)[at]:g},"
            f" {int(wrong.sum())} such rows); correct or remove the row",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLabel:
    """What a labeler says of one day.

    ``reason`` names the rule that holds, in words a trader reads; ``pending`` is the regime that the
    labeler would enter if the coming days confirm it, else ``None``.
    """

    regime: Regime
    reason: str
    pending: Regime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegimeSeries:
    """The labels of one market in date order, all columns of shape (n_days,).

    Each label used only what was known at that day's close and never changes when later days arrive.
    ``provisional`` is true while the spell that holds the day is still open; a final, back-dated label
    (``regime.labels.final_regimes``) may yet differ.
    """

    labeler: str
    date: NDArray[np.datetime64]
    regime: tuple[Regime, ...]
    reason: tuple[str, ...]
    pending: tuple[Regime | None, ...]
    provisional: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.date)

    def through(self, last: np.datetime64) -> Self:
        """Give the labels up to a day, that day's included."""
        count = int(np.searchsorted(self.date, last, side="right"))
        return replace(
            self,
            date=self.date[:count],
            regime=self.regime[:count],
            reason=self.reason[:count],
            pending=self.pending[:count],
            provisional=self.provisional[:count],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureTable:
    """Features of (symbol, day) rows, sorted by (symbol, date).

    ``values`` has shape (n_rows, n_features), is NaN during warm-up, and lies in memory feature by feature;
    it is of double precision, or of single where that was asked for. Row t used nothing that was not
    known at the close of its day. ``catalogue_hash`` identifies names, order and formulas; a model
    refuses rows whose hash is not the one it was fitted on.
    """

    symbol: NDArray[np.str_]
    date: NDArray[np.datetime64]
    names: tuple[str, ...]
    values: NDArray[np.floating]
    catalogue_hash: str

    def __len__(self) -> int:
        return len(self.date)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Give some of the rows, by positions or by a mask."""
        return replace(self, symbol=self.symbol[rows], date=self.date[rows], values=self.values[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """A prediction target as data: which barrier is touched first within a horizon.

    ``up`` and ``down`` are positive distances from the entry close: fractions (0.10 is 10 %) for the
    kind ``first_touch``, multiples of the day's EWMA sigma x sqrt(horizon) in log returns for
    ``vol_scaled``. ``horizon_days`` counts closes after the entry. Class ids are positions in ``classes``.
    """

    name: str
    kind: str
    up: float
    down: float
    horizon_days: int
    classes: tuple[str, str, str] = ("sell", "hold", "buy")
