"""A whole run on a simulated market: from the barrier, with every choice of the recipe."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.children.fit_cache import FitCache
from daemon.children.fits import Fits, InOrder, fit_and_pack
from regime.barrier.inputs import COLUMNS, volatility_inputs
from regime.errors import FeatureMismatchError
from regime.events import RareEvent
from regime.fit_jobs import FitJob, run_in_order
from regime.labels import label_days, labeler_named
from regime.models.ensemble import Inputs
from regime.recipe import TrainingSettings
from regime.simulator import SimulationSettings, simulate
from regime.targets import compute_targets, target_named
from regime.training import TrainingResult, train
from regime.training_set import TrainingSet, build_training_set
from regime.types import FeatureTable, Regime
from regime.validation import WalkForward

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from daemon.children.fits import Outcome
    from regime.simulator import Simulation
    from regime.types import Bars

SPEC = target_named("triple_barrier")
SETTINGS = TrainingSettings(
    models=("lightgbm", "logistic_regression"),
    calibration="regime",
    weights="auto",
    window_years=2.0,
    archive_share=0.05,
    rows_max=2000,
    walk_forward=WalkForward(fold_years=1, train_years_min=2.0),
    quorum=2,
    seed=5,
)
PLAIN = replace(
    SETTINGS, calibration="none", weights="none", window_years=None, archive_share=0.0, ablation=False
)
EVENT = RareEvent(
    id="panic", first_day=date(2005, 9, 1), last_day=date(2006, 3, 31), regime=Regime.CRASH, weight=1.0
)
SEEN = tuple(name for name in COLUMNS if name.startswith(("rank_", "return_")))


@pytest.fixture(scope="module")
def market() -> Simulation:
    """Give ten simulated stocks over five years and a half."""
    return simulate(SimulationSettings(symbols=10, days=1400), np.random.default_rng(20))


@pytest.fixture(scope="module")
def rows(market: Simulation) -> TrainingSet:
    return rows_of(market.bars, tuple(market.sectors))


def rows_of(bars: Bars, symbols: tuple[str, ...]) -> TrainingSet:
    """Give what a training learns from when these bars are known; features are ranks and returns."""
    index, fear = (bars.of_symbol(name) for name in ("^SIM", "^SIMVIX"))
    stocks = bars.of_symbols(symbols)
    volatility = volatility_inputs(stocks, index, fear, horizon_days=SPEC.horizon_days)
    features = FeatureTable(
        symbol=stocks.symbol,
        date=stocks.date,
        names=SEEN,
        values=np.stack([volatility.column(name) for name in SEEN], axis=1),
        catalogue_hash="c0ffee",
    )
    labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    return build_training_set(
        features, stocks, compute_targets(stocks, SPEC), labels, feature_hash="c0ffee", volatility=volatility
    )[0]


def trained(rows: TrainingSet, settings: TrainingSettings) -> TrainingResult:
    return train(rows, settings, execute=run_in_order, report=lambda _: None, events=(EVENT,))


@pytest.fixture(scope="module")
def result(rows: TrainingSet) -> TrainingResult:
    return trained(rows, SETTINGS)


def test_everybody_says_finite_probabilities_of_every_row(result: TrainingResult) -> None:
    predictions = result.predictions
    assert len(predictions) > 5000
    assert predictions.names() == (
        *("ensemble", "barrier_plus", "mean", "stacking", "lightgbm", "logistic_regression"),
        *("barrier_fear", "barrier", "barrier_offset", "barrier_trees"),
    )
    for name in predictions.names():
        said = predictions.of(name)
        assert np.isfinite(said).all()
        assert said.min() > 0
        assert said.sum(axis=1) == pytest.approx(np.ones(len(said)), abs=1e-9)
    assert set(predictions.baselines) == {"class_prior", "majority", "regime_prior", "volatility_barrier"}
    assert result.failures == ()


def test_what_was_chosen_is_accounted_for(result: TrainingResult) -> None:
    assert sorted(result.ablations) == ["archive", "weights"]
    assert [each.fold for each in result.account] == ["2008", "2009", "2010", "final"]
    last = result.account[-1]
    assert last.archive["panic"] > 0
    assert last.rows_trained <= 2000
    assert last.every_days > 1
    assert last.weights in {"none", "reference", "uniqueness", "inverse_frequency"}


def test_the_kept_ensemble_predicts_tomorrow_and_needs_volatility_for_it(
    rows: TrainingSet, result: TrainingResult
) -> None:
    last = rows.take(rows.date == rows.date[-1])
    said = result.ensemble.predict_proba(Inputs(X=last.X, volatility=last.volatility, regime=last.regime))
    assert said.shape == (10, 3)
    assert said.sum(axis=1) == pytest.approx(np.ones(10), abs=1e-12)
    assert result.ensemble.starts_from_barrier
    with pytest.raises(FeatureMismatchError, match="forecasts volatility and is given none"):
        result.ensemble.predict_proba(Inputs(X=last.X, volatility=None, regime=last.regime))
    assert result.ensemble.pool.calibration is not None


def test_two_runs_give_the_same_bytes(rows: TrainingSet, result: TrainingResult) -> None:
    again = trained(rows, SETTINGS)
    for name in result.predictions.names():
        assert again.predictions.of(name).tobytes() == result.predictions.of(name).tobytes()
    assert again.ensemble.pool.to_json() == result.ensemble.pool.to_json()
    assert again.scorecards["ensemble"].to_json() == result.scorecards["ensemble"].to_json()


def test_days_that_have_not_come_change_nothing_that_was_said(
    rows: TrainingSet, result: TrainingResult
) -> None:
    until = rows.take(rows.date < np.datetime64("2009-07-01"))
    earlier = trained(until, SETTINGS).predictions
    assert len(earlier) > 3000
    for name in earlier.names():
        assert np.array_equal(earlier.of(name), result.predictions.of(name)[: len(earlier)])
    for name, said in earlier.baselines.items():
        assert np.array_equal(said, result.predictions.baselines[name][: len(earlier)])


def test_a_later_training_fits_no_fold_of_an_earlier_one_again(market: Simulation, tmp_path: Path) -> None:
    fitted: list[str] = []

    def work(job: FitJob) -> Outcome:
        fitted.append(f"{job.model} {job.fold}")
        return fit_and_pack(job)

    def train_on(last_day: str) -> list[str]:
        bars = market.bars.take(market.bars.date <= np.datetime64(last_day))
        fits = Fits(InOrder(work), FitCache(tmp_path, "salt", 64))
        fitted.clear()
        train(
            rows_of(bars, tuple(market.sectors)),
            PLAIN,
            execute=fits,
            report=lambda _: None,
            memo=fits.memo,
        )
        return list(fitted)

    first = train_on("2009-11-30")
    assert {each.split()[1] for each in first} == {"2008", "2009", "final"}
    again = train_on("2010-03-31")
    assert {each.split()[1] for each in again} == {"2010", "final"}
    assert len(again) == 2 * len(PLAIN.models)


def test_the_pool_knows_more_than_the_shares_of_classes(result: TrainingResult) -> None:
    interval = result.scorecards["barrier_plus"].interval(None, "class_prior")
    assert interval is not None
    assert interval.low > 0.01


@pytest.mark.parametrize("ensemble", ["barrier_plus", "mean", "stacking"])
def test_of_outcomes_shuffled_within_each_regime_no_skill_is_found(rows: TrainingSet, ensemble: str) -> None:
    rng = np.random.default_rng(9)
    y = rows.y.copy()
    for regime in np.unique(rows.regime):
        at = np.flatnonzero(rows.regime == regime)
        y[at] = y[rng.permutation(at)]
    cards = trained(replace(rows, y=y), replace(PLAIN, ensemble=ensemble)).scorecards
    interval = cards["ensemble"].interval(None, "regime_prior")
    assert interval is not None
    # The regime prior is all there is to know, and looking for more costs a little.
    assert -0.03 < interval.low < interval.high < 0.005


def test_a_random_split_makes_a_model_look_better_than_it_is(rows: TrainingSet) -> None:
    X = np.ascontiguousarray(rows.volatility)
    rng = np.random.default_rng(4)
    first = rows.date < np.datetime64("2009-01-01")
    of_random = rng.random(len(rows)) < first.mean()
    matured = first & (rows.horizon_end < np.datetime64("2008-12-17"))
    purged = loss_of(rows, X, matured, ~first)
    random = loss_of(rows, X, of_random, ~of_random)
    assert purged - random > 0.05


def loss_of(
    rows: TrainingSet, X: NDArray[np.float32], learnt: NDArray[np.bool_], asked: NDArray[np.bool_]
) -> float:
    """Give the mean log-loss of trees fitted on some rows and asked about others."""
    job = FitJob(
        model="extra_trees",
        fold="split",
        X=X[learnt],
        y=rows.y[learnt],
        sample_weight=np.ones(int(learnt.sum())),
        X_validate=X[asked],
        n_classes=3,
        seed=1,
    )
    proba = job.run().proba
    assert proba is not None
    return float(-np.log(proba[np.arange(len(proba)), rows.y[asked]]).mean())
