"""Controls that take one choice back, and the choice of weights on inner rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from regime.controls import chosen_weights, control_models, controls_of, plan_choice, plan_controls
from regime.events import RareEvent
from regime.fit_jobs import FINAL, FitJob, FitResult, job_seed, run_in_order
from regime.fit_rows import choose_rows
from regime.recipe import TrainingSettings
from regime.training import TrainingResult, train
from regime.training_set import TrainingSet
from regime.types import REGIMES, Regime, TargetSpec
from regime.validation import Fold, WalkForward

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SPEC = TargetSpec(name="near", kind="first_touch", up=0.05, down=0.05, horizon_days=5)
SETTINGS = TrainingSettings(
    models=("logistic_regression", "extra_trees"),
    start_from="nothing",
    ensemble="mean",
    weights="auto",
    quorum=1,
    walk_forward=WalkForward(fold_years=1, train_years_min=2.0),
    seed=3,
)
EVENT = RareEvent(
    id="panic", first_day=date(2010, 3, 1), last_day=date(2010, 6, 30), regime=Regime.CRASH, weight=1.0
)
EVERYTHING = replace(SETTINGS, weights="reference", window_years=1.5, archive_share=0.1, sampling="uniform")
NAMES = np.array([regime.value for regime in REGIMES])
PRESETS = ["none", "reference", "uniqueness", "inverse_frequency"]


@pytest.fixture(scope="module")
def rows() -> TrainingSet:
    """Give one symbol over 2010 to 2013; the first feature decides the class."""
    day = np.arange("2010-01-04", "2014-01-01", dtype="datetime64[D]")
    day = day[np.is_busday(day)]
    rng = np.random.default_rng(1)
    X = rng.normal(size=(len(day), 2)).astype(np.float32)
    return TrainingSet(
        symbol=np.full(len(day), "AAA"),
        date=day,
        X=X,
        y=np.digitize(X[:, 0] + rng.normal(size=len(day)), [-1.0, 1.0]).astype(np.int64),
        regime=rng.choice(NAMES, size=len(day), p=[0.05, 0.05, 0.2, 0.4, 0.3]),
        label_end=np.busday_offset(day, 3),
        horizon_end=np.busday_offset(day, 5),
        feature_names=("a", "b"),
        feature_hash="c0ffee",
        labeler="rules",
        target=SPEC,
    )


@pytest.fixture(scope="module")
def folds(rows: TrainingSet) -> tuple[Fold, ...]:
    return SETTINGS.walk_forward.folds(rows.date, rows.horizon_end, np.unique(rows.date))


def trained(rows: TrainingSet, settings: TrainingSettings) -> tuple[TrainingResult, list[FitJob]]:
    seen: list[FitJob] = []

    def watched(jobs: Iterable[FitJob]) -> Iterator[FitResult]:
        for job in jobs:
            seen.append(job)
            yield job.run()

    return train(rows, settings, execute=watched, report=lambda _: None, events=(EVENT,)), seen


def test_there_is_a_control_for_each_choice_and_none_without() -> None:
    assert [control.name for control in controls_of(EVERYTHING)] == ["weights", "archive", "sampling"]
    assert controls_of(replace(EVERYTHING, ablation=False)) == ()
    assert controls_of(replace(SETTINGS, weights="none")) == ()


def test_two_quick_models_stand_for_all_or_the_first_where_neither_is_trained() -> None:
    assert control_models(TrainingSettings()) == ("lightgbm", "logistic_regression")
    assert control_models(SETTINGS) == ("logistic_regression",)
    assert control_models(replace(SETTINGS, models=("svm", "mlp"))) == ("svm",)


def test_a_control_differs_only_in_what_it_takes_back(rows: TrainingSet, folds: tuple[Fold, ...]) -> None:
    given = {fold.name: "reference" for fold in folds}
    plan = {each.rows.name: each.rows for each in plan_controls(rows, EVERYTHING, folds, given, (EVENT,))}
    assert sorted(plan) == [
        f"{fold}/{name}" for fold in ("2012", "2013") for name in ("archive", "sampling", "weights")
    ]
    main = choose_rows(rows, EVERYTHING, folds[1], weights="reference", events=(EVENT,))
    unweighted, natural, recent = (plan[f"2013/{name}"] for name in ("weights", "sampling", "archive"))
    assert np.array_equal(unweighted.train, main.train)
    assert unweighted.sample_weight.tolist() == [1.0] * len(main.train)
    assert natural.account.weights == recent.account.weights == "reference"
    assert natural.account.archive == main.account.archive
    assert len(np.unique(natural.train)) == len(natural.train)
    assert recent.account.archive == {}
    assert rows.date[recent.train].min() >= np.datetime64("2011-07-01")
    for control in (unweighted, natural, recent):
        assert control.validate is not None
        assert np.array_equal(control.validate, folds[1].validate)


def test_controls_have_the_seed_of_the_fit_beside_them(rows: TrainingSet) -> None:
    _, jobs = trained(rows, replace(SETTINGS, weights="reference"))
    seeds = {(job.model, job.fold): job.seed for job in jobs}
    assert seeds["logistic_regression", "2013/weights"] == seeds["logistic_regression", "2013"]
    assert seeds["logistic_regression", "2013"] == job_seed(3, "logistic_regression", "2013")
    assert ("extra_trees", "2013/weights") not in seeds


def test_what_each_choice_did_is_measured_on_all_rows_of_the_folds(
    rows: TrainingSet, folds: tuple[Fold, ...]
) -> None:
    result, _ = trained(rows, EVERYTHING)
    assert sorted(result.ablations) == ["archive", "sampling", "weights"]
    for ablation in result.ablations.values():
        assert ablation.overall.rows == sum(len(fold.validate) for fold in folds)
        assert ablation.overall.log_loss is not None


def test_without_controls_nothing_is_measured(rows: TrainingSet) -> None:
    result, jobs = trained(rows, replace(EVERYTHING, ablation=False))
    assert result.ablations == {}
    assert len(jobs) == 6


# Automatic weights


def test_the_choice_looks_at_training_rows_of_its_fold_only(
    rows: TrainingSet, folds: tuple[Fold, ...]
) -> None:
    cuts, names = (*folds, None), ("2012", "2013", FINAL)
    plan = plan_choice(rows, SETTINGS, cuts, names)
    assert [each.rows.name for each in plan] == [f"{name}/{preset}" for name in names for preset in PRESETS]
    for each in plan[4:8]:
        assert each.rows.validate is not None
        assert np.isin(each.rows.train, folds[1].train).all()
        assert np.isin(each.rows.validate, folds[1].train).all()
        assert each.rows.validate.max() == folds[1].train.max()
        # 15 sessions, of horizon and embargo, lie between what is learnt and what is predicted.
        assert each.rows.validate.min() - each.rows.train.max() == 16
        assert len(each.rows.validate) / len(folds[1].train) == pytest.approx(0.2, abs=0.01)


def test_outcomes_of_the_fold_itself_change_no_choice(rows: TrainingSet) -> None:
    late = rows.date >= np.datetime64("2013-01-01")
    changed = replace(rows, y=np.where(late, (rows.y + 1) % 3, rows.y))
    ours, _ = trained(rows, SETTINGS)
    theirs, _ = trained(changed, SETTINGS)
    assert [each.weights for each in ours.account[:2]] == [each.weights for each in theirs.account[:2]]
    assert [each.fold for each in ours.account] == ["2012", "2013", "final"]
    assert {each.weights for each in ours.account} <= set(PRESETS)


def test_the_preset_of_the_least_inner_loss_is_taken(rows: TrainingSet, folds: tuple[Fold, ...]) -> None:
    names = ("2012", "2013", FINAL)
    plan = plan_choice(rows, SETTINGS, (*folds, None), names)
    best = {"2012": "uniqueness", "2013": "none", FINAL: "reference"}
    results = {}
    for each in plan:
        assert each.rows.validate is not None
        name, _, preset = each.rows.name.partition("/")
        sure = 0.8 if preset == best[name] else 0.5
        truth = rows.y[each.rows.validate]
        proba = np.where(np.eye(3)[truth] > 0, sure, (1 - sure) / 2)
        key = ("logistic_regression", each.rows.name)
        results[key] = FitResult(model=key[0], fold=key[1], proba=proba)
    assert chosen_weights(rows, SETTINGS, names, plan, results) == best


def test_where_every_inner_fit_failed_rows_are_not_weighted(
    rows: TrainingSet, folds: tuple[Fold, ...]
) -> None:
    plan = plan_choice(rows, SETTINGS, (*folds, None), ("2012", "2013", FINAL))
    results = {
        ("logistic_regression", each.rows.name): FitResult(
            model="logistic_regression", fold=each.rows.name, failure="MemoryError: too large"
        )
        for each in plan
    }
    names = ("2012", "2013", FINAL)
    assert chosen_weights(rows, SETTINGS, names, plan, results) == dict.fromkeys(names, "none")


def test_a_named_preset_needs_no_choice(rows: TrainingSet, folds: tuple[Fold, ...]) -> None:
    named = replace(SETTINGS, weights="uniqueness")
    assert plan_choice(rows, named, (*folds, None), ("2012", "2013", FINAL)) == []
    assert chosen_weights(rows, named, ("2012",), [], {}) == {"2012": "uniqueness"}
    result = train(rows, named, execute=run_in_order, report=lambda _: None)
    assert {each.weights for each in result.account} == {"uniqueness"}
