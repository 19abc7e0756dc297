"""``simulate``: the files of a market made by chance, to rehearse with."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from daemon.errors import UsageError
from daemon.formats import write_csv
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate

if TYPE_CHECKING:
    import argparse


def simulate_market(options: argparse.Namespace) -> int:
    """Write one CSV of bars a symbol, the sectors, and the true regimes."""
    try:
        start = date.fromisoformat(options.start)
    except ValueError as error:
        raise UsageError(f"{options.start!r} is not a date; write it like 2010-01-04") from error
    settings = SimulationSettings(symbols=options.symbols, days=options.days, start=start)
    market = simulate(settings, np.random.default_rng(options.seed))
    folder = Path(options.out)
    bars = folder / "bars"
    bars.mkdir(parents=True, exist_ok=True)
    for symbol in market.bars.symbols():
        write_csv(market.bars.of_symbol(symbol), bars / f"{symbol}.csv")
    _write(folder / "sectors.csv", ("symbol", "sector"), sorted(market.sectors.items()))
    truth = [(str(day), regime.value) for day, regime in zip(market.date, market.regime, strict=True)]
    _write(folder / "true_regimes.csv", ("date", "regime"), truth)
    print(f"{len(market.bars.symbols())} files in {bars}, {market.date[0]} to {market.date[-1]}. Next:")
    print(f'  in config.toml: [markets.sim] index = "{INDEX}", fear = "{FEAR}", calendar = "weekdays"')
    print(f"  regimed ingest {bars}/*.csv")
    return 0


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
