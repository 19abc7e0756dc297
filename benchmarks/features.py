"""How quick features are: regimed beside pandas, polars, TA-Lib and ``ta``, in one run on the same panel.

    python -m benchmarks.features [--quick] [--data DIR --index NAME --fear NAME] [--json FILE]

Without ``--data`` the panel is simulated, 60 symbols x 5,000 days. With it, all files of the directory are
read that regimed's formats read; symbols with a hole between their first bar and the panel's last day are
left out, because wide frames of days cannot say "five bars ago" then. polars, TA-Lib and ``ta`` are measured
where they are installed (``pip install polars TA-Lib ta``); nothing else needs them.

Each contestant runs in a process of its own, one after the other, with one thread unless said otherwise:
once cold, once to warm up, then several times, of which the best and the median are shown. A cell is one
value of one row and column; ns a cell are those of the columns that the contestant gave. The limit is to
write an output of the same size, again and again, into memory that the process already has; "first" is
regimed's first run, with pages that are fresh from the system and a catalogue that is not yet compiled.
Memory of the results is given back between runs, as a caller would; in the rows "memory kept" the C library
is told to keep it (``MALLOC_MMAP_THRESHOLD_``), so that the system does not clear it anew for each run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.formats import read_bars
from regime.features import CATALOGUE, compute_features
from regime.features.state import FeatureState
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from regime.types import BAR_FIELDS, Bars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.pandas_features import Market

DTYPES: Final[dict[str, type[np.floating]]] = {"float32": np.float32, "float64": np.float64}
KEPT_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(2**33), "MALLOC_TRIM_THRESHOLD_": str(2**34)}
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RTOL: Final = 1e-6
ATOL: Final = 1e-9
NEAR_ZERO: Final = 1e-10
LEAST_SCALE: Final = 1e-3
"""Values nearer to zero count as this when a difference is related to them."""
HISTORY: Final = 600
"""Days that a state of 500 symbols begins with."""
SHARED_FEW: Final = 8
"""Repetitions of what takes seconds are fewer by this factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Time of one contestant in ns a cell, and how many times those of the limit and of regimed that is."""

    what: str
    columns: int
    best: float
    median: float
    first: float
    x_limit: float | None = None
    x_regimed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """What a child process measured: seconds of the first run and of the later ones, of so many cells."""

    columns: int
    rows: int
    first_s: float
    later_s: tuple[float, ...]

    def figure(self, what: str) -> Figure:
        """Give it a cell."""
        ns = 1e9 / (self.columns * self.rows)
        return Figure(
            what=what,
            columns=self.columns,
            best=ns * min(self.later_s),
            median=ns * statistics.median(self.later_s),
            first=ns * self.first_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Bars of symbols, of the index and of fear, and the symbols' sectors."""

    bars: Bars
    index: Bars
    fear: Bars
    sectors: Mapping[str, str]

    def compute(self, threads: int = 1, dtype: type[np.floating] = np.float64) -> NDArray[np.floating]:
        """Give the features, shape (n_rows, n_features)."""
        return compute_features(
            self.bars, index=self.index, fear=self.fear, sectors=self.sectors, threads=threads, dtype=dtype
        ).values

    def save(self, file: Path) -> None:
        """Write it for the child processes."""
        parts = {"bars": self.bars, "index": self.index, "fear": self.fear}
        arrays = {
            f"{name}_{column}": getattr(part, column)
            for name, part in parts.items()
            for column in ("symbol", "date", *BAR_FIELDS)
        }
        np.savez(file, sectors=np.array(list(self.sectors.items()), dtype=np.str_).reshape(-1, 2), **arrays)

    @classmethod
    def load(cls, file: Path) -> Panel:
        """Read what was saved."""
        with np.load(file) as stored:
            arrays = dict(stored)
        parts = {
            name: Bars(**{c: arrays[f"{name}_{c}"] for c in ("symbol", "date", *BAR_FIELDS)})
            for name in ("bars", "index", "fear")
        }
        return cls(**parts, sectors=dict(arrays["sectors"].tolist()))


