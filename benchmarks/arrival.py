"""How long a file takes from being closed in the inbox to its labels and features being in the journal.

A real daemon on a temporary directory gets years of history, and then one file a day with all symbols, the
index and the fear index, as a user would drop them: half are renamed into the inbox, half written there.
Time runs from the close of the file to the commit that holds the day's label and its features, as another
process sees it.

    python -m benchmarks.arrival --symbols 53 --years 15 --days 200 --json arrival.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.runtime import CONFIGURATION, LIMIT_S, run_daemon, stop_daemon
from daemon.formats import parquet_bytes, write_csv
from regime.simulator import SimulationSettings, simulate
from registry.readonly import open_read_only

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from regime.types import Bars

LOOK_S: Final = 0.0005
REST_S: Final = 0.25
"""Between two files, so that each meets an idle daemon."""
REACH_MS: Final = 50.0
STEPS: Final = {
    "taken (copied, hashed, known)": "SELECT 1 FROM messages WHERE kind = 'file_arrived' AND id > ?",
    "stored (parsed, checked)": "SELECT 1 FROM messages WHERE kind = 'bars_arrived' AND id > ?",
    "labelled": "SELECT 1 FROM messages WHERE kind = 'features_due' AND id > ?",
    "features, all in the journal": (
        "SELECT 1 FROM messages WHERE kind = 'features_due' AND state = 'done' AND id > ?"
    ),
}


def main() -> None:
    """Measure, print the table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=53)
    parser.add_argument("--years", type=int, default=15)
    parser.add_argument("--days", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.symbols, options.years, options.days)
    print(f"{options.days} files of one day, {options.symbols} symbols, {options.years} years of history; ms")
    print(f"{'from the close of the file until':<36}{'median':>9}{'p99':>9}{'worst':>9}")
    for name, values in figures.items():
        ordered = sorted(values)
        p99 = float(np.percentile(ordered, 99))
        print(f"{name:<36}{statistics.median(ordered):>9.1f}{p99:>9.1f}{ordered[-1]:>9.1f}")
    print(f"reach: p99 of the last line below {REACH_MS:.0f} ms")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def measure(symbols: int, years: int, days: int) -> dict[str, list[float]]:
    """Give for each step the milliseconds since the file was closed, of every file."""
    settings = SimulationSettings(symbols=symbols, days=252 * years)
    market = simulate(settings, np.random.default_rng(1)).bars
    dates = np.unique(market.date)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run([sys.executable, "-m", "regimed", "init", str(root)], check=True, capture_output=True)
        (root / "config.toml").write_text(CONFIGURATION, encoding="utf-8")
        process = run_daemon(root)
        try:
            with closing(open_read_only(root / "state" / "journal.db")) as journal:
                _drop_history(root, journal, market.take(market.date < dates[-days]))
                return _drop_days(root, journal, market, dates[-days:])
        finally:
            stop_daemon(process)


def _drop_history(root: Path, journal: sqlite3.Connection, bars: Bars) -> None:
    path = root / "history.parquet"
    path.write_bytes(parquet_bytes(bars))
    path.replace(root / "inbox" / path.name)
    _until(journal, "SELECT 1 FROM messages WHERE kind = 'features_due' AND state = 'done' AND id > ?", 0)
    _until_idle(journal)


def _drop_days(
    root: Path, journal: sqlite3.Connection, market: Bars, days: np.ndarray
) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in STEPS}
    for number, day in enumerate(days):
        time.sleep(REST_S)
        _until_idle(journal)
        last = journal.execute("SELECT max(id) FROM messages").fetchone()[0]
        closed = _written if number % 2 else _renamed
        started = closed(root, market.take(market.date == day), f"{day}.csv")
        for name, query in STEPS.items():
            _until(journal, query, last)
            figures[name].append(1000 * (time.perf_counter() - started))
    return figures


def _renamed(root: Path, bars: Bars, name: str) -> float:
    write_csv(bars, root / name)
    started = time.perf_counter()
    (root / name).replace(root / "inbox" / name)
    return started


def _written(root: Path, bars: Bars, name: str) -> float:
    write_csv(bars, root / name)
    content = (root / name).read_bytes()
    with (root / "inbox" / name).open("wb") as file:
        file.write(content)
    return time.perf_counter()


def _until_idle(journal: sqlite3.Connection) -> None:
    _wait(lambda: not journal.execute("SELECT 1 FROM messages WHERE state = 'pending'").fetchone())


def _until(journal: sqlite3.Connection, query: str, last: int) -> None:
    _wait(lambda: journal.execute(query, (last,)).fetchone() is not None)


def _wait(done: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + LIMIT_S
    while not done():
        assert time.perf_counter() < deadline, "the daemon did not answer in time"
        time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
