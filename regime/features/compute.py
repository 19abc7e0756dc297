"""Every feature of every bar, or of each symbol's last ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import SettingInvalidError
from regime.features.catalogue import CATALOGUE, catalogue_hash
from regime.features.engine import Field, Spans, compare, latest_known, run
from regime.features.expression import field, lag
from regime.features.feature import DayRule, FearRule, IndexRule, SymbolRule
from regime.features.program import Code, compile_program, encode
from regime.features.series import CARRY_MAX, series_of_fields
from regime.types import BAR_FIELDS, Bars, FeatureTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.features.cross_section import Comparison
    from regime.features.expression import Expression
    from regime.features.feature import Feature

_NO_SECTOR: Final = -1
_NOT_ASKED: Final = -1
NAMES: Final = tuple(feature.name for feature in CATALOGUE)
_COLUMN: Final = {name: at for at, name in enumerate(NAMES)}


def compute_features(
    bars: Bars,
    *,
    index: Bars,
    fear: Bars | None = None,
    sectors: Mapping[str, str] | None = None,
    since: np.datetime64 | None = None,
    until: np.datetime64 | None = None,
    threads: int = 1,
    dtype: type[np.floating] = np.float64,
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
    since, until
        Give only rows of these days; what they look back upon is taken from ``bars`` all the same, so their
        values are those that all rows would have, to the last bit.
    threads
        Threads that work side by side, at most 64; the result does not depend on it.
    dtype
        ``numpy.float64``, or ``numpy.float32`` for half the memory; what is computed is the same.

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
    if until is not None:
        bars = bars.take(bars.date <= until)
    starts = bars.first_rows()
    asked = np.ones(len(bars), dtype=bool) if since is None else bars.date >= since
    wanted = np.add.reduceat(asked, starts, dtype=np.int64) if len(starts) else np.zeros(0, dtype=np.int64)
    rows = SymbolRows(
        symbols=tuple(bars.symbol[starts].tolist()),
        days=day_numbers(bars.date),
        fields={name: np.ascontiguousarray(getattr(bars, name)) for name in BAR_FIELDS},
        spans=Spans.of(np.diff(np.append(starts, len(bars))), wanted, starts),
    )
    return FeatureTable(
        symbol=bars.symbol if since is None else bars.symbol[asked],
        date=bars.date if since is None else bars.date[asked],
        names=NAMES,
        values=feature_columns(rows, index, fear, sectors, threads=threads, dtype=dtype).T,
        catalogue_hash=own_catalogue_hash(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRows:
    """Rows of many symbols as they lie in memory, each symbol's in date order: what the engine works on.

    ``days`` are days since 1970; ``fields`` those of bars, each of shape (n_rows,); ``spans`` say where the
    rows of each of ``symbols`` are and how many of its last ones are asked.
    """

    symbols: tuple[str, ...]
    days: NDArray[np.int64]
    fields: Mapping[str, NDArray[np.float64]]
    spans: Spans


def feature_columns(
    rows: SymbolRows,
    index: Bars,
    fear: Bars | None,
    sectors: Mapping[str, str] | None,
    *,
    threads: int = 1,
    dtype: type[np.floating] = np.float64,
) -> NDArray[np.floating]:
    """Give the features of the rows that are asked, shape (n_features, n_asked); see ``compute_features``."""
    fear = Bars.empty() if fear is None else fear
    _refuse_many("index", index)
    _refuse_many("fear", fear)
    programs, spans, asked = _programs(), rows.spans, rows.spans.asked_rows()
    columns = np.empty((len(CATALOGUE), int(spans.wanted.sum())), dtype=dtype)
    compared = np.empty((len(programs.compared), columns.shape[1]))
    fields = _fields(rows, index, fear) | _quarter_fields(rows.days, asked)
    run(programs.symbol, fields, spans, columns, compared, threads=threads)
    numbers = _sector_numbers(rows.symbols, sectors or {})
    days = rows.days[asked]
    compare(compared, days, spans, numbers, programs.comparisons, columns, threads=threads)
    return columns


def _refuse_many(name: str, bars: Bars) -> None:
    if len(bars) and bars.symbol[0] != bars.symbol[-1]:
        raise SettingInvalidError(
            f"{name} holds the symbols {', '.join(bars.symbols())}; give the bars of one"
        )


def day_numbers(dates: NDArray[np.datetime64] | np.datetime64) -> NDArray[np.int64]:
    """Give days since 1970."""
    return np.asarray(dates, dtype="datetime64[D]").astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Programs:
    """The catalogue compiled: what is computed of the index, of fear, of each symbol, and of each day."""

    index: Code
    index_names: tuple[str, ...]
    fear: Code
    fear_names: tuple[str, ...]
    symbol: Code
    compared: tuple[str, ...]
    comparisons: tuple[tuple[Comparison, int, int, bool], ...]


@cache
def own_catalogue_hash() -> str:
    """Give the hash of the catalogue that is computed here."""
    return catalogue_hash()


@cache
def _programs() -> _Programs:
    series = series_of_fields()
    of_index = {f.name: f.rule.kernel(series) for f in CATALOGUE if isinstance(f.rule, IndexRule)}
    of_fear = {f.name: f.rule.kernel(series) for f in CATALOGUE if isinstance(f.rule, FearRule)}
    of_symbol: dict[int, Expression] = {}
    compared: list[str] = []
    comparisons: list[tuple[Comparison, int, int, bool]] = []
    for at, feature in enumerate(CATALOGUE):
        match feature.rule:
            case SymbolRule(kernel=kernel):
                of_symbol[at] = kernel(series)
            case IndexRule() | FearRule():
                of_symbol[at] = _known_since(feature, series.close)
            case DayRule(column=column, within_sector=within_sector, comparison=comparison):
                if column not in compared:
                    compared.append(column)
                comparisons.append((comparison, compared.index(column), at, within_sector))
    of_compared = {-1 - row: of_symbol[_COLUMN[name]] for row, name in enumerate(compared)}
    columns = of_symbol | of_compared
    return _Programs(
        index=encode(compile_program(list(of_index.values()))),
        index_names=tuple(of_index),
        fear=encode(compile_program(list(of_fear.values()))),
        fear_names=tuple(of_fear),
        symbol=encode(compile_program(list(columns.values())), list(columns)),
        compared=tuple(compared),
        comparisons=tuple(comparisons),
    )


def _known_since(feature: Feature, close: Expression) -> Expression:
    """Give a feature of the context, unknown as long as the symbol is younger than the feature's warm-up."""
    return field(feature.name) + 0.0 * lag(close, feature.warm_up)


