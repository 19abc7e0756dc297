"""What holds of every training run: no look-ahead, and no dependence on who finishes first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regime.fit_jobs import run_in_order
from regime.models.inputs import learn_scale, split_in_time, standardise
from regime.recipe import TrainingSettings
from regime.training import train
from regime.training_set import TrainingSet
from regime.types import REGIMES, TargetSpec
from regime.validation import WalkForward
from tests.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from regime.fit_jobs import FitJob, FitResult
    from regime.fitting import Progress
    from regime.predictions import Predictions

SPEC = TargetSpec(name="near", kind="first_touch", up=0.05, down=0.05, horizon_days=5)
SETTINGS = TrainingSettings(
    models=("logistic_regression",),
    start_from="nothing",
    ablation=False,
    quorum=1,
    walk_forward=WalkForward(fold_years=1, train_years_min=1.0),
    rows_min=500,
)
NAMES = np.array([regime.value for regime in REGIMES])


def rows_of(seed: int) -> TrainingSet:
    """Give one symbol over 2010 to 2013 with random features, regimes and classes."""
    date = np.arange("2010-01-04", "2014-01-01", dtype="datetime64[D]")
    date = date[np.is_busday(date)]
    rng = np.random.default_rng(seed)
    return TrainingSet(
        symbol=np.full(len(date), "AAA"),
        date=date,
        X=rng.normal(size=(len(date), 3)).astype(np.float32),
        y=rng.integers(0, 3, size=len(date)),
        regime=rng.choice(NAMES, size=len(date)),
        label_end=np.busday_offset(date, 5),
        horizon_end=np.busday_offset(date, 5),
        feature_names=("a", "b", "c"),
        feature_hash="c0ffee",
        labeler="rules",
        target=SPEC,
    )


def silent(_: Progress) -> None:
    """Hear of no progress."""


def predicted(rows: TrainingSet) -> Predictions:
    return train(rows, SETTINGS, execute=run_in_order, report=silent).predictions


@examples(4)
@given(seed=st.integers(0, 2**16), first=st.integers(250, 1000))
def test_nothing_of_later_days_changes_an_earlier_prediction(seed: int, first: int) -> None:
    rows, other = rows_of(seed), rows_of(seed + 1)
    later = np.arange(len(rows)) >= first
    changed = replace(
        rows,
        X=np.where(later[:, np.newaxis], other.X, rows.X),
        y=np.where(later, other.y, rows.y),
        regime=np.where(later, other.regime, rows.regime),
    )
    before, after = predicted(rows), predicted(changed)
    earlier = before.date < rows.date[first]
    assert np.array_equal(before.ensemble[earlier], after.ensemble[earlier])
    assert np.array_equal(before.baselines["regime_prior"][earlier], after.baselines["regime_prior"][earlier])
    assert not np.array_equal(before.ensemble[~earlier], after.ensemble[~earlier])


@examples(4)
@given(seed=st.integers(0, 2**16))
def test_outcomes_not_known_ten_sessions_before_a_fold_do_not_reach_it(seed: int) -> None:
    rows = rows_of(seed)
    start = np.datetime64("2012-01-02")
    unripe = np.busday_offset(rows.horizon_end, 10, roll="forward") >= start
    changed = replace(rows, y=np.where(unripe, (rows.y + 1) % 3, rows.y))
    before, after = predicted(rows), predicted(changed)
    fold = before.fold == "2012"
    assert fold.sum() == 261
    assert np.array_equal(before.ensemble[fold], after.ensemble[fold])


@examples(3)
@given(order=st.permutations(range(8)))
def test_the_order_of_arrival_changes_nothing(order: list[int]) -> None:
    def shuffled(jobs: Iterable[FitJob]) -> Iterator[FitResult]:
        results = [job.run() for job in jobs]
        return (results[at] for at in order if at < len(results))

    rows, two = rows_of(1), replace(SETTINGS, models=("logistic_regression", "lightgbm"))
    here = train(rows, two, execute=run_in_order, report=silent)
    there = train(rows, two, execute=shuffled, report=silent)
    assert there.predictions.ensemble.tobytes() == here.predictions.ensemble.tobytes()
    assert tuple(there.ensemble.models) == tuple(here.ensemble.models)
    assert there.seeds == here.seeds


@examples(40)
@given(
    n_rows=st.integers(0, 100_000),
    holdout=st.floats(0.05, 0.5),
    gap=st.floats(0.0, 0.2),
)
def test_late_rows_are_after_early_rows_and_all_of_the_end(n_rows: int, holdout: float, gap: float) -> None:
    early, late = split_in_time(n_rows, holdout, gap)
    assert early.start == 0
    assert early.stop <= late.start
    assert late.stop == n_rows
    assert early.stop >= 0


@examples(40)
@given(
    values=st.lists(
        st.one_of(st.floats(width=32, allow_infinity=False, allow_nan=False), st.just(float("nan"))),
        min_size=1,
        max_size=30,
    )
)
def test_standardised_values_are_finite_and_bounded(values: list[float]) -> None:
    X = np.array(values, dtype=np.float32)[:, np.newaxis]
    standardised = standardise(X, **learn_scale(X))
    assert standardised.dtype == np.float32
    assert np.abs(standardised).max() <= 4
    assert (standardised[np.isnan(X)] == 0).all()
