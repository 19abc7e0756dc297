"""How much training costs: each model alone, and eight models x 5 folds beside plain choices, in one run.

    python -m benchmarks.training [--quick] [--data DIR --index NAME --fear NAME] [--rows N]
                                  [--peers-rows N | --no-peers] [--cached] [--json FILE]

Without ``--data`` the rows are of a simulated market: 179 features, the classes of the reference target,
eight symbols on the same days, 24,000 rows. With it they are spread evenly over the rows of real bars.

Each model is fitted on all rows and predicts 5,000, in a process of its own with one thread: CPU seconds and
the largest resident memory (``ru_maxrss``), beside that of a process that has only loaded libraries and rows.
Then all eight are fitted on five expanding walk-forward folds in two processes, as a training run does it.

Plain choices are what most people write first, with everything that scikit-learn, XGBoost and LightGBM choose
by themselves; see ``benchmarks/plain_models.py``. They take long: ``--peers-rows`` runs both on fewer rows
(the table says how many), and what they would take on all rows is not guessed. CPU seconds hold on a busy
machine, wall times do not; the load before and after stands in the report.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.children.fit_cache import FitCache, versions_salt
from daemon.children.fits import Fits, fit_and_pack, local_processes
from daemon.formats.folder import read_folder
from regime.features import catalogue_hash, compute_features
from regime.fit_jobs import FINAL, FitJob, job_seed
from regime.labels import effective_fear, label_days, labeler_named
from regime.models import MODELS, fit
from regime.simulator import FEAR, INDEX, SimulationSettings, simulate
from regime.targets import compute_targets, target_named
from regime.training_set import build_training_set
from regime.validation import WalkForward
from regime.weights import regime_weights, weights_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from regime.types import Bars
    from regime.validation import Fold

ROWS: Final = 24_000
PREDICTED: Final = 5_000
SYMBOLS: Final = 8
FOLDS: Final = 5
PROCESSES: Final = 2
REFIT_DAYS: Final = 21
"""How much later a refit comes, in calendar days."""
SEED: Final = 20240106
CLASSES: Final = 3
OURS, PLAIN, NOTHING = "ours", "plain", "nothing"
REACH_S: Final = 200.0
REACH_CACHED_S: Final = 70.0
REACH_MIB: Final = 3072.0
SAMPLE_S: Final = 1.0
ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """What one model costs: CPU seconds of the fit and of 5,000 predictions, and the process's memory."""

    model: str
    rows: int
    fit_s: float
    predict_s: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldsCost:
    """What eight models x the folds cost in two processes; memory is that of all processes together.

    ``failed`` names the fits that failed, which make a run look cheap.
    """

    what: str
    rows: int
    fits: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Training rows in date order."""

    date: NDArray[np.datetime64]
    horizon_end: NDArray[np.datetime64]
    X: NDArray[np.float32]
    y: NDArray[np.int64]
    regime: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.y)

    def thinned(self, count: int) -> Rows:
        """Give so many rows, spread evenly over all."""
        at = np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.intp)
        return Rows(**{name: getattr(self, name)[at] for name in self.__slots__})

    def until(self, day: np.datetime64) -> Rows:
        """Give the rows whose horizon is over by a day."""
        at = self.horizon_end <= day
        return Rows(**{name: getattr(self, name)[at] for name in self.__slots__})

    def save(self, file: Path) -> None:
        """Write them for the child processes."""
        np.savez(file, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, file: Path) -> Rows:
        """Read what was saved."""
        with np.load(file) as stored:
            return cls(**stored)

    def weights(self, at: slice | NDArray[np.intp]) -> NDArray[np.float64]:
        """Give the default weights of some rows."""
        regime = self.regime[at]
        return regime_weights(regime, weights_named("reference", regime))


def simulated(rows: int) -> Rows:
    """Give rows of a market by chance, the same ones for the same number."""
    days = rows // SYMBOLS + 320  # the first year warms up, the last days have no outcome
    market = simulate(SimulationSettings(symbols=SYMBOLS, days=days), np.random.default_rng(1))
    own = (market.bars.symbol != INDEX) & (market.bars.symbol != FEAR)
    return rows_of(market.bars.take(own), market.bars.of_symbol(INDEX), market.bars.of_symbol(FEAR))


def stored(folder: Path, index: str, fear: str) -> Rows:
    """Give rows of the bars of all files of a folder."""
    every, _ = read_folder(folder)
    own = (every.symbol != index) & (every.symbol != fear)
    return rows_of(every.take(own), every.of_symbol(index), every.of_symbol(fear))


def rows_of(bars: Bars, index: Bars, fear: Bars) -> Rows:
    """Give the rows that a training run would have."""
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    features = compute_features(bars, index=index, fear=effective_fear(index, fear), dtype=np.float32)
    targets = compute_targets(bars, target_named("reference"))
    rows, _ = build_training_set(features, bars, targets, labels, feature_hash=catalogue_hash())
    return Rows(date=rows.date, horizon_end=rows.horizon_end, X=rows.X, y=rows.y, regime=rows.regime)


# What child processes do, by name; each prints its result as JSON.


def measure_model(rows: Rows, recipe: str, model: str) -> ModelCost:
    """Fit one model on all rows and predict the last 5,000."""
    started = time.process_time()
    predict: Callable[[NDArray[np.float32]], object] = lambda X: X  # noqa: E731 - for the empty process
    if recipe != NOTHING:
        predict = fitted(recipe, model, rows)
    trained = time.process_time()
    predict(rows.X[-PREDICTED:])
    return ModelCost(
        model=model,
        rows=len(rows),
        fit_s=trained - started,
        predict_s=time.process_time() - trained,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def fitted(recipe: str, model: str, rows: Rows) -> Callable[[NDArray[np.float32]], object]:
    """Fit by a recipe, and give what predicts."""
    if recipe == OURS:
        weights = rows.weights(slice(None))
        made = fit(model, rows.X, rows.y, sample_weight=weights, n_classes=CLASSES, seed=SEED)
        return made.predict_proba
    from benchmarks.plain_models import fit_plain  # noqa: PLC0415 - only these children need it

    predict: Callable[[NDArray[np.float32]], object] = fit_plain(model, rows.X, rows.y).predict_proba
    return predict


def measure_folds(rows: Rows, recipe: str, _: str) -> FoldsCost:
    """Fit all models on all folds, side by side in two processes, as a training run does."""
    import joblib  # noqa: PLC0415 - only this child needs it
    from joblib.externals.loky import get_reusable_executor  # noqa: PLC0415 - see above

    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        parallel = joblib.Parallel(n_jobs=PROCESSES, return_as="generator_unordered", temp_folder=scratch)
        told = list(parallel(joblib.delayed(run_job)(job, recipe) for job in jobs(rows)))
        wall_s = time.perf_counter() - started
        get_reusable_executor().shutdown(wait=True)
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return FoldsCost(
        what=recipe,
        rows=len(rows),
        fits=len(told),
        wall_s=wall_s,
        cpu_s=sum(usage.ru_utime + usage.ru_stime for usage in (own, children)),
        peak_mib=0.0,
        failed=tuple(failure for failure in told if failure),
    )


def jobs(rows: Rows) -> Iterator[FitJob]:
    """Yield the fits, fold by fold."""
    for fold in five_folds(rows):
        X, y, X_validate = rows.X[fold.train], rows.y[fold.train], rows.X[fold.validate]
        for model in MODELS:
            yield FitJob(
                model=model,
                fold=fold.name,
                X=X,
                y=y,
                sample_weight=rows.weights(fold.train),
                X_validate=X_validate,
                n_classes=CLASSES,
                seed=job_seed(SEED, model, fold.name),
            )


def five_folds(rows: Rows) -> tuple[Fold, ...]:
    """Give the last five folds of calendar blocks of about a sixth of the history."""
    sessions = np.unique(rows.date)
    years = int(np.ptp(rows.date.astype("datetime64[Y]").astype(np.int64))) + 1
    walk = WalkForward(fold_years=max(1, years // (FOLDS + 1)), train_years_min=1.0)
    folds = walk.folds(rows.date, rows.horizon_end, sessions)
    return folds[-FOLDS:]


def run_job(job: FitJob, recipe: str) -> str | None:
    """Run a fit, and give the failure if it failed."""
    if recipe == OURS:
        failure = job.run().failure
    else:
        from benchmarks.plain_models import fit_plain  # noqa: PLC0415 - only these children need it

        assert job.X_validate is not None
        fit_plain(job.model, job.X, job.y).predict_proba(job.X_validate)
        failure = None
    return None if failure is None else f"{job.model} {job.fold}: {failure}"


def measure_cached(rows: Rows, _recipe: str, _: str) -> FoldsCost:
    """Fit all folds and the final models, keep them, and measure the same three weeks later.

    The folds are kept: what has changed are the rows that the newest predicts, and the final models' rows.
    """
    newest = rows.date.max() - np.timedelta64(REFIT_DAYS, "D")
    earlier = rows.until(newest)
    with tempfile.TemporaryDirectory() as folder:
        cache = FitCache(Path(folder) / "fits", versions_salt(), 8192)
        with local_processes(PROCESSES, Path(folder) / "arrays", fit_and_pack) as backend:
            list(Fits(backend, cache)([*jobs(earlier), *final_jobs(earlier)]))
            before = cpu_seconds()
            started = time.perf_counter()
            results = list(Fits(backend, cache)([*jobs(rows), *final_jobs(rows)]))
            wall_s = time.perf_counter() - started
    return FoldsCost(
        what="cached",
        rows=len(rows),
        fits=len(results),
        wall_s=wall_s,
        cpu_s=cpu_seconds() - before,
        peak_mib=0.0,
        failed=tuple(f"{each.model} {each.fold}: {each.failure}" for each in results if each.failure),
    )


def cpu_seconds() -> float:
    """Give the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def final_jobs(rows: Rows) -> Iterator[FitJob]:
    """Yield the fits on all rows, whose models are kept."""
    for model in MODELS:
        yield FitJob(
            model=model,
            fold=FINAL,
            X=rows.X,
            y=rows.y,
            sample_weight=rows.weights(slice(None)),
            X_validate=None,
            n_classes=CLASSES,
            seed=job_seed(SEED, model, FINAL),
        )