def simulated(symbols: int, days: int) -> Panel:
    """Give a panel by chance, the same one for the same size."""
    market = simulate(SimulationSettings(symbols=symbols, days=days), np.random.default_rng(1))
    own = (market.bars.symbol != INDEX) & (market.bars.symbol != FEAR)
    return Panel(
        bars=market.bars.take(own),
        index=market.bars.of_symbol(INDEX),
        fear=market.bars.of_symbol(FEAR),
        sectors=market.sectors,
    )


def stored(folder: Path, index: str, fear: str) -> Panel:
    """Give the bars of all files, on the days of the index, of symbols without holes."""
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    every = Bars.concat([read_bars(path, name=path.name).bars for path in files])
    days = every.of_symbol(index).date
    names, ends = [], {index, fear}
    for symbol in every.symbols():
        own = every.of_symbol(symbol).date
        is_whole = np.array_equal(own[np.isin(own, days)], days[days >= own[0]])
        names += [symbol] if is_whole and symbol not in ends else []
    left_out = sorted(set(every.symbols()) - set(names) - ends)
    print(f"{len(names)} symbols; left out for holes: {', '.join(left_out) or 'none'}")
    return Panel(
        bars=every.take(np.isin(every.symbol, names) & np.isin(every.date, days)),
        index=every.of_symbol(index),
        fear=every.of_symbol(fear),
        sectors={},
    )


def timed(work: Callable[[], object], columns: int, rows: int, repetitions: int) -> Timings:
    """Time the first run; after another one, so many more."""
    first, *later = [seconds(work) for _ in range(repetitions + 2)]
    return Timings(columns=columns, rows=rows, first_s=first, later_s=tuple(later[1:]))


