"""What is replayed: bars by the day on which they became known, as the files that would have brought them."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Self
from zoneinfo import ZoneInfo

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.ledger import Ledger
from daemon.adapters.versions import bars_of
from daemon.errors import UsageError
from daemon.formats.folder import read_folder
from daemon.formats.writing import csv_text
from regime.types import BAR_FIELDS
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.layout import Layout
    from daemon.settings import Settings
    from regime.types import Bars

AFTER_CLOSE: Final = timedelta(minutes=20)
"""When the bars of a day are there, counted from its close."""
CLOSE: Final = time(16)
NEVER_CLOSES: Final = "24/7"
EARLIER: Final = "earlier.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A file that arrives: its name and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """Bars that arrive day by day, and files that arrive as they are.

    Parameters
    ----------
    bars
        Every bar arrives after the close of its own day.
    restated
        Files by the day after whose close they arrive, whatever days their bars are of: corrections, splits,
        symbols that are added with their past.
    left_out
        Files that hold no bars, with the reason.
    """

    bars: Bars
    restated: Mapping[date, tuple[Arrival, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    _by_day: NDArray[np.intp] = field(init=False, repr=False)
    _days: NDArray[np.datetime64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_day", np.argsort(self.bars.date, kind="stable"))
        object.__setattr__(self, "_days", self.bars.date[self._by_day])

    @classmethod
    def of_folder(cls, folder: Path, settings: Settings, *, without: Collection[str] = ()) -> Self:
        """Read a folder of bar files; those in a folder inside named by a day arrive on that day as they are.

        Raises
        ------
        UsageError
            If there is no such folder, no bars in it, or none of a symbol that is to be left out.
        """
        try:
            bars, left_out = read_folder(folder, symbols=settings.ingest.symbols)
            restated = {
                date.fromisoformat(inner.name): _files_of(inner)
                for inner in sorted(folder.iterdir())
                if inner.is_dir() and _is_day(inner.name)
            }
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be read: {error.strerror}; name a folder of bar files"
            ) from error
        if not len(bars):
            raise UsageError(
                f"{folder} holds no bars ({len(left_out)} files were looked at); name a folder of bar files,"
                " see docs/replay.md"
            )
        return cls(bars=_less(bars, without), restated=restated, left_out=left_out)

    @classmethod
    def of_directory(cls, layout: Layout, *, without: Collection[str] = ()) -> Self:
        """Take the bars that a daemon's directory has stored, as they are now.

        Raises
        ------
        UsageError
            If it has stored none, or none of a symbol that is to be left out.
        """
        with closing(open_read_only(layout.journal)) as connection:
            ledger = Ledger(connection)
            store = ParquetBarStore(layout.bars, layout.panel)
            bars = bars_of(ledger.bars, store, ledger.data_version())
        if not len(bars):
            raise UsageError(f"{layout.root} has no bars yet; name a folder of bar files with --data")
        return cls(bars=_less(bars, without))

    def days(self, first: date, last: date) -> tuple[date, ...]:
        """Give the days from ``first`` to ``last`` on which anything arrives."""
        found = np.unique(self.bars.date)
        inside = found[(found >= np.datetime64(first)) & (found <= np.datetime64(last))].tolist()
        return tuple(sorted({*inside, *(day for day in self.restated if first <= day <= last)}))

    def before(self, first: date) -> Iterator[Arrival]:
        """Give what is known before the first day, as few files."""
        early = self.bars.take(self.bars.date < np.datetime64(first))
        if len(early):
            yield Arrival(name=EARLIER, content=csv_text(early).encode())
        for day in sorted(day for day in self.restated if day < first):
            yield from self.restated[day]

    def of_day(self, day: date) -> Iterator[Arrival]:
        """Give what arrives after the close of a day."""
        low, high = np.searchsorted(self._days, [np.datetime64(day), np.datetime64(day) + 1])
        if high > low:
            bars = self.bars.take(self._by_day[low:high])
            yield Arrival(name=f"{day}.csv", content=csv_text(bars).encode())
        yield from self.restated.get(day, ())

    def notes(self, first: date, last: date, *, index: str) -> tuple[str, ...]:
        """Give what a reader of the report must know: files that were no bars, symbols with holes.

        A hole is a day on which the index has a bar and the symbol, between its first and last, has none.
        """
        left_out = [f"{name} was left out: {reason}" for name, reason in sorted(self.left_out.items())]
        inside = self.bars.take(
            (self.bars.date >= np.datetime64(first)) & (self.bars.date <= np.datetime64(last))
        )
        days = inside.of_symbol(index).date
        holes = []
        for symbol in inside.symbols():
            own = inside.of_symbol(symbol).date
            expected = days[(days >= own[0]) & (days <= own[-1])]
            if missing := len(np.setdiff1d(expected, own)):
                holes.append(f"{symbol} {missing}")
        if not holes:
            return tuple(left_out)
        told = f"Days without a bar between a symbol's first and last: {', '.join(holes)}."
        return (*left_out, told)

    def fingerprint(self) -> str:
        """Give the SHA-256 of all that may arrive."""
        digest = hashlib.sha256()
        digest.update("\n".join(self.bars.symbol.tolist()).encode())
        for values in (self.bars.date, *(getattr(self.bars, name) for name in BAR_FIELDS)):
            digest.update(np.ascontiguousarray(values).tobytes())
        for day, arrivals in sorted(self.restated.items()):
            for arrival in arrivals:
                digest.update(f"{day} {arrival.name} {len(arrival.content)}\n".encode() + arrival.content)
        return digest.hexdigest()


def known_at(day: date, calendar: str, timezone: str) -> datetime:
    """Give when the bars of a day are there, in UTC: twenty minutes after its close.

    Half days count as whole ones, which is later and so never sees too much.

    >>> known_at(date(2024, 1, 5), "XNYS", "America/New_York").isoformat()
    '2024-01-05T21:20:00+00:00'
    >>> known_at(date(2024, 1, 5), "24/7", "America/New_York").isoformat()
    '2024-01-06T00:20:00+00:00'
    """
    if calendar == NEVER_CLOSES:
        return datetime.combine(day, time(), tzinfo=UTC) + timedelta(days=1) + AFTER_CLOSE
    return (datetime.combine(day, CLOSE, tzinfo=ZoneInfo(timezone)) + AFTER_CLOSE).astimezone(UTC)


def _less(bars: Bars, without: Collection[str]) -> Bars:
    unknown = sorted(set(without) - set(bars.symbols()))
    if unknown:
        raise UsageError(
            f"--without names {', '.join(unknown)}, of which there are no bars;"
            f" there are bars of {', '.join(bars.symbols())}"
        )
    return bars.take(~np.isin(bars.symbol, list(without)))


def _is_day(name: str) -> bool:
    try:
        date.fromisoformat(name)
    except ValueError:
        return False
    return True


def _files_of(folder: Path) -> tuple[Arrival, ...]:
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    return tuple(Arrival(name=path.name, content=path.read_bytes()) for path in paths)
