"""Measure the archive of rare events: seconds, rows of each event, and labels beside nominal regimes.

``python benchmarks/archive.py --data DIR [--json FILE] [--discover]``, or ``REGIMED_DATA=DIR``. ``DIR`` holds
files of bars in any format that regimed reads: an index, its fear index, and whatever symbols samples are
made of. Each build is written to a folder that is removed afterwards. ``--discover`` replays the capture
over the whole history, day by day, and says of each event of the catalogue whether it was found, or what it
lacked.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.adapters.archive import ArchiveFolder
from daemon.children.archive import Assignment, build_archive
from daemon.children.data import Market
from daemon.formats.folder import read_folder
from regime.event_capture import (
    CLOSED,
    OPENED,
    CaptureSettings,
    CaptureState,
    MarketDay,
    capture,
    market_days,
)
from regime.event_shortfall import Shortfall, shortfall_of
from regime.events import RARE_EVENTS, overlap_days, same_as
from regime.labels import days_of, effective_fear, label_days, labeler_named
from regime.targets import target_named
from regime.types import REGIMES, Bars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.adapters.archive import Manifest
    from regime.events import RareEvent

REPETITIONS = 3
SAME_SHARE = 0.5
WEIGHT = 0.1
Row = dict[str, object]


def market_of(bars: Bars, options: argparse.Namespace) -> tuple[Market, tuple[MarketDay, ...]]:
    """Give the market of some bars, and its days as capture sees them."""
    index, given = bars.of_symbol(options.index), bars.of_symbol(options.fear)
    fear = given if len(given) else None
    labels = label_days(index, fear, labeler_named(options.labeler, has_fear=fear is not None))
    own = bars.take(~np.isin(bars.symbol, [options.index, options.fear, *options.without]))
    market = Market(name="bench", bars=own, index=index, fear=effective_fear(index, fear), labels=labels)
    return market, market_days(days_of(index, fear), labels.regime, has_fear_index=fear is not None)


def build(market: Market) -> tuple[dict[str, float], list[Manifest]]:
    """Build the eight events several times; give the median seconds and the manifests."""
    assignment = Assignment(
        events=RARE_EVENTS, market=market, target=target_named("reference"), data_version=None
    )
    took: dict[str, list[float]] = {"build": [], "again": []}
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory() as place:
            folder = ArchiveFolder(Path(place))
            for seconds in took.values():
                start = time.perf_counter()
                build_archive(folder, assignment, lambda _done, _total, _what: None)
                seconds.append(time.perf_counter() - start)
            manifests = [manifest for event in RARE_EVENTS if (manifest := folder.manifest(event.id))]
    return {name: statistics.median(seconds) for name, seconds in took.items()}, manifests


def label_rows(manifests: Sequence[Manifest]) -> list[Row]:
    """Give rows by the labeler's word, beside the nominal regime."""
    return [
        {
            "event": manifest.event,
            "nominal": manifest.nominal_regime,
            "rows": manifest.rows,
            "agree_%": round(100 * manifest.label_counts[manifest.nominal_regime] / manifest.rows, 1),
            **{regime.value: manifest.label_counts[regime.value] for regime in REGIMES},
        }
        for manifest in manifests
    ]


def discover(days: Sequence[MarketDay], settings: CaptureSettings) -> tuple[list[Row], list[Row]]:
    """Replay the capture; give the episodes, and what became of each event of the catalogue."""
    _, changes = capture(CaptureState(), settings, days)
    final = {change.episode.id: change.episode for change in changes}
    opened = {change.episode.id for change in changes if change.kind == OPENED}
    closed = {change.episode.id for change in changes if change.kind == CLOSED}
    assert closed <= opened == set(final)
    episodes = {id_: episode.event(weight=WEIGHT) for id_, episode in final.items()}
    found: list[Row] = [
        {
            "episode": id_,
            "last_day": str(episode.last_day),
            "known_on": str(episode.opened_on),
            "closed_on": str(episode.closed_on or "-"),
            "days": episode.days,
            "fear_peak": episode.fear_peak,
            "same_as": ", ".join(same_as(episodes[id_], RARE_EVENTS, share_min=SAME_SHARE)) or "new",
        }
        for id_, episode in final.items()
    ]
    return found, [_fate(event, episodes, settings, days) for event in RARE_EVENTS]


