"""``label`` and ``labels``: regimes of a file, and the stored regimes of a market."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.versions import bars_of
from daemon.commands.context import print_json, print_table, reading, settings_of
from daemon.commands.days import day_of
from daemon.commands.label_sources import chosen_market, labeler_in_force, stored_series
from daemon.commands.tables import read_bars_file, write_table
from daemon.commands.timeline import colour_is_wanted, timeline, width_of_output
from daemon.errors import UsageError
from daemon.layout import layout_of
from regime.events import DYNAMIC, RARE_EVENTS, RareEvent
from regime.frames import frame_of_labels
from regime.labels import label_days, labeler_named
from regime.types import Regime, RegimeSeries

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from daemon.adapters.ledger import Ledger
    from daemon.layout import Layout
    from daemon.settings import Settings


def label(options: argparse.Namespace) -> int:
    """Label the days of an index file, without a daemon."""
    fear = read_bars_file(options.fear) if options.fear else None
    labeler = labeler_named(options.labeler, has_fear=fear is not None)
    labels = label_days(read_bars_file(options.index), fear, labeler)
    write_table(frame_of_labels(labels), Path(options.out))
    return 0


def labels(options: argparse.Namespace) -> int:
    """Print or draw the stored labels of a market."""
    if options.timeline and (options.json or options.plot):
        raise UsageError("--timeline is for people; give it alone, or --json or --plot")
    layout = layout_of(options)
    settings = settings_of(layout)
    name, _ = chosen_market(settings, options.market)
    series, finals = _stored(layout, name)
    series = _cut(series, options.first, options.last)
    if options.plot:
        _plot(layout, settings, name, series, Path(options.plot))
    elif options.timeline:
        width, has_colour = width_of_output(), colour_is_wanted()
        print("\n".join(timeline(name, series, columns=width, has_colour=has_colour)))
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


def _plot(layout: Layout, settings: Settings, name: str, series: RegimeSeries, path: Path) -> None:
    if path.suffix not in {".png", ".svg"}:
        raise UsageError(f"{path} must end in .png or .svg")
    from daemon.plots import plot_labels  # noqa: PLC0415 - brings matplotlib, slow to start

    market = settings.markets[name]
    with reading(layout) as ledger:
        store = ParquetBarStore(layout.bars, layout.panel)
        bars = bars_of(ledger.bars, store, ledger.data_version(), [market.index, market.fear])
        events = _events(ledger, settings, name)
    fear = bars.of_symbol(market.fear)
    plot_labels(bars.of_symbol(market.index), fear if len(fear) else None, series, path, events=events)


def _events(ledger: Ledger, settings: Settings, market: str) -> tuple[RareEvent, ...]:
    """Give the rare events of the catalogue, and those captured in a market that are none of these."""
    dropped = {drop.id for drop in ledger.archive.dropped()}
    captured = [
        RareEvent(
            id=event.id,
            first_day=date.fromisoformat(event.first_day),
            last_day=date.fromisoformat(event.last_day),
            regime=Regime.CRASH,
            weight=settings.archive.weight,
            origin=DYNAMIC,
        )
        for event in ledger.archive.captured(market)
        if not event.same_as and event.id not in dropped
    ]
    return (*RARE_EVENTS, *captured)
