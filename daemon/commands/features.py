"""``features list`` and ``features compute``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.commands.context import print_json, print_table
from daemon.commands.tables import read_bars_file, write_table
from daemon.errors import UsageError
from regime.features import CATALOGUE, catalogue_hash, compute_features
from regime.frames import frame_of_features
from regime.labels import effective_fear

if TYPE_CHECKING:
    import argparse


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


def compute(options: argparse.Namespace) -> int:
    """Compute all features of a file of bars."""
    index = read_bars_file(options.index)
    fear = read_bars_file(options.fear) if options.fear else None
    sectors = _sectors(Path(options.sectors)) if options.sectors else None
    table = compute_features(
        read_bars_file(options.bars), index=index, fear=effective_fear(index, fear), sectors=sectors
    )
    write_table(frame_of_features(table), Path(options.out))
    return 0


def _sectors(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["symbol"]: row["sector"] for row in csv.DictReader(file)}
    except (KeyError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} needs the columns symbol and sector: {error}") from error