CHILDREN: Final[dict[str, Callable[[Rows, str, str], ModelCost | FoldsCost]]] = {
    "model": measure_model,
    "folds": measure_folds,
    "cached": measure_cached,
}


def run_child(name: str, file: Path, recipe: str, model: str = "", **environment: str) -> dict[str, object]:
    """Give what a child process measured, and the most memory that it and its children had together."""
    command = [sys.executable, "-m", "benchmarks.training", "--child", name, str(file), recipe, model]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | environment)
    watch = MemoryWatch(process.pid)
    watch.start()
    answer, _ = process.communicate()
    watch.join()
    if process.returncode:
        raise SystemExit(f"the child {name} {recipe} {model} failed, see above")
    told: dict[str, object] = json.loads(answer)
    return told | ({"peak_mib": watch.peak_mib} if name != "model" else {})


class MemoryWatch(threading.Thread):
    """Samples the memory of a process and its descendants once a second until it ends.

    Pages that processes share count once, in proportion (PSS).
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak_mib = 0.0

    def run(self) -> None:
        """Sample."""
        while (found := sum(map(pss_mib, family(self._pid)))) > 0:
            self.peak_mib = max(self.peak_mib, found)
            time.sleep(SAMPLE_S)


def family(pid: int) -> list[int]:
    """Give a process and its descendants."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []
    return [pid, *(each for child in children for each in family(child))]