def seconds(work: Callable[[], object]) -> float:
    """Give how long something takes, the release of what it gave included."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# What child processes do, by name; each prints its result as JSON.


def time_regimed(panel: Panel, repetitions: int, dtype: str) -> dict[str, object]:
    """Time one and two threads in turn, so that both meet the same machine."""
    panel_timings = {
        threads: [seconds(lambda n=threads: panel.compute(n, DTYPES[dtype])) for _ in range(2)]  # type: ignore[misc]  # bound now
        for threads in (1, 2)
    }
    for _ in range(repetitions):
        for threads, taken in panel_timings.items():
            taken.append(seconds(lambda n=threads: panel.compute(n, DTYPES[dtype])))  # type: ignore[misc]  # bound now
    return {
        str(threads): Timings(
            columns=len(CATALOGUE), rows=len(panel.bars), first_s=taken[0], later_s=tuple(taken[2:])
        )
        for threads, taken in panel_timings.items()
    }


def time_numpy_engine(panel: Panel, repetitions: int, dtype: str) -> dict[str, object]:
    """Time the engine in numpy; the caller hid the compiled one."""
    work = lambda: panel.compute(1, DTYPES[dtype])  # noqa: E731 - it is timed
    return {"1": timed(work, len(CATALOGUE), len(panel.bars), max(3, repetitions // SHARED_FEW))}


def time_limit(panel: Panel, repetitions: int, dtype: str) -> dict[str, object]:
    """Time what only writes an output of this size, into memory that is there and into fresh memory."""
    shape = (len(CATALOGUE), len(panel.bars))
    output = np.empty(shape, dtype=DTYPES[dtype])
    fresh = lambda: np.empty(shape, dtype=DTYPES[dtype]).fill(1.0)  # noqa: E731 - it is timed
    return {
        "there": timed(lambda: output.fill(1.0), *shape, repetitions),
        "fresh": timed(fresh, *shape, repetitions),
    }


def time_pandas(panel: Panel, repetitions: int, _dtype: str) -> dict[str, object]:
    """Time pandas with what features share computed once, and each for itself; compare the values."""
    from benchmarks.pandas_features import Market, pandas_features  # noqa: PLC0415 - only this child needs it

    market = Market.of(panel.bars, panel.index, panel.fear, panel.sectors)
    few = max(3, repetitions // SHARED_FEW)
    shape = (len(CATALOGUE), len(panel.bars))
    return {
        "shared": timed(lambda: pandas_features(market), *shape, few),
        "alone": timed(lambda: pandas_features(market, shared=False), *shape, 1),
        "differences": differences(panel, market),
    }


def differences(panel: Panel, market: Market) -> dict[str, tuple[int, float, float]]:
    """Give by kernel the cells compared, the share that differs, and the largest relative difference."""
    from benchmarks.pandas_features import kernels_of, pandas_features  # noqa: PLC0415 - see above

    ours = panel.compute()
    is_bar = market.fields["close"].notna().to_numpy().T
    found: defaultdict[str, list[tuple[int, int, float]]] = defaultdict(list)
    for column, (feature, frame) in enumerate(zip(CATALOGUE, pandas_features(market).values(), strict=True)):
        theirs = np.broadcast_to(frame.to_numpy(np.float64).T, is_bar.shape)[is_bar]
        theirs = np.where(np.abs(theirs) < NEAR_ZERO, 0.0, theirs)
        mine, known = ours[:, column], ~np.isnan(ours[:, column])
        away = np.where(np.isnan(theirs) == ~known, 0.0, np.inf)
        away[known] = np.abs(theirs - mine)[known]
        scale = np.where(known, np.abs(mine), 0.0)
        differs = ~(away <= ATOL + RTOL * scale)
        relative = float(np.max(away / np.maximum(scale, LEAST_SCALE), initial=0.0))
        found[kernels_of(feature)[0]].append((len(away), int(differs.sum()), relative))
    return {
        kernel: (
            sum(c for c, _, _ in of),
            sum(d for _, d, _ in of) / sum(c for c, _, _ in of),
            max(r for *_, r in of),
        )
        for kernel, of in sorted(found.items())
    }


def time_peer(panel: Panel, repetitions: int, peer: str) -> dict[str, object]:
    """Time a peer that may be missing; nothing if it is."""
    from benchmarks import feature_peers  # noqa: PLC0415 - only this child needs it
    from benchmarks.pandas_features import Market  # noqa: PLC0415 - see above

    if not feature_peers.is_installed(peer):
        return {}
    prepare = {
        "polars": feature_peers.polars_work,
        "talib": feature_peers.talib_work,
        "ta": feature_peers.ta_work,
    }[peer]
    work, columns, rows = prepare(Market.of(panel.bars, panel.index, panel.fear, panel.sectors))
    return {"1": timed(work, columns, rows, max(3, repetitions // SHARED_FEW))}


def time_compile(panel: Panel, _repetitions: int, _dtype: str) -> dict[str, object]:
    """Time the first features of one bar, which compiles the catalogue, and the same again; in ms."""
    bar = panel.bars.take(slice(0, 1))
    work = lambda: compute_features(bar, index=panel.index.take(slice(0, 1)))  # noqa: E731 - it is timed
    return {"compiled_ms": 1000 * (seconds(work) - seconds(work))}


def time_days(panel: Panel, repetitions: int, threads: str) -> dict[str, object]:
    """Time day after day of a feature state, the rows of one day of all symbols at a time."""
    days = np.unique(panel.bars.date)
    begun = panel.bars.take(panel.bars.date < days[-repetitions])
    before = panel.index.date < days[-repetitions]
    state = FeatureState(
        begun, index=panel.index.take(before), fear=panel.fear.take(before), sectors=panel.sectors
    )
    taken = []
    for day in days[-repetitions:]:
        new, known = panel.bars.take(panel.bars.date == day), panel.index.date <= day
        index, fear = panel.index.take(known), panel.fear.take(known)
        taken.append(
            seconds(lambda n=new, i=index, f=fear: state.update(n, index=i, fear=f, threads=int(threads)))  # type: ignore[misc]  # bound now
        )
    warm = [1000 * second for second in taken[5:]]
    return {
        "median_ms": statistics.median(warm),
        "p99_ms": float(np.percentile(warm, 99)),
        "days": len(warm),
        "symbols": len(new),
    }


CHILDREN: Final[dict[str, Callable[[Panel, int, str], dict[str, object]]]] = {
    "regimed": time_regimed,
    "numpy": time_numpy_engine,
    "limit": time_limit,
    "pandas": time_pandas,
    "peer": time_peer,
    "compile": time_compile,
    "days": time_days,
}


def run_child(
    name: str, panel: Path, repetitions: int, argument: str = "", **environment: str
) -> dict[str, object]:
    """Give what a child process measured; the child of the engine in numpy knows no compiled one."""
    started = ["-c", WITHOUT_ENGINE] if name == "numpy" else ["-m", "benchmarks.features"]
    command = [sys.executable, *started, "--child", name, str(panel), str(repetitions), argument]
    own = os.environ | ONE_THREAD | environment
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=own).stdout
    told: dict[str, object] = json.loads(answer)
    return told


WITHOUT_ENGINE: Final = """
import runpy, sys
sys.modules["regime.features._engine"] = None
runpy.run_module("benchmarks.features", run_name="__main__", alter_sys=True)
"""


def figures_of(panel: Path, repetitions: int) -> tuple[list[Figure], dict[str, object]]:
    """Measure every contestant; give their figures and how pandas' values differ."""
    found: list[Figure] = []
    limits: dict[str, float] = {}
    for dtype in DTYPES:
        limit = run_child("limit", panel, repetitions, dtype)
        limits[dtype] = figure(limit["there"], "").best
        found += [
            figure(limit["there"], f"limit: write the output, {dtype}"),
            figure(limit["fresh"], f"limit: the same, fresh memory, {dtype}"),
        ]
        for kept, environment in (("", {}), (", memory kept", KEPT_MEMORY)):
            told = run_child("regimed", panel, repetitions, dtype, **environment)
            found += [
                with_limit(figure(told[threads], f"regimed, {dtype}, {named(threads)}{kept}"), limits[dtype])
                for threads in ("1", "2")
            ]
    told = run_child("numpy", panel, repetitions, "float64")
    found.append(with_limit(figure(told["1"], "regimed without a compiler, float64"), limits["float64"]))
    told = run_child("pandas", panel, repetitions)
    found.append(figure(told["shared"], "pandas, shared parts computed once"))
    found.append(figure(told["alone"], "pandas, each feature for itself"))
    reference = next(f.best for f in found if f.what == "regimed, float64, 1 thread")
    for peer, threads, text in PEERS:
        measured = run_child("peer", panel, repetitions, peer, POLARS_MAX_THREADS=threads)
        found += [figure(measured["1"], text)] if measured else []
        print("" if measured else f"{peer} is not installed\n", end="")
    return [with_regimed(each, reference) for each in found], dict(differences_told(told["differences"]))


