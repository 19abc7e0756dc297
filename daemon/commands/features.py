"""``features list``, ``features show`` and ``features compute``."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.commands.context import print_json, print_table, reading
from daemon.commands.days import day_of
from daemon.commands.tables import read_bars_file, write_table
from daemon.errors import UsageError
from daemon.gate_rules import read_sectors
from daemon.layout import layout_of
from regime.features import CATALOGUE, catalogue_hash, compute_features
from regime.frames import frame_of_features
from regime.labels import effective_fear

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray


FACTS: Final = ("name", "family", "formula", "inputs", "look_back", "warm_up", "source")


def list_features(options: argparse.Namespace) -> int:
    """List the catalogue."""
    if options.json:
        rows = [{name: getattr(feature, name) for name in FACTS} for feature in CATALOGUE]
        print_json({"catalogue_hash": catalogue_hash(), "features": rows})
    else:
        print_table(
            ("name", "family", "look-back", "warm-up", "formula"),
            [(f.name, f.family, f.look_back, f.warm_up, f.formula) for f in CATALOGUE],
        )
    return 0


def show(options: argparse.Namespace) -> int:
    """Show the features of a day as the daemon computed them when its bars arrived."""
    with reading(layout_of(options)) as ledger:
        days = ledger.features.days()
        if not days:
            raise UsageError(
                "no features are stored yet; they are computed when bars arrive, with the index of the market"
            )
        day = str(day_of(options.date)) if options.date else days[-1]
        stored = ledger.features.of_day(day)
    if stored is None:
        raise UsageError(f"the features of {day} are not kept; there are {days[0]} to {days[-1]}")
    values = np.frombuffer(stored.content, dtype="<f4").reshape(len(stored.symbols), len(CATALOGUE))
    symbols = options.symbol or list(stored.symbols)
    for symbol in symbols:
        if symbol not in stored.symbols:
            near = difflib.get_close_matches(symbol, stored.symbols, n=1)
            hint = f"did you mean {near[0]}?" if near else "see: regimed features show"
            raise UsageError(f"there are no features of {symbol!r} on {day}; {hint}")
    chosen = values[[stored.symbols.index(symbol) for symbol in symbols]]
    if options.json:
        facts = {"day": day, "data_version": stored.data_version, "catalogue_hash": stored.catalogue_hash}
        print_json({**facts, "symbols": _facts(symbols, chosen)})
    elif options.symbol:
        rows = [(f.name, f.family, *map(_shown, chosen[:, at])) for at, f in enumerate(CATALOGUE)]
        print_table(("feature", "family", *symbols), rows)
    else:
        unknown = np.isnan(chosen)
        counts = [(symbol, len(CATALOGUE) - int(unknown[at].sum())) for at, symbol in enumerate(symbols)]
        print(f"{day}, data version {stored.data_version}: {stored.complete} of {len(symbols)} complete")
        print_table(("symbol", f"known of {len(CATALOGUE)}"), counts)
    return 0


def _facts(symbols: Sequence[str], values: NDArray[np.float32]) -> dict[str, dict[str, float | None]]:
    names = [feature.name for feature in CATALOGUE]
    return {
        symbol: {name: _known(value) for name, value in zip(names, row, strict=True)}
        for symbol, row in zip(symbols, values, strict=True)
    }


def _known(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)


def _shown(value: np.float32) -> str:
    return "-" if np.isnan(value) else f"{value:.5g}"


def compute(options: argparse.Namespace) -> int:
    """Compute all features of a file of bars."""
    index = read_bars_file(options.index)
    fear = read_bars_file(options.fear) if options.fear else None
    sectors = read_sectors(Path(options.sectors)) if options.sectors else None
    table = compute_features(
        read_bars_file(options.bars), index=index, fear=effective_fear(index, fear), sectors=sectors
    )
    write_table(frame_of_features(table), Path(options.out))
    return 0