def pss_mib(pid: int) -> float:
    """Give the memory of a process; none if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def model_costs(file: Path) -> list[ModelCost]:
    """Measure each model, after a process that fits nothing."""
    names = [(NOTHING, "libraries and rows alone"), *((OURS, model) for model in MODELS)]
    found = []
    for recipe, model in names:
        found.append(ModelCost(**run_child("model", file, recipe, model, **ONE_THREAD)))  # type: ignore[arg-type]  # told by our child
        show_model(found[-1])
    return found


def folds_cost(file: Path, recipe: str, child: str = "folds") -> FoldsCost:
    """Measure eight models x the folds; plain choices take as many threads as they like."""
    environment = ONE_THREAD if recipe == OURS else {}
    told = run_child(child, file, recipe, **environment)
    cost = FoldsCost(**told)  # type: ignore[arg-type]  # told by our child
    text = f"{cost.fits} fits, {cost.what}"
    numbers = f"{cost.rows:>8,}{cost.wall_s:>10.1f}{cost.cpu_s:>10.1f}{cost.peak_mib:>10.0f}"
    print(f"{text:<28}{numbers}", flush=True)
    for failure in cost.failed:
        print(f"  failed: {failure}")
    return cost


def show_model(cost: ModelCost) -> None:
    """Print a line of the first table."""
    numbers = f"{cost.rows:>8,}{cost.fit_s:>10.2f}{cost.predict_s:>10.2f}{cost.peak_mib:>10.0f}"
    print(f"{cost.model:<28}{numbers}", flush=True)


def all_folds(folder: Path, rows: Rows, options: argparse.Namespace) -> list[FoldsCost]:
    """Measure the folds: ours on all rows, and both on the rows of the peers."""
    print(f"\n{FOLDS} folds, {PROCESSES} processes{'':<9}{'rows':>8}{'wall s':>10}{'CPU s':>10}{'MiB':>10}")
    found = [folds_cost(folder / "rows.npz", OURS)]
    if options.no_peers:
        return found
    fewer = rows.thinned(options.peers_rows or len(rows))
    fewer.save(folder / "fewer.npz")
    beside = found[0] if len(fewer) == len(rows) else folds_cost(folder / "fewer.npz", OURS)
    plain = folds_cost(folder / "fewer.npz", PLAIN)
    print(
        f"plain choices take {plain.wall_s / beside.wall_s:.1f} x the wall time and"
        f" {plain.cpu_s / beside.cpu_s:.1f} x the CPU time of ours on {plain.rows:,} rows"
    )
    return [*found, *([] if beside is found[0] else [beside]), plain]


def main() -> None:
    """Measure, print the tables, and write them as JSON if asked."""
    options = arguments()
    if options.child:
        name, file, recipe, model = options.child
        print(json.dumps(asdict(CHILDREN[name](Rows.load(Path(file)), recipe, model))))
        return
    load = os.getloadavg()[0]
    wanted = 4_000 if options.quick else options.rows
    every = (
        stored(options.data, options.index, options.fear) if options.data else simulated(max(wanted, ROWS))
    )
    rows = every.thinned(wanted)
    shares = np.bincount(rows.y, minlength=CLASSES) / len(rows)
    print(
        f"{len(rows):,} rows x {rows.X.shape[1]}, class shares {shares.round(2).tolist()}, load {load:.1f}\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows.save(folder / "rows.npz")
        print(f"{'one fit':<28}{'rows':>8}{'fit CPU s':>10}{'predict':>10}{'MiB':>10}")
        models = model_costs(folder / "rows.npz")
        print(f"{'all eight':<28}{'':>8}{sum(cost.fit_s for cost in models):>10.2f}")
        folds = [] if options.models_only else all_folds(folder, rows, options)
        cached = folds_cost(folder / "rows.npz", OURS, "cached") if options.cached else None
    print(f"reach: {REACH_S:.0f} s, cached {REACH_CACHED_S:.0f} s, {REACH_MIB:.0f} MiB")
    report = {
        "rows": len(rows),
        "models": [asdict(cost) for cost in models],
        "folds": [asdict(cost) for cost in folds],
        "cached": None if cached is None else asdict(cached),
        "load": [load, os.getloadavg()[0]],
        "python": platform.python_version(),
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1), encoding="utf-8")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a directory of bar files")
    parser.add_argument("--index", default="^GSPC", help="the symbol of the index among them")
    parser.add_argument("--fear", default="^VIX", help="the symbol of the fear index among them")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--peers-rows", type=int, help="compare with plain choices on so many rows only")
    parser.add_argument("--no-peers", action="store_true", help="leave plain choices out")
    parser.add_argument("--models-only", action="store_true", help="leave the folds out")
    parser.add_argument("--cached", action="store_true", help="measure a refit whose finished folds are kept")
    parser.add_argument("--quick", action="store_true", help="4,000 rows")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
