"""How quick stored bars are: the panel beside parquet and duckdb, a durable day, catching up, compaction.

Everything is done on real files in a temporary directory, 500 random symbols of 15 years.

    python benchmarks/bars.py --json bars.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.journal import Journal, Pending
from daemon.adapters.versions import bars_of, bring_up_panel
from daemon.children.compact import write_year_files
from daemon.messages import FileArrived
from daemon.records import BarsCompacted, Outcome, PartStored
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from daemon.ports import BarPanel
    from daemon.records import Record

NOW: Final = datetime(2024, 3, 1, 12, tzinfo=UTC)
YEARS_15: Final = 3780
TAIL: Final = 300
DELTAS: Final = 64
FIRST_DAY: Final = "2009-01-05"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure: the median and the worst of its repetitions, beside what it should reach."""

    what: str
    median: float
    worst: float
    reach: float | None
    unit: str
    repetitions: int


class Stored:
    """A journal with its parts and its panel, filled day by day."""

    def __init__(self, root: Path, market: Bars) -> None:
        self.root = root
        self.market = market
        self.days = np.unique(market.date)
        self.journal = Journal(root / "journal.db")
        self.ledger = self.journal.ledger.bars
        self.store = ParquetBarStore(root / "bars", root / "panel")
        self._messages = 0

    def of_days(self, first: int, end: int) -> Bars:
        """Give the bars of all symbols on some days, by their number."""
        inside = (self.market.date >= self.days[first]) & (self.market.date <= self.days[end - 1])
        return self.market.take(inside)

    def apply(self, record: Record) -> None:
        """Store a record as the outcome of a message."""
        self._messages += 1
        message = FileArrived(sha256=str(self._messages), name="a", size_bytes=1)
        self.journal.append([message], now=NOW)
        pending = Pending(id=self._messages, message=message, attempts=0)
        self.journal.finish(pending, Outcome(records=(record,)), now=NOW)

    def list_part(self, name: str, bars: Bars) -> None:
        """Make a part the next data version."""
        self.apply(
            PartStored(
                data_version=self.ledger.data_version() + 1,
                part=name,
                symbols=bars.symbols(),
                rows=len(bars),
                first_day=str(bars.date.min()),
                last_day=str(bars.date.max()),
            )
        )

    def put(self, bars: Bars) -> None:
        """Store bars as the next data version."""
        self.list_part(self.store.write_part(bars), bars)

    def bring_up(self) -> None:
        """Bring the panel to the newest data version."""
        bring_up_panel(self.ledger, self.store)