PEERS: Final = (
    ("polars", "1", "polars, what it has natively, 1 thread"),
    ("polars", "2", "polars, what it has natively, 2 threads"),
    ("talib", "1", "TA-Lib, four groups, float64"),
    ("ta", "1", "ta, all features, one symbol"),
)


def named(threads: str) -> str:
    """Give the number of threads in words."""
    return f"{threads} thread" + ("s" if threads != "1" else "")


def figure(told: object, what: str) -> Figure:
    """Give what a child told of one contestant."""
    assert isinstance(told, dict)
    later = tuple(float(second) for second in told["later_s"])
    timings = Timings(columns=told["columns"], rows=told["rows"], first_s=told["first_s"], later_s=later)
    return timings.figure(what)


def with_limit(of: Figure, limit: float) -> Figure:
    """Add how many times as long as the limit it takes."""
    return replace(of, x_limit=of.best / limit)


def with_regimed(of: Figure, reference: float) -> Figure:
    """Add how many times as long as regimed a peer takes."""
    is_peer = not of.what.startswith(("regimed", "limit"))
    return replace(of, x_regimed=of.best / reference) if is_peer else of


def differences_told(told: object) -> Mapping[str, object]:
    """Give what the child of pandas told by kernel."""
    assert isinstance(told, dict)
    return told


