"""How heavy and how quick the daemon is: start, memory at rest, `status`, labels, one file to its label.

Everything is measured on real processes and files in a temporary directory.

    python benchmarks/runtime.py --json runtime.json
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.adapters.ledger import Ledger
from daemon.formats import write_csv
from regime.labels import label_days, labeler_named
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from registry.readonly import open_read_only

if TYPE_CHECKING:
    from collections.abc import Callable

    from regime.types import Bars

CONFIGURATION: Final = f"""
[markets.sim]
index = "{INDEX}"
fear = "{FEAR}"
calendar = "weekdays"
"""
YEARS_15: Final = 3780
WAIT_S: Final = 0.002
LIMIT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure: the median and the worst of its repetitions, beside what it should reach."""

    what: str
    median: float
    worst: float
    reach: float
    unit: str
    repetitions: int


def main() -> None:
    """Measure, print the table, and write it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.repetitions)
    print(f"{'what':<44}{'median':>10}{'worst':>10}{'reach':>10}  unit")
    for figure in figures:
        numbers = f"{figure.median:>10.1f}{figure.worst:>10.1f}{figure.reach:>10.0f}"
        print(f"{figure.what:<44}{numbers}  {figure.unit}")
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


def measure(repetitions: int) -> list[Figure]:
    """Give all figures."""
    market = simulate(SimulationSettings(symbols=2, days=YEARS_15), np.random.default_rng(1)).bars
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _prepare(root)
        starts = [_start_ms(root) for _ in range(5)]
        process = run_daemon(root)
        try:
            delays = _file_delays_ms(root, market, repetitions)
            resident = _resident_mib(process.pid)
            statuses = [_timed_ms(lambda: _status(root)) for _ in range(repetitions)]
        finally:
            stop_daemon(process)
    return [
        _figure("ready after start", starts, 1000, "ms"),
        _figure("idle daemon, resident", [resident], 100, "MiB"),
        _figure("regimed status", statuses, 100, "ms"),
        _figure("one day of 4 symbols, file to label", delays, 1000, "ms"),
        _figure("labels of 15 years, with fear", _label_ms(market, repetitions, fear=True), 50, "ms"),
        _figure("labels of 15 years, by proxy", _label_ms(market, repetitions, fear=False), 50, "ms"),
    ]


def _figure(what: str, values: list[float], reach: float, unit: str) -> Figure:
    return Figure(
        what=what,
        median=statistics.median(values),
        worst=max(values),
        reach=reach,
        unit=unit,
        repetitions=len(values),
    )


def _timed_ms(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def _prepare(root: Path) -> None:
    subprocess.run([sys.executable, "-m", "regimed", "init", str(root)], check=True, capture_output=True)
    (root / "config.toml").write_text(CONFIGURATION, encoding="utf-8")


def run_daemon(root: Path) -> subprocess.Popen[bytes]:
    """Start a daemon and return when it says that it started."""
    with (root / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "regimed", "run", "--dir", str(root)], stderr=log)
    _until(lambda: b"daemon.started" in (root / "log").read_bytes())
    return process


def stop_daemon(process: subprocess.Popen[bytes]) -> None:
    """End a daemon in order."""
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=LIMIT_S)


def _start_ms(root: Path) -> float:
    started = time.perf_counter()
    process = run_daemon(root)
    took = 1000 * (time.perf_counter() - started)
    stop_daemon(process)
    return took


def _until(done: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + LIMIT_S
    while not done():
        assert time.perf_counter() < deadline, "the daemon did not answer in time"
        time.sleep(WAIT_S)


def _file_delays_ms(root: Path, market: Bars, days: int) -> list[float]:
    """Drop all but the last days, then one day after the other; time each until its label is stored."""
    dates = np.unique(market.date)
    _drop(root, market.take(market.date < dates[-days]), "history.csv")
    _until(lambda: _labelled(root) == str(dates[-days - 1]))
    delays = []
    for day in dates[-days:]:
        write_csv(market.take(market.date == day), root / "day.csv")
        started = time.perf_counter()
        (root / "day.csv").replace(root / "inbox" / f"{day}.csv")
        _until(lambda day=day: _labelled(root) == str(day))  # type: ignore[misc]  # bound now
        delays.append(1000 * (time.perf_counter() - started))
    return delays


def _drop(root: Path, bars: Bars, name: str) -> None:
    write_csv(bars, root / name)
    (root / name).replace(root / "inbox" / name)


def _labelled(root: Path) -> str | None:
    with closing(open_read_only(root / "state" / "journal.db")) as connection:
        state = Ledger(connection).labeler_state("sim")
    return None if state is None else state.through_day


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _status(root: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "regimed", "status", "--dir", str(root)], check=True, capture_output=True
    )


def _label_ms(market: Bars, repetitions: int, *, fear: bool) -> list[float]:
    labeler = labeler_named("rules", has_fear=fear)
    index, fears = market.of_symbol(INDEX), market.of_symbol(FEAR) if fear else None
    return [_timed_ms(lambda: label_days(index, fears, labeler)) for _ in range(repetitions)]


if __name__ == "__main__":
    main()
