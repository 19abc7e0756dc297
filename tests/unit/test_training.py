"""A training run: what is examined, what is kept, what is recorded when a model fails."""

from __future__ import annotations

from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

from regime.errors import FitFailedError, HistoryTooShortError, SettingInvalidError
from regime.fit_jobs import FINAL, FitJob, FitResult, job_seed, run_in_order
from regime.models import fit
from regime.models.ensemble import Inputs
from regime.recipe import TrainingSettings, recipe_hash
from regime.scoring import class_prior
from regime.training import TrainingResult, seen_columns, train
from regime.training_set import TrainingSet
from regime.types import REGIMES, Regime, TargetSpec
from regime.validation import WalkForward
from regime.weights import WEIGHTS, regime_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from regime.fitting import Progress

SPEC = TargetSpec(name="near", kind="first_touch", up=0.05, down=0.05, horizon_days=5)
MODELS = ("lightgbm", "logistic_regression", "xgboost")
SETTINGS = TrainingSettings(
    models=MODELS,
    ensemble="mean",
    start_from="nothing",
    ablation=False,
    quorum=2,
    walk_forward=WalkForward(fold_years=1, train_years_min=2.0),
    seed=11,
)
Parcel = TypeVar("Parcel", FitJob, FitResult)
FOLDS = ("2012", "2013", "2014")