def _fate(
    event: RareEvent, episodes: Mapping[str, RareEvent], settings: CaptureSettings, days: Sequence[MarketDay]
) -> Row:
    lacked = shortfall_of(event, settings, days)
    by = [id_ for id_, episode in episodes.items() if overlap_days(episode, event)]
    return {
        "event": event.id,
        "found_by": ", ".join(by) or "-",
        **asdict(lacked),
        "why_not": "" if by else _why_not(lacked, settings),
    }


def _why_not(lacked: Shortfall, settings: CaptureSettings) -> str:
    """Say what an event lacked, the first condition that fails."""
    if lacked.fear_peak is None:
        return "no fear is known"
    if lacked.fear_peak < settings.fear_min:
        return f"fear never reached {settings.fear_min:g}: {lacked.fear_peak:g}"
    if lacked.crash_days_max < settings.crash_share_min * settings.window_days:
        return f"at most {lacked.crash_days_max} of {settings.window_days} days labelled crash"
    return (
        f"fear at {settings.fear_min:g} on {lacked.fear_days} days, {lacked.qualifying_days} of them qualify,"
        f" {settings.days_min} running are needed"
    )


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """Print rows as an aligned table."""
    print(f"\n{title}")
    if not rows:
        print("none")
        return
    cells = [[str(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(list(rows[0]), *cells, strict=True)]
    for row in [list(rows[0]), *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("REGIMED_DATA"), help="a folder of bars")
    parser.add_argument("--index", default="^GSPC", help="symbol of the index, default: ^GSPC")
    parser.add_argument("--fear", default="^VIX", help="symbol of its fear index, default: ^VIX")
    parser.add_argument("--without", nargs="*", default=[], metavar="SYMBOL", help="symbols to leave out")
    parser.add_argument("--labeler", default="rules", help="default: rules")
    parser.add_argument("--from", dest="first", default="1900-01-01", help="first day of the discovery")
    parser.add_argument("--discover", action="store_true", help="replay the capture too")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    if not options.data:
        parser.error("give a folder of bars with --data or REGIMED_DATA")
    start = time.perf_counter()
    bars, _ = read_folder(Path(options.data))
    market, days = market_of(bars, options)
    seconds = {"read_and_label": time.perf_counter() - start}
    built, manifests = build(market)
    seconds |= built
    rows = sum(manifest.rows for manifest in manifests)
    symbols = len({symbol for manifest in manifests for symbol in manifest.symbols})
    size = sum(manifest.size_bytes for manifest in manifests)
    print(f"{len(manifests)} events, {symbols} symbols, {rows:,} rows, {size / 2**20:.1f} MiB;", end=" ")
    print(", ".join(f"{name} {took:.2f} s" for name, took in seconds.items()))
    labels = label_rows(manifests)
    print_rows("Rows by label", labels)
    figures: dict[str, object] = {"seconds": seconds, "rows": rows, "symbols": symbols, "labels": labels}
    if options.discover:
        settings = CaptureSettings()
        days = tuple(day for day in days if day.date.isoformat() >= options.first)
        begin = time.perf_counter()
        episodes, fates = discover(days, settings)
        seconds["discover"] = time.perf_counter() - begin
        print_rows(f"Episodes in {len(days)} days, {seconds['discover'] * 1e3:.0f} ms", episodes)
        print_rows("The events of the catalogue", fates)
        figures |= {"settings": asdict(settings), "episodes": episodes, "events": fates}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