def main() -> None:
    """Measure, print the table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--days", type=int, default=YEARS_15)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    market = random_market(options.symbols, options.days)
    with tempfile.TemporaryDirectory() as folder:
        stored = Stored(Path(folder), market)
        with closing(stored.journal):
            figures = measure(stored, options.repetitions)
    print(f"{'what':<66}{'median':>10}{'worst':>10}{'reach':>8}  unit")
    for figure in figures:
        reach = "" if figure.reach is None else f"{figure.reach:g}"
        print(f"{figure.what:<66}{figure.median:>10.2f}{figure.worst:>10.2f}{reach:>8}  {figure.unit}")
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


def random_market(symbols: int, days: int) -> Bars:
    """Give random bars with prices in cents, of every symbol on every weekday."""
    generator = np.random.default_rng(1)
    dates = np.busday_offset(FIRST_DAY, np.arange(days), roll="forward")
    steps = generator.normal(0.0003, 0.015, (symbols, days))
    close = np.round(np.exp(np.log(50) + np.cumsum(steps, axis=1)), 2) + 0.01
    spread = np.abs(generator.normal(0, 0.01, (symbols, days)))
    return Bars(
        symbol=np.repeat([f"S{i:03d}" for i in range(symbols)], days),
        date=np.tile(dates, symbols),
        open=close.ravel(),
        high=np.round(close * (1 + spread), 4).ravel(),
        low=np.round(close * (1 - spread), 4).ravel(),
        close=close.ravel(),
        volume=generator.integers(10**5, 10**8, symbols * days).astype(np.float64),
    )


def measure(stored: Stored, repetitions: int) -> list[Figure]:
    """Give all figures; the order matters, each begins where the one before ended."""
    few = max(3, repetitions // 4)
    held_back = 2 * repetitions
    history = len(stored.days) - held_back - DELTAS
    stored.put(stored.of_days(0, history))
    rebuild = [_timed_ms(lambda: _rebuild(stored)) for _ in range(few)]
    appended = [_append(stored, history + i) for i in range(repetitions)]
    late = [_catch_up(stored, history + repetitions + i) for i in range(repetitions)]
    _rebuild(stored)
    compaction, read_before, read_after = _compact(stored, history + held_back)
    _rebuild(stored)
    reads = _reads(stored, repetitions, few)
    return [
        *reads,
        _figure("one day: delta written, flushed, renamed", [one.write for one in appended]),
        _figure("one day: panel appended", [one.panel for one in appended]),
        _figure("one day: both", [one.write + one.panel for one in appended], 3),
        _figure("one day: its journal row, beside", [one.journal for one in appended]),
        _figure("one day late: last 300 bars, from panel and delta", late),
        _figure("panel made anew from the parts", rebuild),
        _figure(f"{DELTAS} deltas compacted", [compaction]),
        _figure("all bars read from parts, before the compaction", [read_before]),
        _figure("all bars read from parts, after it", [read_after]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Append:
    write: float
    journal: float
    panel: float


def _append(stored: Stored, day: int) -> _Append:
    bars = stored.of_days(day, day + 1)
    names: list[str] = []
    return _Append(
        write=_timed_ms(lambda: names.append(stored.store.write_part(bars))),
        journal=_timed_ms(lambda: stored.list_part(names[0], bars)),
        panel=_timed_ms(stored.bring_up),
    )


def _catch_up(stored: Stored, day: int) -> float:
    """Time the last bars of all symbols when the panel is one day behind."""
    stored.put(stored.of_days(day, day + 1))
    took = _timed_ms(lambda: _tail(stored))
    stored.bring_up()
    return took


def _tail(stored: Stored) -> Bars:
    return bars_of(stored.ledger, stored.store, stored.ledger.data_version(), last=TAIL)


def _rebuild(stored: Stored) -> None:
    (stored.root / "panel").unlink(missing_ok=True)
    stored.bring_up()


def _compact(stored: Stored, first: int) -> tuple[float, float, float]:
    for day in range(first, first + DELTAS):
        stored.put(stored.of_days(day, day + 1))
    version = stored.ledger.data_version()
    before = _timed_ms(lambda: _read_parts(stored))
    started = time.perf_counter()
    files = tuple(write_year_files(stored.ledger, stored.store, version))
    stored.apply(BarsCompacted(data_version=version, files=files))
    took = 1000 * (time.perf_counter() - started)
    return took, before, _timed_ms(lambda: _read_parts(stored))


def _read_parts(stored: Stored) -> Bars:
    return stored.store.read(_live(stored))


def _live(stored: Stored) -> list[str]:
    return [part.part for part in stored.ledger.live_files()]


def _reads(stored: Stored, repetitions: int, few: int) -> list[Figure]:
    out = np.empty((len(BAR_FIELDS), len(stored.market.symbols()), len(stored.days)))
    figures = [
        _figure(
            "panel opened and read: five fields, every value looked at",
            _times(lambda: _touch(stored), repetitions),
            5,
        ),
        _figure("panel opened and read: five fields copied", _times(lambda: _copy(stored, out), repetitions)),
        _figure("the same numbers in memory, every value looked at", _times(out.max, repetitions)),
        _figure("panel: last 300 of every symbol, five fields", _times(lambda: _last(stored), repetitions)),
        _figure(
            "panel: last 300 bars of every symbol as checked Bars", _times(lambda: _tail(stored), repetitions)
        ),
        _figure("panel: all bars as checked Bars", _times(lambda: _all(stored), few)),
        _figure("panel: all bars of one symbol as checked Bars", _times(lambda: _one(stored), repetitions)),
        _figure(
            "float32 of the same, in a file: every value looked at",
            _times(_float32(stored, out), repetitions),
        ),
        _figure(
            "parquet year files: five fields, every value looked at", _times(lambda: _parquet(stored), few)
        ),
    ]
    if find_spec("duckdb"):
        figures.append(_figure("duckdb: five fields fetched as numpy", _times(_duckdb(stored), few)))
    return figures


def _panel(stored: Stored) -> BarPanel:
    panel = stored.store.panel()
    assert panel is not None
    return panel


def _touch(stored: Stored) -> float:
    panel = _panel(stored)
    return max(float(panel.field(name).max()) for name in BAR_FIELDS)


def _copy(stored: Stored, out: NDArray[np.float64]) -> None:
    panel = _panel(stored)
    for i, name in enumerate(BAR_FIELDS):
        np.copyto(out[i], panel.field(name))


def _last(stored: Stored) -> list[NDArray[np.float64]]:
    panel = _panel(stored)
    return [panel.field(name, last=TAIL).copy() for name in BAR_FIELDS]


def _all(stored: Stored) -> Bars:
    return _panel(stored).bars()


def _one(stored: Stored) -> Bars:
    return _panel(stored).bars(["S001"])


def _float32(stored: Stored, out: NDArray[np.float64]) -> Callable[[], object]:
    path = stored.root / "float32"
    out.astype(np.float32).tofile(path)
    return lambda: np.memmap(path, dtype=np.float32, mode="r").max()


def _parquet(stored: Stored) -> float:
    bars = _read_parts(stored)
    return max(float(getattr(bars, name).max()) for name in BAR_FIELDS)


def _duckdb(stored: Stored) -> Callable[[], object]:
    """Load the parts into a table of duckdb's own, and give what fetches all of it."""
    connection = import_module("duckdb").connect(str(stored.root / "duck.db"))
    files = [str(stored.root / "bars" / name) for name in _live(stored)]
    connection.execute("CREATE TABLE bars AS SELECT * FROM read_parquet($1) ORDER BY symbol, date", [files])
    connection.execute("ALTER TABLE bars DROP symbol; ALTER TABLE bars DROP date")
    return lambda: connection.execute("SELECT * FROM bars").fetchnumpy()


def _times(work: Callable[[], object], repetitions: int) -> list[float]:
    work()
    return [_timed_ms(work) for _ in range(repetitions)]


def _timed_ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def _figure(what: str, values: list[float], reach: float | None = None) -> Figure:
    return Figure(
        what=what,
        median=statistics.median(values),
        worst=max(values),
        reach=reach,
        unit="ms",
        repetitions=len(values),
    )


if __name__ == "__main__":
    main()
