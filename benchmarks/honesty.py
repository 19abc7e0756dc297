"""Where skill is and where it is not: every member and baseline on real data, and what each choice was worth.

    python -m benchmarks.honesty --data DIR [--index ^GSPC] [--fear ^VIX] [--exam NAME ...] [--cache DIR]
                                 [--without SYMBOL ...] [--processes N] [--json FILE]

``DIR`` holds files of bars in any format that regimed reads. Exams, all by default:

``reference``, ``triple_barrier``
    The default recipe in yearly walk-forward folds, judged on 2009 to the end, on 2009-2019 and on what is
    later: skill against the regime prior (B2) and the volatility barrier (B3) with block-bootstrap intervals.
``choices``
    What weights, sampling, window, archive, market-wide features, the barrier as a start, and calibration by
    regime did, each against the same recipe without it, on 2009-2019.
``crisis``
    Every rare event predicted by models that never saw it.
``leak``
    The same model under a random split and under the purged one.
``shuffled``
    Targets shuffled within their regime: nothing can be learnt, and nothing must be found.

Choices of the recipe were made on 2009-2019 only; every variant that was looked at is in docs/results.md.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from daemon.children.data import Market
from daemon.children.fit_cache import FitCache, versions_salt
from daemon.children.fits import Fits, fit_and_pack, local_processes
from daemon.formats.folder import read_folder
from regime.ablation import paired_difference
from regime.barrier.inputs import volatility_inputs
from regime.bootstrap import block_bootstrap_interval
from regime.controls import CONTROL_MODELS
from regime.features import catalogue_hash
from regime.labels import effective_fear, label_days, labeler_named
from regime.models.ensemble import ENSEMBLE
from regime.recipe import TrainingSettings
from regime.scorecard import REGIME_PRIOR, VOLATILITY_BARRIER
from regime.scoring import log_losses
from regime.targets import compute_targets, target_named
from regime.training import seen_columns, train
from regime.training_set import build_training_set
from regime.types import REGIMES
from regime.validation import WalkForward

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from regime.predictions import Predictions
    from regime.training import TrainingResult
    from regime.training_set import TrainingSet

JUDGED_FROM: Final = 2009
CHOSEN_TO: Final = 2019
"""Last year on which anything was chosen."""
YEARLY: Final = WalkForward(fold_years=1, train_years_min=2.9)
SEED: Final = 1
GOALS: Final = {
    "reference": "must 11.5 / B3 > 0, excellent 13.0 / 2.0; 2020-24 must 9 / 1, excellent 10.5 / 2",
    "triple_barrier": "must 11 / B3 > 0, excellent 12.5 / 1.8; 2020-24 must 8.5 / 1, excellent 10.2 / 2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The market, how fits are run, and what has been found so far."""

    market: Market
    fits: Fits[Any]
    found: dict[str, object]

    def rows(self, target: str, last_year: int | None = None) -> TrainingSet:
        """Give the training rows of a target, by default all."""
        market, spec = self.market, target_named(target)
        rows, _ = build_training_set(
            market.features(),
            market.bars,
            compute_targets(market.bars, spec),
            market.labels,
            feature_hash=catalogue_hash(),
            volatility=volatility_inputs(
                market.bars, market.index, market.fear, horizon_days=spec.horizon_days
            ),
        )
        return rows if last_year is None else rows.take(years_of(rows.date) <= last_year)

    def train(self, rows: TrainingSet, settings: TrainingSettings) -> TrainingResult:
        """Run a training with progress on one line."""
        began = time.monotonic()

        def report(progress: Any) -> None:
            spent = time.monotonic() - began
            print(
                f"\r\x1b[K{progress.done}/{progress.total} {progress.what} {spent:.0f} s", end="", flush=True
            )

        result = train(rows, settings, execute=self.fits, report=report)
        print(f"\r\x1b[K({len(rows)} rows, {time.monotonic() - began:.0f} s)\n")
        return result