def rows_of_five_years() -> TrainingSet:
    """Give two symbols over 2010 to 2014, of which the first of four features decides the class."""
    weekdays = np.arange("2010-01-04", "2015-01-01", dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    date = np.repeat(weekdays, 2)
    rng = np.random.default_rng(1)
    X = rng.normal(size=(len(date), 4)).astype(np.float32)
    noisy = X[:, 0] + rng.normal(size=len(date))
    quarter = (date.astype("datetime64[M]").astype(int) // 3) % len(REGIMES)
    return TrainingSet(
        symbol=np.tile(["AAA", "BBB"], len(weekdays)),
        date=date,
        X=X,
        y=np.digitize(noisy, [-1.0, 1.0]).astype(np.int64),
        regime=np.array([regime.value for regime in REGIMES])[quarter],
        label_end=np.busday_offset(date, 3),
        horizon_end=np.busday_offset(date, 5),
        feature_names=("a", "b", "c", "d"),
        feature_hash="c0ffee",
        labeler="rules",
        target=SPEC,
    )


def silent(_: Progress) -> None:
    """Hear of no progress."""


def inputs_of(rows: TrainingSet) -> Inputs:
    """Give what an ensemble predicts from on the rows' days."""
    return Inputs(X=rows.X, volatility=rows.volatility, regime=rows.regime)


def trained(
    rows: TrainingSet,
    settings: TrainingSettings = SETTINGS,
    execute: Callable[[Iterable[FitJob]], Iterator[FitResult]] = run_in_order,
) -> TrainingResult:
    return train(rows, settings, execute=execute, report=silent)


def travelled(parcel: Parcel) -> Parcel:
    """Give what arrives in another process."""
    arrived: Parcel = ForkingPickler.loads(bytes(ForkingPickler.dumps(parcel)))
    return arrived


def failing(*fits: tuple[str, str]) -> Callable[[Iterable[FitJob]], Iterator[FitResult]]:
    """Give an executor in which some (model, fold) fail."""

    def execute(jobs: Iterable[FitJob]) -> Iterator[FitResult]:
        for job in jobs:
            if (job.model, job.fold) in fits:
                yield FitResult(model=job.model, fold=job.fold, failure="MemoryError: too large")
            else:
                yield job.run()

    return execute


@pytest.fixture(scope="module")
def rows() -> TrainingSet:
    return rows_of_five_years()


@pytest.fixture(scope="module")
def result(rows: TrainingSet) -> TrainingResult:
    return trained(rows)


def test_every_row_of_the_folds_is_predicted_once_in_order(rows: TrainingSet, result: TrainingResult) -> None:
    examined = rows.date >= np.datetime64("2012-01-01")
    predictions = result.predictions
    assert np.array_equal(predictions.date, rows.date[examined])
    assert np.array_equal(predictions.symbol, rows.symbol[examined])
    assert np.array_equal(predictions.truth, rows.y[examined])
    assert np.array_equal(predictions.regime, rows.regime[examined])
    assert np.array_equal(predictions.fold, rows.date[examined].astype("datetime64[Y]").astype(str))
    assert predictions.classes == ("sell", "hold", "buy")


def test_the_ensemble_is_the_mean_of_the_members(result: TrainingResult) -> None:
    members = result.predictions.members
    assert tuple(members) == MODELS
    mean = (members["lightgbm"] + members["logistic_regression"] + members["xgboost"]) / 3
    assert result.predictions.ensemble == pytest.approx(mean, abs=1e-15)


def test_a_fold_is_predicted_by_a_model_of_its_weighted_purged_training_rows(
    rows: TrainingSet, result: TrainingResult
) -> None:
    train_rows = np.flatnonzero(rows.date <= result_train_to(rows))
    weight = regime_weights(rows.regime[train_rows], WEIGHTS["reference"])
    model = fit(
        "logistic_regression",
        rows.X[train_rows],
        rows.y[train_rows],
        sample_weight=weight,
        n_classes=3,
        seed=job_seed(11, "logistic_regression", "2013"),
    )
    of_fold = rows.date.astype("datetime64[Y]") == np.datetime64("2013")
    predicted = result.predictions.members["logistic_regression"][result.predictions.fold == "2013"]
    assert np.array_equal(predicted, model.predict_proba(rows.X[of_fold]))


def result_train_to(rows: TrainingSet) -> np.datetime64:
    folds = SETTINGS.walk_forward.folds(rows.date, rows.horizon_end, np.unique(rows.date))
    assert folds[1].name == "2013"
    return folds[1].train_to


def test_a_training_row_ends_its_horizon_and_the_embargo_before_the_fold(rows: TrainingSet) -> None:
    # 15 sessions (5 of horizon, 10 of embargo) before 2013-01-01, a weekday here.
    assert result_train_to(rows) == np.datetime64("2012-12-10")


def test_baselines_are_made_of_training_rows_only(rows: TrainingSet, result: TrainingResult) -> None:
    train_rows = rows.date <= result_train_to(rows)
    of_fold = result.predictions.fold == "2013"
    expected = class_prior(rows.y[train_rows], int(of_fold.sum()), 3)
    assert sorted(result.predictions.baselines) == ["class_prior", "majority", "regime_prior"]
    assert np.array_equal(result.predictions.baselines["class_prior"][of_fold], expected)


def test_the_kept_models_are_fitted_on_all_rows(rows: TrainingSet, result: TrainingResult) -> None:
    assert tuple(result.ensemble.models) == MODELS
    model = fit(
        "lightgbm",
        rows.X,
        rows.y,
        sample_weight=regime_weights(rows.regime, WEIGHTS["reference"]),
        n_classes=3,
        seed=job_seed(11, "lightgbm", FINAL),
    )
    kept = result.ensemble.models
    assert np.array_equal(kept["lightgbm"].predict_proba(rows.X), model.predict_proba(rows.X))
    nine = rows.take(np.arange(9))
    mean = sum(each.predict_proba(nine.X) for each in kept.values()) / 3
    assert result.ensemble.predict_proba(inputs_of(nine)) == pytest.approx(mean, abs=1e-12)


def test_the_ensemble_every_pool_and_every_model_have_a_scorecard_beside_the_baselines(
    result: TrainingResult,
) -> None:
    assert tuple(result.scorecards) == ("ensemble", "barrier_plus", "mean", "stacking", *MODELS)
    card = result.scorecards["ensemble"]
    assert card.tally().rows == len(result.predictions)
    assert set(card.baselines) == {"class_prior", "majority", "regime_prior"}
    skill = card.skill(None, "regime_prior")
    assert skill is not None
    assert skill > 0.02
    assert card.interval(None, "regime_prior") is not None


def test_progress_counts_every_fit_up_to_the_last(rows: TrainingSet) -> None:
    heard: list[Progress] = []
    train(rows, SETTINGS, execute=run_in_order, report=heard.append)
    assert [step.done for step in heard] == list(range(1, 13))
    assert {step.total for step in heard} == {12}
    assert heard[0].what == "lightgbm 2012"
    assert heard[-1].what == "xgboost final"


def test_the_account_tells_rows_and_weight_of_every_fit(rows: TrainingSet, result: TrainingResult) -> None:
    assert [each.fold for each in result.account] == [*FOLDS, "final"]
    final = result.account[-1]
    assert final.rows_trained == len(rows)
    assert final.rows_validated == 0
    assert 0.5 * len(rows) < final.rows_effective < len(rows)
    crash = final.weight_share[Regime.CRASH]
    assert crash is not None
    assert crash > (rows.regime == "crash").mean() * 1.3
    assert sum(each.rows_validated for each in result.account) == len(result.predictions)


def test_the_same_run_gives_the_same_bytes(rows: TrainingSet, result: TrainingResult) -> None:
    again = trained(rows)
    assert again.predictions.ensemble.tobytes() == result.predictions.ensemble.tobytes()
    assert again.scorecards["ensemble"].to_json() == result.scorecards["ensemble"].to_json()
    assert again.recipe_hash == result.recipe_hash
    assert again.data_hash == result.data_hash
    assert again.seeds == result.seeds


def test_another_seed_gives_other_fits(rows: TrainingSet, result: TrainingResult) -> None:
    other = trained(rows, replace(SETTINGS, seed=12))
    assert not np.array_equal(other.predictions.ensemble, result.predictions.ensemble)
    assert other.seeds["xgboost", "2013"] != result.seeds["xgboost", "2013"]


def test_weights_reach_every_member(rows: TrainingSet, result: TrainingResult) -> None:
    unweighted = trained(rows, replace(SETTINGS, weights="none")).predictions.members
    weighted = result.predictions.members
    assert all(not np.array_equal(unweighted[name], weighted[name]) for name in MODELS)


def test_one_model_more_changes_no_other_model(rows: TrainingSet, result: TrainingResult) -> None:
    fewer = trained(rows, replace(SETTINGS, models=MODELS[1:]))
    assert np.array_equal(fewer.predictions.members["xgboost"], result.predictions.members["xgboost"])


def test_a_failed_fit_is_recorded_and_left_out_of_the_mean_of_its_fold(rows: TrainingSet) -> None:
    result = trained(rows, execute=failing(("xgboost", "2013")))
    (failure,) = result.failures
    assert (failure.model, failure.fold, failure.sentence) == ("xgboost", "2013", "MemoryError: too large")
    predictions = result.predictions
    of_fold = predictions.fold == "2013"
    mean = (predictions.members["lightgbm"] + predictions.members["logistic_regression"]) / 2
    assert predictions.ensemble[of_fold] == pytest.approx(mean[of_fold], abs=1e-15)
    assert np.isnan(predictions.members["xgboost"][of_fold]).all()
    assert np.array_equal(predictions.predicted("xgboost"), ~of_fold)
    assert result.scorecards["xgboost"].tally().rows == int((~of_fold).sum())
    assert tuple(result.ensemble.models) == MODELS


def test_a_model_that_fails_everywhere_has_no_scorecard_and_is_not_kept(rows: TrainingSet) -> None:
    everywhere = failing(*(("xgboost", fold) for fold in (*FOLDS, FINAL)))
    result = trained(rows, execute=everywhere)
    assert "xgboost" not in result.scorecards
    assert tuple(result.ensemble.models) == MODELS[:2]
    assert len(result.failures) == 4


@pytest.mark.parametrize("fold", ["2013", FINAL])
def test_too_many_failures_end_the_run(rows: TrainingSet, fold: str) -> None:
    with pytest.raises(FitFailedError, match=rf"{fold}: 1 of 3 models .* failed: lightgbm, xgboost"):
        trained(rows, execute=failing(("xgboost", fold), ("lightgbm", fold)))


def test_a_result_that_never_comes_back_is_a_failure(rows: TrainingSet) -> None:
    def lossy(jobs: Iterable[FitJob]) -> Iterator[FitResult]:
        return (job.run() for job in jobs if (job.model, job.fold) != ("xgboost", "2014"))

    (failure,) = trained(rows, execute=lossy).failures
    assert failure.sentence == "no result came back from where it was run"


def test_an_error_inside_a_fit_becomes_a_sentence() -> None:
    job = FitJob(
        model="logistic_regression",
        fold="2013",
        X=np.zeros((50, 2), dtype=np.float32),
        y=np.zeros(50, dtype=np.int64),
        sample_weight=np.ones(50),
        X_validate=None,
        n_classes=3,
        seed=1,
    )
    result = job.run()
    assert result.fitted is None
    assert result.failure is not None
    assert result.failure.startswith("FitFailedError: logistic_regression: all 50 rows are of one class")


def test_jobs_and_results_travel_between_processes(rows: TrainingSet, result: TrainingResult) -> None:
    def far_away(jobs: Iterable[FitJob]) -> Iterator[FitResult]:
        return (travelled(travelled(job).run()) for job in jobs)

    there = trained(rows, execute=far_away)
    assert there.predictions.ensemble.tobytes() == result.predictions.ensemble.tobytes()
    here = result.ensemble.predict_proba(inputs_of(rows))
    assert np.array_equal(there.ensemble.predict_proba(inputs_of(rows)), here)


def test_fewer_rows_than_needed_are_refused(rows: TrainingSet) -> None:
    with pytest.raises(HistoryTooShortError, match="999 training rows, 1000 are needed"):
        trained(rows.take(np.arange(999)))


def test_a_single_class_is_refused(rows: TrainingSet) -> None:
    with pytest.raises(HistoryTooShortError, match="all 2606 rows are 'hold'"):
        trained(replace(rows, y=np.ones(len(rows), dtype=np.int64)))


def test_a_history_without_a_fold_is_refused(rows: TrainingSet) -> None:
    longer = replace(SETTINGS, walk_forward=WalkForward(fold_years=1, train_years_min=9.0))
    with pytest.raises(HistoryTooShortError, match="no walk-forward fold"):
        trained(rows, longer)


def test_settings_name_all_their_faults_at_once() -> None:
    with pytest.raises(SettingInvalidError, match=r"'catboost'.*quorum = 5, give 1 to 1.*seed = -1"):
        TrainingSettings(models=("catboost",), seed=-1)
    with pytest.raises(SettingInvalidError, match="name each once"):
        TrainingSettings(models=("svm", "svm"), quorum=1)
    with pytest.raises(SettingInvalidError, match="weights 'heavy' do not exist"):
        TrainingSettings(weights="heavy")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ensemble", "vote", r"ensemble = 'vote', use barrier_plus, mean, stacking"),
        ("start_from", "prior", r"start_from = 'prior', use barrier, nothing"),
        ("calibration", "platt", r"calibration = 'platt', use none, regime"),
        ("sampling", "smote", r"sampling = 'smote', use natural"),
        ("replication_max", 0, r"replication_max = 0, give at least 1"),
        ("window_years", 0.0, r"window_years = 0.0, give more than 0"),
        ("window_years", float("nan"), r"window_years = nan, give more than 0"),
        ("archive_share", 1.0, r"archive_share = 1.0, give 0 to below 1"),
        ("archive_share", 0.1, r"archive_share = 0.1 without window_years"),
        ("rows_max", 0, r"rows_max = 0, give at least 1"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_what_can(name: str, value: object, sentence: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(SettingInvalidError, match=sentence):
        TrainingSettings(**given)


def test_a_barrier_cannot_be_started_from_without_volatility(rows: TrainingSet) -> None:
    with pytest.raises(HistoryTooShortError, match=r"no volatility .* set start_from to nothing"):
        trained(rows, replace(SETTINGS, start_from="barrier"))


def test_features_that_all_symbols_share_are_seen_only_when_asked() -> None:
    names = ("return_5", "fear_level", "rsi_14")
    assert seen_columns(names, market_features=False).tolist() == [0, 2]
    assert seen_columns(names, market_features=True).tolist() == [0, 1, 2]


def test_the_recipe_hash_ignores_data_and_sees_everything_else(rows: TrainingSet) -> None:
    recipe = recipe_hash(rows, SETTINGS)
    assert recipe_hash(rows.take(np.arange(1500)), SETTINGS) == recipe
    changed = {
        recipe_hash(rows, replace(SETTINGS, weights="none")),
        recipe_hash(rows, replace(SETTINGS, walk_forward=WalkForward(embargo_days=11))),
        recipe_hash(rows, replace(SETTINGS, seed=1)),
        recipe_hash(rows, replace(SETTINGS, ensemble="stacking")),
        recipe_hash(rows, replace(SETTINGS, calibration="regime")),
        recipe_hash(rows, replace(SETTINGS, window_years=3.0)),
        recipe_hash(replace(rows, feature_hash="decaf"), SETTINGS),
        recipe_hash(replace(rows, labeler="reference"), SETTINGS),
        recipe_hash(replace(rows, target=replace(SPEC, horizon_days=6)), SETTINGS),
    }
    assert len(changed - {recipe}) == 9


def test_seeds_differ_between_models_folds_and_runs() -> None:
    seeds = {job_seed(run, model, fold) for run in (0, 1) for model in MODELS for fold in FOLDS}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**32 for seed in seeds)
