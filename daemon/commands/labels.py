"""``label`` and ``labels``: regimes of a file, and the stored regimes of a market."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.versions import bars_of
from daemon.commands.context import print_json, print_table, reading, settings_of
from daemon.commands.days import day_of
from daemon.commands.label_sources import chosen_market, labeler_in_force, stored_series
from daemon.commands.tables import read_bars_file, write_table
from daemon.errors import UsageError
from daemon.layout import layout_of
from daemon.plots import plot_labels
from regime.frames import frame_of_labels
from regime.labels import label_days, labeler_named
from regime.types import RegimeSeries

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from daemon.layout import Layout
    from daemon.settings import MarketSettings


def label(options: argparse.Namespace) -> int:
    """Label the days of an index file, without a daemon."""
    fear = read_bars_file(options.fear) if options.fear else None
    labeler = labeler_named(options.labeler, has_fear=fear is not None)
    labels = label_days(read_bars_file(options.index), fear, labeler)
    write_table(frame_of_labels(labels), Path(options.out))
    return 0


def labels(options: argparse.Namespace) -> int:
    """Print or draw the stored labels of a market."""
    layout = layout_of(options)
    settings = settings_of(layout)
    name, _ = chosen_market(settings, options.market)
    series, finals = _stored(layout, name)
    series = _cut(series, options.first, options.last)
    if options.plot:
        _plot(layout, settings.markets[name], series, Path(options.plot))
    elif options.json:
        print_json({"market": name, "labeler": series.labeler, "labels": _rows(series, finals)})
    else:
        rows = _rows(series, finals)
        header = ("date", "regime", "reason", "provisional", "pending", "final")
        print_table(header, [tuple(row[column] for column in header) for row in rows])
    return 0


def _stored(layout: Layout, market: str) -> tuple[RegimeSeries, dict[str, str]]:
    """Give the stored labels, and the final regimes by day."""
    with reading(layout) as ledger:
        labeler = labeler_in_force(ledger, market).labeler
        stored = ledger.labels(market, labeler)
        finals = dict(ledger.finals.labels(market, labeler))
    return stored_series(labeler, stored), finals


def _cut(series: RegimeSeries, first: str | None, last: str | None) -> RegimeSeries:
    kept = np.ones(len(series), dtype=bool)
    if first:
        kept &= series.date >= day_of(first)
    if last:
        kept &= series.date <= day_of(last)
    if not kept.any():
        raise UsageError(f"there are no labels between {first or 'the start'} and {last or 'the end'}")
    at = np.flatnonzero(kept)
    return RegimeSeries(
        labeler=series.labeler,
        date=series.date[at],
        regime=tuple(series.regime[i] for i in at),
        reason=tuple(series.reason[i] for i in at),
        pending=tuple(series.pending[i] for i in at),
        provisional=series.provisional[at],
    )


def _rows(series: RegimeSeries, finals: Mapping[str, str]) -> list[dict[str, object]]:
    columns = zip(series.date, series.regime, series.reason, series.provisional, series.pending, strict=True)
    return [
        {
            "date": str(day),
            "regime": regime.value,
            "reason": reason,
            "provisional": bool(provisional),
            "pending": None if pending is None else pending.value,
            "final": finals.get(str(day)),
        }
        for day, regime, reason, provisional, pending in columns
    ]


def _plot(layout: Layout, market: MarketSettings, series: RegimeSeries, path: Path) -> None:
    with reading(layout) as ledger:
        store = ParquetBarStore(layout.bars, layout.panel)
        bars = bars_of(ledger.bars, store, ledger.data_version(), [market.index, market.fear])
    inside = (bars.date >= series.date[0]) & (bars.date <= series.date[-1])
    index = bars.take(inside & (bars.symbol == market.index))
    fear = bars.take(inside & (bars.symbol == market.fear))
    if path.suffix not in {".png", ".svg"}:
        raise UsageError(f"{path} must end in .png or .svg")
    plot_labels(index, fear if len(fear) else None, series, path)
