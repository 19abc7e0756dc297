"""How fast history is replayed: days with and without a champion, retrainings, memory, growth with symbols.

Each case is ``regimed replay`` in a process of its own, from the first day to the report. What one more day
and one more retraining cost is the difference of two cases, so that what every replay pays once (imports,
reading the data, what was before the first day, the report) is left out.

    python -m benchmarks.replay --data bars/ --from 2014-01-02 --symbols 13 26 49 --json replay.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats.folder import read_folder
from daemon.settings import ScheduleSettings, Settings
from daemon.slots import next_slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.types import Bars

DAYS: Final = 240
"""Of the long cases; the short ones have a quarter of them."""
SOON: Final = timedelta(days=21)
LONG: Final = timedelta(days=365)
NEVER_CODE: Final = 2
"""How a replay ends that had no version to report on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is replayed: how many days, how many weeks from one training to the next, if any, how fast."""

    name: str
    days: int
    weeks: int | None
    fast: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one replay took in seconds, and the most memory of its process, without its children."""

    name: str
    symbols: int
    days: int
    retrainings: int
    wall_s: float
    peak_mib: float


def main() -> None:
    """Measure, print the tables, and write them as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of bar files")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, default=date(2014, 1, 2))
    parser.add_argument("--symbols", type=int, nargs="+", default=[13, 26, 49], help="the index not counted")
    parser.add_argument("--without", nargs="*", default=[], help="symbols that are never taken")
    parser.add_argument("--full", action="store_true", help="also one retraining of all eight models")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    bars, _ = read_folder(options.data)
    found = []
    for symbols in options.symbols:
        left_out = _left_out(bars, symbols, options.without)
        found += [_measured(options, bars, symbols, left_out, asked) for asked in _cases(options)]
    print(f"| symbols | {' | '.join(FIGURES)} |\n|---|{'---|' * len(FIGURES)}")
    for symbols in options.symbols:
        cases = {case.name: case for case in found if case.symbols == symbols}
        print(f"| {symbols} | {' | '.join(figures_of(cases))} |")
    if options.json:
        options.json.write_text(json.dumps([asdict(case) for case in found], indent=1))


FIGURES: Final = (
    "days a second, never trained",
    "days a second with a champion",
    "a retraining, fast",
    "MiB, fast",
    "MiB, full",
    "first training, full",
)


def figures_of(cases: dict[str, Case]) -> list[str]:
    """Give the cells of a table's row."""
    untrained = cases["untrained"].wall_s - cases["untrained, short"].wall_s
    once = cases["fast, once"].wall_s - cases["fast, once, short"].wall_s
    days = cases["fast, once"].days - cases["fast, once, short"].days
    more = cases["fast"].retrainings - cases["fast, once"].retrainings
    cells = [
        f"{days / untrained:.1f}",
        f"{days / once:.1f}",
        f"{(cases['fast'].wall_s - cases['fast, once'].wall_s) / more:.1f} s",
        f"{cases['fast'].peak_mib:.0f}",
    ]
    if (full := cases.get("full, once")) is None:
        return [*cells, "", ""]
    return [*cells, f"{full.peak_mib:.0f}", f"{full.wall_s - cases['untrained, short'].wall_s:.0f} s"]


def _cases(options: argparse.Namespace) -> list[Asked]:
    once = _weeks_of_one(options.first)
    cases = [
        Asked("untrained, short", DAYS // 4, None, fast=True),
        Asked("untrained", DAYS, None, fast=True),
        Asked("fast, once, short", DAYS // 4, once, fast=True),
        Asked("fast, once", DAYS, once, fast=True),
        Asked("fast", DAYS, 4, fast=True),
    ]
    return [*cases, Asked("full, once", DAYS // 4, once, fast=False)] if options.full else cases


def _weeks_of_one(first: date) -> int:
    """Give weeks between trainings with which one comes soon after the first day, and no other for a year."""
    begins = datetime.combine(first, time(), tzinfo=UTC)
    for weeks in range(60, 520):
        schedule = ScheduleSettings(every_weeks=weeks)
        slot = next_slot(schedule, begins)
        if slot - begins <= SOON and next_slot(schedule, slot) - begins > LONG:
            return weeks
    raise AssertionError(f"no schedule trains soon after {first}")


def _left_out(bars: Bars, symbols: int, without: Sequence[str]) -> list[str]:
    """Give who is left out so that so many symbols are there beside those of the market's own index."""
    market = next(iter(Settings().markets.values()))
    own = {market.index, market.fear}
    others = [name for name in bars.symbols() if name not in own and name not in without]
    return [*without, *others[symbols:]]


def _measured(
    options: argparse.Namespace, bars: Bars, symbols: int, left_out: Sequence[str], asked: Asked
) -> Case:
    dates = np.unique(bars.date[bars.date >= np.datetime64(options.first)])
    schedule = "enabled = false" if asked.weeks is None else f"every_weeks = {asked.weeks}"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "config.toml").write_text(f"[schedule]\n{schedule}\n", encoding="utf-8")
        command = [sys.executable, "-m", "regimed", "replay", "--data", options.data]
        command += ["--config", root / "config.toml", "--into", root / "replay"]
        command += ["--from", str(dates[0]), "--to", str(dates[asked.days - 1]), "--without", *left_out]
        began = perf_counter()
        process = subprocess.Popen(
            [*map(str, command), *(["--fast"] if asked.fast else [])],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        said = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        wall_s = perf_counter() - began
        if os.waitstatus_to_exitcode(status) != (NEVER_CODE if asked.weeks is None else 0):
            sys.exit(said.decode())
        case = Case(
            name=asked.name,
            symbols=symbols,
            days=asked.days,
            retrainings=len(list((root / "replay" / "state" / "runs").glob("r*"))),
            wall_s=wall_s,
            peak_mib=used.ru_maxrss / 1024,
        )
    print(case, file=sys.stderr, flush=True)
    return case


if __name__ == "__main__":
    main()
