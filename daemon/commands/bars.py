"""``bars list|show|verify|export``: the stored bars, read from the panel or the parts, daemon up or down."""

from __future__ import annotations

import difflib
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from daemon.adapters.bar_check import believed_panel, check_files, check_panel
from daemon.adapters.bar_store import MemoryPanel, ParquetBarStore
from daemon.adapters.versions import bars_of
from daemon.commands.context import print_json, print_table, reading, settings_of
from daemon.commands.days import day_of
from daemon.errors import UsageError
from daemon.formats import write_csv, write_parquet
from daemon.layout import layout_of
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from daemon.adapters.bar_ledger import BarLedger
    from daemon.layout import Layout
    from daemon.ports import BarPanel

WRITERS: Final = {".csv": write_csv, ".parquet": write_parquet}


class _Stored(NamedTuple):
    """The newest data version of a directory."""

    layout: Layout
    ledger: BarLedger
    store: ParquetBarStore
    data_version: int


def list_symbols(options: argparse.Namespace) -> int:
    """List the symbols with their days, and what they are stored in."""
    with _reading(options) as stored:
        symbols = _symbols(stored)
        totals = _totals(stored)
    if options.json:
        print_json({"symbols": symbols, **totals})
        return 0
    header = ("symbol", "first_day", "last_day", "bars", "missing")
    print_table(header, [tuple(row[name] for name in header) for row in symbols])
    rows = sum(row["bars"] for row in symbols)
    print(f"\n{rows:,} bars of {len(symbols)} symbols, data version {totals['data_version']}")
    print(
        f"{totals['year_files']} year files and {totals['deltas']} deltas, {totals['bytes']:,} bytes;"
        f" {totals['retired_files']} retired files"
    )
    return 0


def show(options: argparse.Namespace) -> int:
    """Show the bars of a symbol."""
    with _reading(options) as stored:
        bars = _asked(stored, [options.symbol], options)
    if options.last is not None:
        bars = bars.take(slice(-options.last, None))
    if options.json:
        print_json({"symbol": options.symbol, "bars": [_facts(bars, i) for i in range(len(bars))]})
        return 0
    header = ("date", *BAR_FIELDS)
    rows = [_facts(bars, i) for i in range(len(bars))]
    print_table(header, [(row["date"], *(_number(row[name]) for name in BAR_FIELDS)) for row in rows])
    return 0


def verify(options: argparse.Namespace) -> int:
    """Check every file and the panel; exit 1 if anything is wrong."""
    with _reading(options) as stored:
        files = len({part.part for part in stored.ledger.listed()})
        panel = believed_panel(stored.ledger, stored.store)
        findings = list(check_files(stored.ledger, stored.layout.bars))
        if panel is not None:
            findings += check_panel(stored.ledger, stored.store, panel, stored.layout.panel)
    version = None if panel is None else panel.data_version
    if options.json:
        facts = {"data_version": stored.data_version, "files": files, "panel_version": version}
        print_json({**facts, "findings": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            print(f"{finding.file}: {finding.sentence}")
        told = "no panel" if version is None else f"a panel of data version {version}"
        print(f"{files} files and {told}: {len(findings) or 'no'} problems")
    return 1 if findings else 0


def export(options: argparse.Namespace) -> int:
    """Write bars into a file that the daemon would take in again."""
    path = Path(options.out)
    if path.suffix not in WRITERS:
        raise UsageError(f"{path} must end in .csv or .parquet")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a folder")
    with _reading(options) as stored:
        bars = _asked(stored, options.symbol, options)
    _publish(bars, path)
    if options.json:
        print_json({"file": str(path), "symbols": list(bars.symbols()), "rows": len(bars)})
    else:
        print(f"{len(bars):,} bars of {len(bars.symbols())} symbols written to {path}")
    return 0


@contextmanager
def _reading(options: argparse.Namespace) -> Iterator[_Stored]:
    layout = layout_of(options)
    with reading(layout) as ledger:
        data_version = ledger.data_version()
        if data_version == 0:
            raise UsageError(f"there are no bars yet; drop price files into {layout.inbox}")
        store = ParquetBarStore(layout.bars, layout.panel)
        yield _Stored(layout=layout, ledger=ledger.bars, store=store, data_version=data_version)


def _asked(stored: _Stored, symbols: Sequence[str] | None, options: argparse.Namespace) -> Bars:
    """Give the bars of the named symbols, or of all, between the days of ``--from`` and ``--to``."""
    for symbol in symbols or ():
        _require(symbol, stored)
    since = day_of(options.first) if options.first else None
    end = day_of(options.end) if options.end else None
    bars = bars_of(stored.ledger, stored.store, stored.data_version, symbols, since=since)
    if end is not None:
        bars = bars.take(bars.date <= end)
    if not len(bars):
        raise UsageError(
            f"there are no bars between {options.first or 'the start'} and {options.end or 'the end'}"
        )
    return bars


def _require(symbol: str, stored: _Stored) -> None:
    known = {name for part in stored.ledger.live_files() for name in part.symbols}
    if symbol not in known:
        near = difflib.get_close_matches(symbol, sorted(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "see: regimed bars list"
        raise UsageError(f"there are no bars of {symbol!r}; {hint}")


def _symbols(stored: _Stored) -> list[dict[str, Any]]:
    panel = _whole(stored)
    known = ~np.isnan(panel.field("close"))
    first = known.argmax(axis=1)
    last = known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    missing = _missing(panel.symbols, known, first, last, stored.layout)
    return [
        {
            "symbol": symbol,
            "first_day": str(panel.days[first[i]]),
            "last_day": str(panel.days[last[i]]),
            "bars": int(known[i].sum()),
            "missing": None if missing is None else missing[i],
        }
        for i, symbol in enumerate(panel.symbols)
    ]


def _whole(stored: _Stored) -> BarPanel:
    """Give all bars as a panel: the file if it is of now, else one made for the moment."""
    panel = believed_panel(stored.ledger, stored.store)
    if panel is not None and panel.data_version == stored.data_version:
        return panel
    return MemoryPanel(bars_of(stored.ledger, stored.store, stored.data_version), stored.data_version, "")


def _missing(
    symbols: Sequence[str],
    known: NDArray[np.bool_],
    first: NDArray[np.intp],
    last: NDArray[np.intp],
    layout: Layout,
) -> list[int] | None:
    """Count the days of the market's index between a symbol's first and last on which it has no bar."""
    index = next(iter(settings_of(layout).markets.values())).index
    if index not in symbols:
        return None
    sessions = known[symbols.index(index)]
    return [int((sessions & ~of)[a : b + 1].sum()) for of, a, b in zip(known, first, last, strict=True)]


def _totals(stored: _Stored) -> dict[str, Any]:
    live = stored.ledger.live_files()
    sizes = [path.stat().st_size for path in stored.layout.bars.glob("*.parquet")]
    return {
        "data_version": stored.data_version,
        "year_files": sum(part.year is not None for part in live),
        "deltas": sum(part.year is None for part in live),
        "retired_files": len(stored.ledger.retired(through=stored.data_version)),
        "bytes": sum(sizes),
    }


def _facts(bars: Bars, row: int) -> dict[str, Any]:
    values = {name: float(getattr(bars, name)[row]) for name in BAR_FIELDS}
    return {
        "date": str(bars.date[row]),
        **{name: None if np.isnan(value) else value for name, value in values.items()},
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.12g}"


def _publish(bars: Bars, path: Path) -> None:
    """Write beside, flush, rename: nobody sees half an export."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        WRITERS[path.suffix](bars, beside)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
