"""Every feature of every bar: the plain, exact way, against which faster ones are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import SettingInvalidError
from regime.features.catalogue import CATALOGUE, catalogue_hash
from regime.features.feature import DayRule, FearRule, IndexRule, SymbolRule
from regime.features.series import known_values, series_of
from regime.types import Bars, FeatureTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ROUNDING: Final = 1e-10
"""Values nearer to zero than this are what rounding left of a zero."""
_NO_SECTOR: Final = -1
_COLUMN: Final = {feature.name: at for at, feature in enumerate(CATALOGUE)}


def compute_features(
    bars: Bars,
    *,
    index: Bars,
    fear: Bars | None = None,
    sectors: Mapping[str, str] | None = None,
) -> FeatureTable:
    """Give the 179 features of each row of ``bars``, in the same order.

    Parameters
    ----------
    bars
        One or more symbols, which may start late, end early, pause and miss opens, highs, lows or volumes.
        Breadth, ranks and sectors compare the symbols of ``bars`` that have a bar on the day.
    index
        The market index; only its closes are used.
    fear
        Closes of the fear index in VIX points, effective for each day; without it features of fear are NaN.
    sectors
        Sector of each symbol; a symbol not in it is compared with all symbols of the day.

    Returns
    -------
    FeatureTable
        Finite values, or NaN: during a feature's warm-up, where its look-back holds a bar without a
        field that it needs, and where the index or fear has not been known for more than five of the
        symbol's bars. Row t used nothing that was not known at the close of its day.

    Raises
    ------
    SettingInvalidError
        If ``index`` or ``fear`` holds more than one symbol.

    >>> days = np.arange("2024-01-01", "2024-01-31", dtype="M8[D]")
    >>> close = np.linspace(100.0, 129.0, 30)
    >>> bars = Bars.of("A", days, close, close + 1, close - 1, close, np.full(30, 1e6))
    >>> table = compute_features(bars, index=bars)
    >>> round(float(table.values[-1, table.names.index("price_vs_sma_20")]), 4)
    0.0795
    """
    fear = Bars.empty() if fear is None else fear
    _refuse_many("index", index)
    _refuse_many("fear", fear)
    values = np.full((len(bars), len(CATALOGUE)), np.nan)
    with np.errstate(all="ignore"):
        context = _context_columns(index, fear)
        for rows in _rows_by_symbol(bars):
            values[rows] = _symbol_values(_part(bars, rows), index, fear, context)
        _compare_days(values, bars, sectors or {})
    return FeatureTable(
        symbol=bars.symbol,
        date=bars.date,
        names=tuple(_COLUMN),
        values=_cleaned(values),
        catalogue_hash=catalogue_hash(),
    )


def _refuse_many(name: str, bars: Bars) -> None:
    if len(bars) and bars.symbol[0] != bars.symbol[-1]:
        raise SettingInvalidError(
            f"{name} holds the symbols {', '.join(bars.symbols())}; give the bars of one"
        )


def _rows_by_symbol(bars: Bars) -> list[slice]:
    if not len(bars):
        return []
    starts = np.flatnonzero(np.r_[True, bars.symbol[1:] != bars.symbol[:-1]])
    ends = np.r_[starts[1:], len(bars)]
    return [slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _part(bars: Bars, rows: slice) -> Bars:
    return Bars(
        symbol=bars.symbol[rows],
        date=bars.date[rows],
        open=bars.open[rows],
        high=bars.high[rows],
        low=bars.low[rows],
        close=bars.close[rows],
        volume=bars.volume[rows],
    )


def _context_columns(
    index: Bars, fear: Bars
) -> dict[str, tuple[NDArray[np.datetime64], NDArray[np.float64]]]:
    """Give days and values of the features that are the same for all symbols."""
    of_index = series_of(index, index=index, fear=fear)
    of_fear = series_of(fear, index=index, fear=fear)
    columns = {}
    for feature in CATALOGUE:
        match feature.rule:
            case IndexRule(kernel=kernel):
                columns[feature.name] = (index.date, kernel(of_index))
            case FearRule(kernel=kernel):
                columns[feature.name] = (fear.date, kernel(of_fear))
            case SymbolRule() | DayRule():
                pass
    return columns


def _symbol_values(
    bars: Bars,
    index: Bars,
    fear: Bars,
    context: dict[str, tuple[NDArray[np.datetime64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Give the columns of one symbol that need no other symbol; those of the day stay NaN."""
    series = series_of(bars, index=index, fear=fear)
    values = np.full((len(bars), len(CATALOGUE)), np.nan)
    for at, feature in enumerate(CATALOGUE):
        match feature.rule:
            case SymbolRule(kernel=kernel):
                values[:, at] = kernel(series)
            case IndexRule() | FearRule():
                known_on, known = context[feature.name]
                values[:, at] = known_values(known, known_on, bars.date)
                values[: feature.warm_up, at] = np.nan
            case DayRule():
                pass
    return values


def _compare_days(values: NDArray[np.float64], bars: Bars, sectors: Mapping[str, str]) -> None:
    """Fill in the columns of the day, in place."""
    _, days = np.unique(bars.date, return_inverse=True)
    sector, sector_days = _sector_days(bars, days, sectors)
    for at, feature in enumerate(CATALOGUE):
        match feature.rule:
            case DayRule(column=column, within_sector=within_sector, kernel=kernel):
                compared = values[:, _COLUMN[column]]
                known = ~np.isnan(compared)
                values[known, at] = kernel(compared[known], days[known])
                inside = known & (sector != _NO_SECTOR)
                if within_sector:
                    values[inside, at] = kernel(compared[inside], sector_days[inside])
            case SymbolRule() | IndexRule() | FearRule():
                pass


def _sector_days(
    bars: Bars, days: NDArray[np.int64], sectors: Mapping[str, str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the sector number of each row, and the number of its day and sector together."""
    names = sorted(set(sectors.values()))
    number = {symbol: names.index(sector) for symbol, sector in sectors.items()}
    symbols, at = np.unique(bars.symbol, return_inverse=True)
    numbers = np.array([number.get(str(symbol), _NO_SECTOR) for symbol in symbols], dtype=np.int64)
    sector = numbers[at]
    return sector, days * max(len(names), 1) + sector


def _cleaned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make zero what is rounding, and NaN what overflowed: it is not known."""
    near_zero = np.where(np.abs(values) < ROUNDING, 0.0, values)
    return np.where(np.isfinite(near_zero), near_zero, np.nan)