def years_of(date: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Give the calendar year of each day."""
    return date.astype("datetime64[Y]").astype(np.int64) + 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """Skill in % against a baseline with its interval, ``None`` where too few days."""

    percent: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        interval = "" if self.low is None or self.high is None else f" [{self.low:.1f}, {self.high:.1f}]"
        return f"{self.percent:.1f}{interval}"


def skill_of(predictions: Predictions, name: str, baseline: str, inside: NDArray[np.bool_]) -> Skill | None:
    """Give the skill on the rows ``inside``; other days stay in the bootstrap, with nothing on them."""
    inside = inside & predictions.predicted(name)
    if not inside.any():
        return None
    losses = [
        np.where(inside, log_losses(predictions.truth, np.nan_to_num(proba, nan=1.0)), 0.0)
        for proba in (predictions.of(name), predictions.baselines[baseline])
    ]
    _, day = np.unique(predictions.date, return_inverse=True)
    own, other = (np.bincount(day, weights=loss).astype(np.float64) for loss in losses)
    used = np.zeros(len(own), dtype=bool)
    used[np.unique(day[inside])] = True
    first, last = np.flatnonzero(used)[[0, -1]]
    own, other = own[first : last + 1], other[first : last + 1]
    interval = block_bootstrap_interval(own, other, np.random.default_rng(SEED))
    return Skill(
        percent=100 * (1 - own.sum() / other.sum()),
        low=None if interval is None else 100 * interval.low,
        high=None if interval is None else 100 * interval.high,
    )


def periods(date: NDArray[np.datetime64]) -> dict[str, NDArray[np.bool_]]:
    """Give the rows of the periods that are told apart: all, chosen on, and looked at once."""
    year = years_of(date)
    last = int(year.max())
    whole = year >= JUDGED_FROM
    return {
        f"{JUDGED_FROM}-{last}": whole,
        f"{JUDGED_FROM}-{CHOSEN_TO}": whole & (year <= CHOSEN_TO),
        f"{CHOSEN_TO + 1}-{last}": year > CHOSEN_TO,
    }


def target_exam(bench: Bench, target: str) -> None:
    """Judge the default recipe on one target."""
    rows = bench.rows(target)
    result = bench.train(rows, TrainingSettings(walk_forward=YEARLY))
    predictions = result.predictions
    print(f"## Target {target}: skill in % against B2 / B3 with 95 % intervals\n\nGoals: {GOALS[target]}\n")
    table: dict[str, dict[str, object]] = {}
    blocks = periods(predictions.date)
    print(f"| | {' | '.join(f'{name} B2 | B3' for name in blocks)} |\n|---|{'---|---|' * len(blocks)}")
    for name in [*predictions.names(), VOLATILITY_BARRIER]:
        told = with_baseline(predictions, name)
        cells = [skill_of(told, name, base, inside) for inside in blocks.values() for base in BASES]
        table[name] = dict(zip([f"{b} {p}" for p in blocks for b in BASES], map(str, cells), strict=True))
        print(f"| {name} | {' | '.join('-' if cell is None else str(cell) for cell in cells)} |")
    print(f"\nBy regime, the ensemble, B2 / B3:\n\n| | {' | '.join(blocks)} |\n|---|{'---|' * len(blocks)}")
    for regime in REGIMES:
        of_regime = predictions.regime == regime.value
        cells_of = [
            f"{skill_of(predictions, ENSEMBLE, REGIME_PRIOR, of_regime & inside)} /"
            f" {skill_of(predictions, ENSEMBLE, VOLATILITY_BARRIER, of_regime & inside)}"
            for inside in blocks.values()
        ]
        table[f"ensemble {regime.value}"] = dict(zip(blocks, cells_of, strict=True))
        print(f"| {regime.value} | {' | '.join(cells_of)} |")
    accuracy_table(predictions, blocks)
    for name, ablation in result.ablations.items():
        print(f"\n{ablation.said(name)}")
    weights = sorted(result.ensemble.pool.weights.items(), key=lambda pair: -pair[1])
    print("\nWeights after the last day: " + ", ".join(f"{name} {weight:.2f}" for name, weight in weights))
    bench.found[target] = {
        "skill": table,
        "weights": dict(weights),
        "ablations": {name: ablation.to_json() for name, ablation in result.ablations.items()},
    }


CLASS_PRIOR: Final = "class_prior"
BASES: Final = (REGIME_PRIOR, VOLATILITY_BARRIER)


def with_baseline(predictions: Predictions, name: str) -> Predictions:
    """Let a baseline be judged like a member."""
    if name not in predictions.baselines:
        return predictions
    return replace(predictions, members={**predictions.members, name: predictions.baselines[name]})


def accuracy_table(predictions: Predictions, blocks: dict[str, NDArray[np.bool_]]) -> None:
    """Print accuracies, which say little, beside always answering with the majority of those rows."""
    whole = next(iter(blocks.values()))
    hit = predictions.ensemble.argmax(axis=1) == predictions.truth
    print("\n| | rows | accuracy | always the majority |\n|---|---|---|---|")
    for regime in (None, *REGIMES):
        inside = whole if regime is None else whole & (predictions.regime == regime.value)
        if inside.any():
            most = np.bincount(predictions.truth[inside]).max() / inside.sum()
            name = "all" if regime is None else regime.value
            print(f"| {name} | {inside.sum()} | {hit[inside].mean():.3f} | {most:.3f} |")


def choices(bench: Bench) -> None:
    """Measure each choice against the plain recipe, with the two models that stand for all."""
    rows = bench.rows("reference", CHOSEN_TO)
    plain = TrainingSettings(
        models=CONTROL_MODELS, quorum=1, weights="none", walk_forward=YEARLY, ablation=False
    )
    variants = {
        "start from nothing": replace(plain, start_from="nothing"),
        "start from nothing, market-wide features": replace(
            plain, start_from="nothing", market_features=True
        ),
        "market-wide features": replace(plain, market_features=True),
        "weights reference": replace(plain, weights="reference"),
        "five years": replace(plain, window_years=5.0),
        "five years and 7 % archive": replace(plain, window_years=5.0, archive_share=0.07),
        "sampling reference": replace(plain, sampling="reference"),
        "weights uniqueness": replace(plain, weights="uniqueness"),
        "weights auto": replace(plain, weights="auto"),
        "weights inverse_frequency": replace(plain, weights="inverse_frequency"),
        "sampling uniform": replace(plain, sampling="uniform"),
    }
    base = bench.train(rows, plain).predictions
    print("## What each choice did, 2009-2019: mean log-loss gained, in e-3 nats, of two models' mean\n")
    print(f"| choice | all | {' | '.join(REGIMES)} |\n|---|{'---|' * 6}")
    found: dict[str, object] = {}
    for name, settings in variants.items():
        other = bench.train(rows, settings).predictions
        found[name] = tell_difference(name, base, other, mean_of_two(base), mean_of_two(other))
    calibrated = bench.train(rows, replace(plain, calibration="regime")).predictions
    found["calibration by regime"] = tell_difference(
        "calibration by regime (ensemble)", base, calibrated, base.ensemble, calibrated.ensemble
    )
    bench.found["choices"] = found


def mean_of_two(predictions: Predictions) -> NDArray[np.float64]:
    """Give the mean of the models that stand for all."""
    return np.asarray(np.mean([predictions.members[name] for name in CONTROL_MODELS], axis=0))


def tell_difference(
    name: str,
    base: Predictions,
    other: Predictions,
    without_it: NDArray[np.float64],
    with_it: NDArray[np.float64],
) -> object:
    """Print one row of the table of choices."""
    inside = years_of(base.date) >= JUDGED_FROM
    if not np.array_equal(base.truth, other.truth):
        raise SystemExit(f"{name} judges other rows than the plain recipe; run both on the same history")
    ablation = paired_difference(
        base.date[inside],
        base.regime[inside],
        base.truth[inside],
        with_it[inside],
        without_it[inside],
        rng=np.random.default_rng(SEED),
    )
    cells = [ablation.overall.log_loss, *(ablation.regimes[regime].log_loss for regime in REGIMES)]
    told = [
        "-"
        if cell is None or cell.interval is None
        else f"{1e3 * cell.mean:+.1f} [{1e3 * cell.interval.low:.1f}, {1e3 * cell.interval.high:.1f}]"
        for cell in cells
    ]
    print(f"| {name} | {' | '.join(told)} |", flush=True)
    return ablation.to_json()


def crisis(bench: Bench) -> None:
    """Leave each event out and predict it."""
    rows = bench.rows("reference")
    settings = TrainingSettings(walk_forward=YEARLY, ablation=False, crisis_exam=True)
    result = bench.train(rows, settings)
    print("## Left out and predicted: skill in % against B2 / B3\n")
    names = (ENSEMBLE, *settings.models, "barrier_offset")
    print(f"| event | days | {' | '.join(names)} |\n|---|{'---|' * (len(names) + 1)}")
    found: dict[str, object] = {}
    for event, cards in result.crisis.items():
        cells = {
            name: " / ".join(
                "-" if s is None else f"{100 * s:.0f}" for s in (cards[name].skill(None, b) for b in BASES)
            )
            for name in names
            if name in cards
        }
        found[event] = cells
        print(
            f"| {event} | {cards[ENSEMBLE].days_in(None)} | {' | '.join(cells.get(n, '-') for n in names)} |"
        )
    bench.found["crisis"] = found


def leak(bench: Bench) -> None:
    """Compare a random split with the purged one on the same rows, for a forest as most people write it."""
    rows = bench.rows("reference", CHOSEN_TO)
    X = np.nan_to_num(rows.X[:, seen_columns(rows.feature_names, market_features=True)])
    year = years_of(rows.date)
    asked = np.flatnonzero(year >= CHOSEN_TO - 1)
    drawn = np.random.default_rng(SEED).random(len(year)) < 0.8
    recent = year >= CHOSEN_TO - 5
    fold = next(
        fold
        for fold in YEARLY.folds(rows.date, rows.horizon_end, np.unique(rows.date))
        if fold.name == str(CHOSEN_TO - 1)
    )
    judged = asked[~drawn[asked]]
    print(f"## The same forest, the same {len(judged)} rows of {CHOSEN_TO - 1}-{CHOSEN_TO}\n")
    print("| split | accuracy | log-loss |\n|---|---|---|")
    found: dict[str, object] = {}
    purged = fold.train[year[fold.train] >= CHOSEN_TO - 5]
    for name, learnt in (("random", np.flatnonzero(recent & drawn)), ("purged, in time order", purged)):
        forest = RandomForestClassifier(100, max_samples=0.5, n_jobs=2, random_state=SEED)
        proba = forest.fit(X[learnt], rows.y[learnt]).predict_proba(X[judged])
        accuracy = float((proba.argmax(axis=1) == rows.y[judged]).mean())
        loss = float(log_losses(rows.y[judged], proba).mean())
        found[name] = {"accuracy": accuracy, "log_loss": loss, "rows_trained": len(learnt)}
        print(f"| {name} ({len(learnt)} rows) | {accuracy:.3f} | {loss:.3f} |")
    most = np.bincount(rows.y[judged]).max() / len(judged)
    print(f"| always the majority | {most:.3f} | |")
    bench.found["leak"] = found


def shuffled(bench: Bench) -> None:
    """Shuffle targets; what is found then is an error of the pipeline.

    Shuffled within their regime, only the regime says anything, which the prior is told and the members are
    not: at best they reach it. Shuffled over all rows nothing says anything, and the class prior is the best.
    """
    rows = bench.rows("reference", CHOSEN_TO)
    rng = np.random.default_rng(SEED)
    within = rows.y.copy()
    for regime in REGIMES:
        inside = np.flatnonzero(rows.regime == regime.value)
        within[inside] = within[rng.permutation(inside)]
    settings = TrainingSettings(models=CONTROL_MODELS, quorum=1, walk_forward=YEARLY, ablation=False)
    found: dict[str, dict[str, str]] = {}
    for how, y, baseline in (
        ("within their regime, against the regime prior", within, REGIME_PRIOR),
        ("over all rows, against the class prior", rows.y[rng.permutation(len(rows))], CLASS_PRIOR),
    ):
        predictions = bench.train(replace(rows, y=y), settings).predictions
        whole = years_of(predictions.date) >= JUDGED_FROM
        print(f"## Targets shuffled {how}: skill in %\n\n| member | skill |\n|---|---|")
        found[how] = {name: str(skill_of(predictions, name, baseline, whole)) for name in predictions.names()}
        for name, skill in found[how].items():
            print(f"| {name} | {skill} |")
        print()
    bench.found["shuffled"] = found


EXAMS: Final[dict[str, Callable[[Bench], None]]] = {
    "reference": lambda bench: target_exam(bench, "reference"),
    "triple_barrier": lambda bench: target_exam(bench, "triple_barrier"),
    "choices": choices,
    "crisis": crisis,
    "leak": leak,
    "shuffled": shuffled,
}


def market_of(options: argparse.Namespace) -> Market:
    """Give the market of a folder of files."""
    bars, _ = read_folder(Path(options.data))
    index, given = bars.of_symbol(options.index), bars.of_symbol(options.fear)
    left_out = [options.index, options.fear, *options.without]
    return Market(
        name="bench",
        bars=bars.take(~np.isin(bars.symbol, left_out)),
        index=index,
        fear=effective_fear(index, given if len(given) else None),
        labels=label_days(index, given, labeler_named("rules", has_fear=len(given) > 0)),
        feature_threads=2,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the exams that are asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=os.environ.get("REGIMED_DATA"), help="folder of bar files")
    parser.add_argument("--index", default="^GSPC")
    parser.add_argument("--fear", default="^VIX")
    parser.add_argument("--without", nargs="*", default=["SPY", "^SPX"], help="symbols to leave out")
    parser.add_argument("--exam", nargs="*", choices=tuple(EXAMS), default=tuple(EXAMS))
    parser.add_argument("--cache", help="folder that keeps fits between runs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if not options.data:
        parser.error("give a folder of bar files: --data DIR, or REGIMED_DATA=DIR")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.cache or Path(scratch) / "fits")
        with local_processes(options.processes, Path(scratch) / "arrays", fit_and_pack) as backend:
            fits = Fits(backend, FitCache(folder, versions_salt(), 8192))
            bench = Bench(market=market_of(options), fits=fits, found={})
            for exam in options.exam:
                EXAMS[exam](bench)
                print(flush=True)
                if options.json:
                    options.json.write_text(json.dumps(bench.found, indent=1) + "\n")


if __name__ == "__main__":
    main()