def growth(folder: Path, repetitions: int, scale: float) -> list[Figure]:
    """Give regimed's figures for more and more symbols, and for more and more days; the same is linear."""
    sizes = [(symbols, 2500) for symbols in (15, 30, 60, 120)]
    sizes += [(30, days) for days in (1250, 2500, 5000, 10_000)]
    found = []
    for symbols, days in sizes:
        file = folder / "growth.npz"
        simulated(symbols, int(days * scale)).save(file)
        told = run_child("regimed", file, repetitions, "float32", **KEPT_MEMORY)
        found.append(figure(told["1"], f"{symbols} symbols x {int(days * scale)} days"))
    return found


def new_days(folder: Path, days: int) -> dict[str, dict[str, object]]:
    """Give the time of one new day of 500 symbols, with one thread and with two."""
    file = folder / "days.npz"
    simulated(500, HISTORY + days + 5).save(file)
    return {threads: run_child("days", file, days + 5, threads) for threads in ("1", "2")}


def show_threads(found: Sequence[Figure]) -> None:
    """Print how many times as fast two threads are as one."""
    best = {each.what: each.best for each in found}
    for what, one in best.items():
        two = best.get(what.replace("1 thread", "2 threads"))
        if "1 thread" in what and two:
            print(f"{what}: two threads are {one / two:.2f} x as fast")


def show(found: Sequence[Figure]) -> None:
    """Print figures as a table."""
    print(
        f"{'ns a cell':<48}{'columns':>8}{'best':>8}{'median':>8}{'first':>8}{'x limit':>9}{'x regimed':>11}"
    )
    for each in found:
        ratios = [f"{ratio:.1f}" if ratio else "" for ratio in (each.x_limit, each.x_regimed)]
        numbers = f"{each.best:>8.2f}{each.median:>8.2f}{each.first:>8.2f}"
        print(f"{each.what:<48}{each.columns:>8}{numbers}{ratios[0]:>9}{ratios[1]:>11}")


def show_differences(kernels: Mapping[str, object]) -> None:
    """Print by window kernel how pandas' values differ from regimed's."""
    print(f"\n{'pandas beside regimed, by outermost kernel':<48}{'cells':>12}{'differ':>12}{'largest':>12}")
    for kernel, told in kernels.items():
        assert isinstance(told, list)
        cells, share, largest = told
        print(f"{kernel:<48}{cells:>12,}{share:>12.1e}{largest:>12.1e}")


def main() -> None:
    """Measure, print the tables, and write them as JSON if asked."""
    options = arguments()
    if options.child:
        name, file, repetitions, argument = options.child
        told = CHILDREN[name](Panel.load(Path(file)), int(repetitions), argument)
        print(json.dumps(told, default=asdict))
        return
    repetitions = 5 if options.quick else options.repetitions
    size = (20, 1250) if options.quick else (60, 5000)
    panel = stored(options.data, options.index, options.fear) if options.data else simulated(*size)
    print(f"{len(panel.bars.symbols())} symbols, {len(panel.bars)} rows, {len(CATALOGUE)} features\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        panel.save(folder / "panel.npz")
        found, kernels = figures_of(folder / "panel.npz", repetitions)
        compiled = run_child("compile", folder / "panel.npz", 1)
        show(found)
        show_threads(found)
        show_differences(kernels)
        grown = growth(folder, repetitions, 0.2 if options.quick else 1.0)
        print("\nregimed, float32, 1 thread, memory kept: growth")
        show(grown)
        days = new_days(folder, 50 if options.quick else 100)
    report = {
        "figures": [asdict(each) for each in found],
        "growth": [asdict(each) for each in grown],
        "pandas": kernels,
        "one_new_day": days,
        "compile": compiled,
    }
    print(f"\ncompiling the catalogue, once in a process: {compiled['compiled_ms']:.0f} ms")
    for threads, day in days.items():
        print(f"one new day of {day['symbols']} symbols, {named(threads)}: {day['median_ms']:.2f} ms", end="")
        print(f" (median of {day['days']}), p99 {day['p99_ms']:.2f} ms")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a directory of bar files, or one file")
    parser.add_argument("--index", default="^GSPC", help="the symbol of the index among them")
    parser.add_argument("--fear", default="^VIX", help="the symbol of the fear index among them")
    parser.add_argument("--repetitions", type=int, default=24)
    parser.add_argument("--quick", action="store_true", help="a small panel and few repetitions")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
