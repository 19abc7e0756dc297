"""Writes the year files that a compaction makes of the deltas of a data version.

Result: ``{"files": [{"year", "part", "symbols", "rows", "first_day", "last_day"}, …]}``.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.ledger import Ledger
from daemon.layout import Layout
from daemon.records import YearFile
from regime.types import Bars
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from daemon.adapters.bar_ledger import BarLedger
    from daemon.ports import BarStore


def run(job: dict[str, Any]) -> dict[str, object]:
    """Compact a data version."""
    layout = Layout(Path(job["root"]))
    with closing(open_read_only(layout.journal)) as connection:
        files = write_year_files(Ledger(connection).bars, ParquetBarStore(layout.bars), job["data_version"])
        return {"files": [asdict(file) for file in files]}


def write_year_files(ledger: BarLedger, store: BarStore, data_version: int) -> Iterator[YearFile]:
    """Write all bars of each year that a live delta touches, one year after the other."""
    live = ledger.parts(through=data_version)
    fresh = store.read([part.part for part in live if part.year is None])
    before = {part.year: part.part for part in live if part.year is not None}
    years = fresh.date.astype("datetime64[Y]").astype(np.int64) + 1970
    for year in np.unique(years).tolist():
        bars = fresh.take(years == year)
        if year in before:
            bars = Bars.concat([store.read([before[year]]), bars])
        yield YearFile(
            year=year,
            part=store.write_part(bars),
            symbols=bars.symbols(),
            rows=len(bars),
            first_day=str(bars.date.min()),
            last_day=str(bars.date.max()),
        )
