"""Features day by day: the last bars of every symbol, and what a new or restated bar changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import numpy as np

from regime.errors import HistoryTooShortError
from regime.features.catalogue import CATALOGUE
from regime.features.compute import NAMES, SymbolRows, day_numbers, feature_columns, own_catalogue_hash
from regime.features.engine import Spans
from regime.types import BAR_FIELDS, Bars, FeatureTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

LOOK_BACK: Final = max(feature.look_back for feature in CATALOGUE)
"""Bars of a symbol, today included, that decide its features of one day."""
KEPT: Final = 2 * LOOK_BACK
"""Bars that are kept of each symbol, so that a bar restated a year ago can still be answered."""
_CAPACITY: Final = KEPT + LOOK_BACK
_NEVER: Final = np.datetime64("0000-01-01", "D")


class FeatureState:
    """The last bars of many symbols; gives the features that new bars add or change.

    The state is nothing but bars, so it is restored after a restart by giving it the stored ones, and what
    it answers equals ``compute_features`` of all history to the last bit.

    Parameters
    ----------
    bars
        History of the symbols; the last ``KEPT`` bars of each are kept.
    index, fear
        The market index and the fear index, as for ``compute_features``.
    sectors
        Sector of each symbol.

    >>> days = np.arange("2024-01-01", "2024-02-10", dtype="M8[D]")
    >>> bars = Bars.of_closes("A", days, np.linspace(100.0, 139.0, 40))
    >>> state = FeatureState(bars.take(days < days[-1]), index=bars, fear=None)
    >>> table = state.update(bars.take(days == days[-1]), index=bars, fear=None)
    >>> str(table.date[0]), round(float(table.values[0, table.names.index("price_vs_sma_20")]), 4)
    ('2024-02-09', 0.0734)
    """

    def __init__(
        self, bars: Bars, *, index: Bars, fear: Bars | None, sectors: Mapping[str, str] | None = None
    ) -> None:
        self._sectors = sectors
        self._index, self._fear = index, fear
        self._symbols: list[str] = []
        self._days = np.zeros((0, _CAPACITY), dtype=np.int64)
        self._fields = {name: np.zeros((0, _CAPACITY)) for name in BAR_FIELDS}
        self._counts = np.zeros(0, dtype=np.int64)
        self._add(bars.symbols())
        for at, symbol in enumerate(self._symbols):
            own = bars.of_symbol(symbol)
            self._write(at, own.take(np.arange(len(own)) >= len(own) - KEPT))

    def __len__(self) -> int:
        return len(self._symbols)

    def first_day(self) -> np.datetime64:
        """Give the first day on which a symbol has a kept bar."""
        return np.datetime64(int(self._days[self._counts > 0, 0].min()), "D")

    def days(self) -> NDArray[np.datetime64]:
        """Give all days on which any symbol has a kept bar, ascending."""
        held = np.arange(_CAPACITY) < self._counts[:, None]
        return np.unique(self._days[held]).astype("datetime64[D]")

    def copy(self) -> Self:
        """Give a state that goes its own way from here."""
        other = object.__new__(type(self))
        other._sectors, other._index, other._fear = self._sectors, self._index, self._fear
        other._symbols = list(self._symbols)
        other._days, other._counts = self._days.copy(), self._counts.copy()
        other._fields = {name: values.copy() for name, values in self._fields.items()}
        return other

    def update(self, bars: Bars, *, index: Bars, fear: Bars | None, threads: int = 1) -> FeatureTable:
        """Take in bars that are new or restated, and give the features of all symbols that they may change.

        Parameters
        ----------
        bars
            New bars, or bars that replace those of the same day; none if only the index or fear has news.
        index, fear
            All bars of them that are known now; what of it is new or restated is found out here.
        threads
            Threads that work side by side.

        Returns
        -------
        FeatureTable
            Rows of all symbols from the first to the last day that may differ, sorted by symbol and day.

        Raises
        ------
        HistoryTooShortError
            If a bar is restated further back than the kept bars can answer; nothing was taken in. Make a
            new state of the stored bars then.
        """
        affected = self.take_in(bars, index=index, fear=fear)
        if affected is None:
            return self.table(np.datetime64(1, "D"), np.datetime64(0, "D"), threads=threads)
        return self.table(*affected, threads=threads)

    def take_in(
        self, bars: Bars, *, index: Bars, fear: Bars | None
    ) -> tuple[np.datetime64, np.datetime64] | None:
        """Take in bars as ``update`` does; give the first and last day that may differ, ``None`` if none."""
        of_index = _changed_days(self._index, index)
        of_fear = _changed_days(self._fear or Bars.empty(), fear or Bars.empty())
        changed = np.concatenate([day_numbers(bars.date), of_index, of_fear])
        if not len(changed):
            return None
        first = int(changed.min())
        self._check_answerable(first)
        self._check_room(bars, first)
        self._index, self._fear = index, fear
        touched = self._take_in(bars, first)
        if len(of_index) or len(of_fear):
            touched = np.arange(len(self))
        last = self._last_affected(touched, int(changed.max()))
        for days, context in ((of_index, index), (of_fear, fear or Bars.empty())):
            if len(days):
                last = max(last, self._last_looking_back(context, int(days.max())))
        return np.datetime64(first, "D"), np.datetime64(last, "D")

    def table(
        self, since: np.datetime64, until: np.datetime64 | None = None, *, threads: int = 1
    ) -> FeatureTable:
        """Give the features of all symbols on the days from ``since`` to ``until`` (default: the last one).

        Days whose look-back is no longer among the kept bars are as if the symbols were younger.
        """
        first = int(day_numbers(since))
        last = int(self._days.max(initial=first) if until is None else day_numbers(until))
        lengths = self._count_before(last + 1)
        wanted = lengths - np.minimum(self._count_before(first), lengths)
        return self._table(Spans.of(lengths, wanted, self._starts()), threads)

    def _starts(self) -> NDArray[np.int64]:
        return np.arange(len(self._symbols), dtype=np.int64) * _CAPACITY

    def _check_answerable(self, first: int) -> None:
        """Refuse what would need bars that are no longer kept."""
        before = self._count_before(first)
        lost = (self._counts >= KEPT) & (before < LOOK_BACK) & (before < self._counts)
        if lost.any():
            symbol, count = self._symbols[int(lost.argmax())], int(self._counts[lost][0])
            raise HistoryTooShortError(
                f"{symbol} changed on {np.datetime64(first, 'D')}, too long ago for the {count} bars kept"
                " of it; make a new feature state of the stored bars"
            )

    def _check_room(self, bars: Bars, first: int) -> None:
        """Refuse more days at once than can be kept beside what they look back upon."""
        starts = bars.first_rows()
        counts = dict(zip(self._symbols, self._counts.tolist(), strict=True))
        held = np.array([counts.get(symbol, 0) for symbol in bars.symbol[starts].tolist()], dtype=np.int64)
        sizes = np.diff(np.append(starts, len(bars)))
        for start, size in zip(
            starts[held + sizes > _CAPACITY], sizes[held + sizes > _CAPACITY], strict=True
        ):
            symbol, days = str(bars.symbol[start]), day_numbers(bars.date[start : start + size])
            if symbol in counts:
                days = np.union1d(self._days[self._symbols.index(symbol), : counts[symbol]], days)
            since = int(np.count_nonzero(days >= first))
            if len(days) > _CAPACITY and since > KEPT:
                raise HistoryTooShortError(
                    f"{symbol} has {since} bars since {np.datetime64(first, 'D')}, more than the {KEPT} that"
                    " can be answered at once; make a new feature state of the stored bars"
                )

    def _count_before(self, day: int) -> NDArray[np.int64]:
        """Give for each symbol how many of its kept bars are before a day; walks back from the last ones."""
        counts, at = self._counts.copy(), np.arange(len(self))
        while len(at := at[(counts[at] > 0) & (self._days[at, counts[at] - 1] >= day)]):
            counts[at] -= 1
        return counts

    def _last_affected(self, touched: NDArray[np.int64], last: int) -> int:
        """Give the last day whose features may differ when bars until ``last`` did."""
        reached = np.minimum(self._count_before(last)[touched] + LOOK_BACK, self._counts[touched]) - 1
        return max(last, int(self._days[touched, reached].max(initial=last)))

    def _last_looking_back(self, context: Bars, day: int) -> int:
        """Give the last day whose features of the index or of fear look back upon a day of it."""
        days = day_numbers(context.date)
        reached = int(np.searchsorted(days, day)) + LOOK_BACK - 1
        return int(days[reached]) if reached < len(days) else int(self._days.max(initial=day))

    def _table(self, spans: Spans, threads: int) -> FeatureTable:
        rows = SymbolRows(
            symbols=tuple(self._symbols),
            days=self._days.reshape(-1),
            fields={name: values.reshape(-1) for name, values in self._fields.items()},
            spans=spans,
        )
        values = feature_columns(rows, self._index, self._fear, self._sectors, threads=threads).T
        return FeatureTable(
            symbol=np.repeat(np.array(self._symbols, dtype=np.str_), spans.wanted),
            date=rows.days[spans.asked_rows()].astype("datetime64[D]"),
            names=NAMES,
            values=values,
            catalogue_hash=own_catalogue_hash(),
        )

    def _take_in(self, bars: Bars, first: int) -> NDArray[np.int64]:
        """Append bars that come after the known ones and merge in the others; give the symbols' places."""
        starts = bars.first_rows()
        sizes = np.diff(np.append(starts, len(bars)))
        names = bars.symbol[starts]
        self._add(sorted(set(names.tolist()) - set(self._symbols)))
        at = np.searchsorted(np.array(self._symbols, dtype=np.str_), names).astype(np.int64)
        counts, days = self._counts[at], day_numbers(bars.date)
        is_next = (counts == 0) | (days[starts] > self._days[at, np.maximum(counts - 1, 0)])
        appended = is_next & (counts + sizes <= _CAPACITY)
        rows = np.repeat(appended, sizes)
        row_at = np.repeat(at, sizes)[rows]
        places = (np.repeat(counts - starts, sizes) + np.arange(len(bars)))[rows]
        self._days[row_at, places] = days[rows]
        for name, values in self._fields.items():
            values[row_at, places] = getattr(bars, name)[rows]
        self._counts[at[appended]] += sizes[appended]
        for place, start, size in zip(at[~appended], starts[~appended], sizes[~appended], strict=True):
            self._merge(int(place), _rows(bars, start, size), first)
        return at

    def _add(self, symbols: Sequence[str]) -> None:
        """Make room for symbols, in the order of names."""
        if not symbols:
            return
        merged = sorted([*self._symbols, *symbols])
        kept = [merged.index(symbol) for symbol in self._symbols]
        days, counts = (
            np.zeros((len(merged), _CAPACITY), dtype=np.int64),
            np.zeros(len(merged), dtype=np.int64),
        )
        days[kept], counts[kept] = self._days, self._counts
        for name, values in self._fields.items():
            grown = np.full((len(merged), _CAPACITY), np.nan)
            grown[kept] = values
            self._fields[name] = grown
        self._symbols, self._days, self._counts = merged, days, counts

    def _merge(self, at: int, bars: Bars, first: int) -> None:
        """Write what is known and ``bars``, without what days from ``first`` on do not look back upon."""
        merged = Bars.concat([self._bars(at), bars])
        if len(merged) > _CAPACITY:
            since = int(np.count_nonzero(day_numbers(merged.date) >= first))
            merged = merged.take(slice(len(merged) - max(KEPT, LOOK_BACK + since), None))
        self._write(at, merged)

    def _write(self, at: int, bars: Bars) -> None:
        self._counts[at] = len(bars)
        self._days[at, : len(bars)] = day_numbers(bars.date)
        for name, values in self._fields.items():
            values[at, : len(bars)] = getattr(bars, name)

    def _bars(self, at: int) -> Bars:
        count = int(self._counts[at])
        fields = [self._fields[name][at, :count] for name in BAR_FIELDS]
        return Bars.of(self._symbols[at], self._days[at, :count].astype("datetime64[D]"), *fields)


def _rows(bars: Bars, start: int, size: int) -> Bars:
    row = np.arange(len(bars))
    return bars.take((row >= start) & (row < start + size))


def _changed_days(before: Bars, after: Bars) -> NDArray[np.int64]:
    """Give the days whose close is new, differs or is gone."""
    start = _compared_from(before, after)
    before, after = before.take(before.date >= start), after.take(after.date >= start)
    known = after.take(slice(len(before)))
    if np.array_equal(known.date, before.date) and np.array_equal(known.close, before.close):
        return day_numbers(after.date[len(before) :])
    days, days_before = day_numbers(after.date), day_numbers(before.date)
    common, now, then = np.intersect1d(days, days_before, return_indices=True)
    differs = common[after.close[now] != before.close[then]]
    return np.concatenate([differs, np.setxor1d(days, days_before)])


def _compared_from(before: Bars, after: Bars) -> np.datetime64:
    """Give the day from which on a difference is a change: days before are only not given any more."""
    if len(before) and len(after) and after.date[0] > before.date[0]:
        return np.datetime64(after.date[0])
    return _NEVER