def _fields(rows: SymbolRows, index: Bars, fear: Bars) -> dict[str, Field]:
    """Give what the program of a symbol reads: its bars and what was known beside them."""
    days, spans = rows.days, rows.spans
    at_index = latest_known(days, spans, day_numbers(index.date), CARRY_MAX)
    at_fear = latest_known(days, spans, day_numbers(fear.date), CARRY_MAX)
    fields = {name: Field(values=values) for name, values in rows.fields.items()}
    fields["index_close"] = Field(values=np.ascontiguousarray(index.close), at=at_index)
    fields["fear"] = Field(values=np.ascontiguousarray(fear.close), at=at_fear)
    programs = _programs()
    for code, names, context, at in (
        (programs.index, programs.index_names, index, at_index),
        (programs.fear, programs.fear_names, fear, at_fear),
    ):
        values = _context_values(code, len(names), context, fear, _first_read(at, spans))
        fields |= {name: Field(values=row, at=at) for name, row in zip(names, values, strict=True)}
    return fields


def _first_read(at: NDArray[np.int32], spans: Spans) -> int:
    """Give the first place of the context that a row reads which is asked."""
    firsts = spans.starts + spans.lengths - spans.wanted
    known = at[firsts[spans.wanted > 0]]
    if not len(known) or (known < 0).any():
        return 0
    return int(known.min())


def _context_values(code: Code, outputs: int, context: Bars, fear: Bars, first: int) -> NDArray[np.float64]:
    """Give features of the index or of fear on its own days from ``first`` on, unknown before."""
    values = np.full((outputs, len(context)), np.nan)
    rows, wanted = len(context), len(context) - first
    if rows:
        days = day_numbers(context.date)
        spans = Spans.of(np.array([rows]), np.array([wanted]), np.array([0]))
        at_fear = latest_known(days, spans, day_numbers(fear.date), CARRY_MAX)
        fields = {
            "close": Field(values=np.ascontiguousarray(context.close)),
            "fear": Field(values=np.ascontiguousarray(fear.close), at=at_fear),
        }
        computed = np.empty((outputs, wanted))
        run(code, fields, spans, computed)
        values[:, first:] = computed
    return values


def _quarter_fields(days: NDArray[np.int64], asked: NDArray[np.int64]) -> dict[str, Field]:
    """Give sine and cosine of the asked rows' days' angle in their calendar quarter, 0 on its first day."""
    dates = days[asked]
    first, end = (int(dates.min()), int(dates.max()) + 1) if len(dates) else (0, 0)
    calendar = np.arange(first, end, dtype=np.int64)
    month = calendar.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    begins = (month - month % 3).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    ends = (month - month % 3 + 3).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    angle = 2 * math.pi * (calendar - begins) / (ends - begins)
    at = np.full(len(days), _NOT_ASKED, dtype=np.int32)
    at[asked] = dates - first
    return {
        "quarter_sine": Field(values=np.sin(angle), at=at),
        "quarter_cosine": Field(values=np.cos(angle), at=at),
    }


def _sector_numbers(symbols: Sequence[str], sectors: Mapping[str, str]) -> NDArray[np.int32]:
    """Give the number of each symbol's sector, -1 if it is not known."""
    numbers = {name: at for at, name in enumerate(sorted(set(sectors.values())))}
    found = [numbers[sectors[s]] if s in sectors else _NO_SECTOR for s in symbols]
    return np.array(found, dtype=np.int32)
