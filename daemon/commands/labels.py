"""``label`` and ``labels``: regimes of a file, and the stored regimes of a market."""

from __future__ import annotations

import difflib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.adapters.bar_store import ParquetBarStore
from daemon.adapters.versions import bars_of
from daemon.commands.context import print_json, print_table, reading, settings_of
from daemon.commands.days import day_of
from daemon.commands.tables import read_bars_file, write_table
from daemon.commands.timeline import colour_is_wanted, timeline, width_of_output
from daemon.errors import UsageError
from daemon.layout import layout_of
from daemon.plots import plot_labels
from regime.events import DYNAMIC, RARE_EVENTS, RareEvent
from regime.frames import frame_of_labels
from regime.labels import label_days, labeler_named
from regime.types import Regime, RegimeSeries

if TYPE_CHECKING:
    import argparse

    from daemon.adapters.ledger import Ledger
    from daemon.layout import Layout
    from daemon.settings import Settings
    from daemon.stored_label import StoredLabel


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
    name = options.market or next(iter(settings.markets))
    if name not in settings.markets:
        near = difflib.get_close_matches(name, settings.markets, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(settings.markets)}"
        raise UsageError(f"there is no market {name!r}; {hint}")
    series = _cut(_stored(layout, name), options.first, options.last)
    if options.plot:
        _plot(layout, settings, name, series, Path(options.plot))
    elif options.timeline:
        width, has_colour = width_of_output(), colour_is_wanted()
        print("\n".join(timeline(name, series, columns=width, has_colour=has_colour)))
    elif options.json:
        print_json({"market": name, "labeler": series.labeler, "labels": _rows(series)})
    else:
        rows = _rows(series)
        header = ("date", "regime", "reason", "provisional", "pending")
        print_table(header, [tuple(row[column] for column in header) for row in rows])
    return 0


def _stored(layout: Layout, market: str) -> RegimeSeries:
    with reading(layout) as ledger:
        state = ledger.labeler_state(market)
        stored = ledger.labels(market, state.labeler) if state else ()
    if state is None or not stored:
        raise UsageError(f"market {market!r} has no labels yet; drop the bars of its index into the inbox")
    return _series(state.labeler, stored)


def _series(labeler: str, stored: tuple[StoredLabel, ...]) -> RegimeSeries:
    regimes = tuple(Regime(label.regime) for label in stored)
    changes = [i for i in range(1, len(regimes)) if regimes[i] != regimes[i - 1]]
    return RegimeSeries(
        labeler=labeler,
        date=np.array([label.day for label in stored], dtype="datetime64[D]"),
        regime=regimes,
        reason=tuple(label.reason for label in stored),
        pending=tuple(Regime(label.pending) if label.pending else None for label in stored),
        provisional=np.arange(len(regimes)) >= (changes[-1] if changes else 0),
    )


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


def _rows(series: RegimeSeries) -> list[dict[str, object]]:
    columns = zip(series.date, series.regime, series.reason, series.provisional, series.pending, strict=True)
    return [
        {
            "date": str(day),
            "regime": regime.value,
            "reason": reason,
            "provisional": bool(provisional),
            "pending": None if pending is None else pending.value,
        }
        for day, regime, reason, provisional, pending in columns
    ]


def _plot(layout: Layout, settings: Settings, name: str, series: RegimeSeries, path: Path) -> None:
    if path.suffix not in {".png", ".svg"}:
        raise UsageError(f"{path} must end in .png or .svg")
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
