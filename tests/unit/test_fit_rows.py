"""Which rows a fit learns from: window and archive, each n-th session, over-sampling, weights."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from regime.events import RareEvent
from regime.fit_rows import choose_rows, renamed, weigh
from regime.recipe import TrainingSettings
from regime.training_set import TrainingSet
from regime.types import REGIMES, Regime, TargetSpec
from regime.validation import Fold, WalkForward
from regime.weights import WEIGHTS, regime_weights, uniqueness_of_rows, uniqueness_weights

SPEC = TargetSpec(name="near", kind="first_touch", up=0.05, down=0.05, horizon_days=5)
SETTINGS = TrainingSettings(
    models=("logistic_regression",),
    start_from="nothing",
    quorum=1,
    walk_forward=WalkForward(fold_years=1, train_years_min=2.0),
)
WINDOW = replace(SETTINGS, window_years=1.0)
ARCHIVE = replace(WINDOW, archive_share=0.2)
EVENT = RareEvent(
    id="panic", first_day=date(2010, 3, 1), last_day=date(2010, 6, 30), regime=Regime.CRASH, weight=1.0
)


def rows_of_five_years() -> TrainingSet:
    """Give two symbols over 2010 to 2014, mostly normal, with a crash in each March."""
    weekdays = np.arange("2010-01-04", "2015-01-01", dtype="datetime64[D]")
    day = np.repeat(weekdays[np.is_busday(weekdays)], 2)
    rng = np.random.default_rng(1)
    is_march = day.astype("datetime64[M]").astype(int) % 12 == 2
    usual = rng.choice(["normal", "low_volatility", "high_volatility"], size=len(day))
    return TrainingSet(
        symbol=np.tile(["AAA", "BBB"], len(day) // 2),
        date=day,
        X=rng.normal(size=(len(day), 2)).astype(np.float32),
        y=rng.integers(0, 3, size=len(day)),
        regime=np.where(is_march, "crash", usual),
        label_end=np.busday_offset(day, 1 + np.arange(len(day)) % 5),
        horizon_end=np.busday_offset(day, 5),
        feature_names=("a", "b"),
        feature_hash="c0ffee",
        labeler="rules",
        target=SPEC,
    )


@pytest.fixture(scope="module")
def rows() -> TrainingSet:
    return rows_of_five_years()


@pytest.fixture(scope="module")
def fold(rows: TrainingSet) -> Fold:
    last = SETTINGS.walk_forward.folds(rows.date, rows.horizon_end, np.unique(rows.date))[-1]
    assert last.name == "2014"
    return last


def test_without_a_choice_all_that_the_split_allows_is_learnt_once(rows: TrainingSet, fold: Fold) -> None:
    chosen = choose_rows(rows, SETTINGS, fold, weights="none", events=(EVENT,))
    assert chosen.name == "2014"
    assert np.array_equal(chosen.train, fold.train)
    assert chosen.validate is not None
    assert np.array_equal(chosen.validate, fold.validate)
    assert chosen.sample_weight.tolist() == [1.0] * len(fold.train)
    account = chosen.account
    assert (account.every_days, account.rows_trained, account.rows_distinct) == (1, 2054, 2054)
    assert (account.rows_validated, account.rows_effective, account.archive) == (522, 2054.0, {})


def test_the_final_fit_takes_every_row_and_predicts_none(rows: TrainingSet) -> None:
    chosen = choose_rows(rows, SETTINGS, None, weights="none", events=())
    assert (chosen.name, chosen.validate) == ("final", None)
    assert np.array_equal(chosen.train, np.arange(len(rows)))


def test_a_window_is_of_calendar_years_before_the_fold(rows: TrainingSet, fold: Fold) -> None:
    chosen = choose_rows(rows, WINDOW, fold, weights="none", events=())
    assert str(rows.date[chosen.train[0]]) == "2013-01-01"
    assert chosen.train[-1] == fold.train[-1]
    assert chosen.account.rows_available == len(fold.train)
    last = choose_rows(rows, WINDOW, None, weights="none", events=())
    assert str(rows.date[last.train[0]]) == "2014-01-01"
    assert last.train[-1] == len(rows) - 1


def test_the_archive_adds_its_share_of_old_events_to_the_window(rows: TrainingSet, fold: Fold) -> None:
    window = choose_rows(rows, WINDOW, fold, weights="none", events=())
    chosen = choose_rows(rows, ARCHIVE, fold, weights="none", events=(EVENT,))
    old = np.setdiff1d(chosen.train, window.train)
    assert np.isin(window.train, chosen.train).all()
    assert np.isin(chosen.train, fold.train).all()
    assert chosen.account.archive == {"panic": len(old)}
    assert len(old) / len(chosen.train) == pytest.approx(0.2, abs=0.002)
    assert rows.date[old].min() >= np.datetime64("2010-03-01")
    assert rows.date[old].max() <= np.datetime64("2010-06-30")


def test_an_event_that_a_fold_could_not_know_gives_it_nothing(rows: TrainingSet, fold: Fold) -> None:
    coming = replace(EVENT, id="coming", first_day=date(2012, 12, 1), last_day=date(2014, 1, 10))
    chosen = choose_rows(rows, ARCHIVE, fold, weights="none", events=(coming,))
    assert chosen.account.archive == {"coming": 0}
    assert np.isin(chosen.train, fold.train).all()


def test_too_many_rows_are_thinned_to_each_nth_weekday_of_all_symbols(rows: TrainingSet, fold: Fold) -> None:
    chosen = choose_rows(rows, replace(SETTINGS, rows_max=1000), fold, weights="none", events=())
    assert chosen.account.every_days == 3
    assert len(chosen.train) <= 1000
    assert np.isin(chosen.train, fold.train).all()
    assert (np.unique(rows.date[chosen.train], return_counts=True)[1] == 2).all()
    gaps = np.diff(np.unique(rows.date[chosen.train]).astype(int))
    assert set(gaps.tolist()) == {3, 5}


def test_sampling_repeats_rare_rows_within_the_training_rows(rows: TrainingSet, fold: Fold) -> None:
    settings = replace(SETTINGS, sampling="uniform", replication_max=4)
    chosen = choose_rows(rows, settings, fold, weights="none", events=())
    assert np.isin(chosen.train, fold.train).all()
    assert (np.diff(chosen.train) >= 0).all()
    times = np.unique(chosen.train, return_counts=True)[1]
    assert 1 < times.max() <= 4
    assert chosen.account.rows_distinct == len(times) < chosen.account.rows_trained
    before, after = ((rows.regime[each] == "crash").mean() for each in (fold.train, chosen.train))
    assert after > 1.5 * before


def test_thinning_comes_before_sampling_and_weights_after_it(rows: TrainingSet, fold: Fold) -> None:
    settings = replace(SETTINGS, sampling="reference", rows_max=700)
    chosen = choose_rows(rows, settings, fold, weights="reference", events=())
    thinned = choose_rows(rows, replace(SETTINGS, rows_max=700), fold, weights="none", events=())
    assert np.isin(chosen.train, thinned.train).all()
    expected = regime_weights(rows.regime[chosen.train], WEIGHTS["reference"])
    assert np.array_equal(chosen.sample_weight, expected)
    assert chosen.account.rows_effective < len(chosen.train)


def test_chance_comes_from_the_seed_and_the_name_of_the_fold(rows: TrainingSet, fold: Fold) -> None:
    settings = replace(ARCHIVE, sampling="uniform")
    one, same = (choose_rows(rows, settings, fold, weights="none", events=(EVENT,)) for _ in range(2))
    other = choose_rows(rows, replace(settings, seed=1), fold, weights="none", events=(EVENT,))
    assert np.array_equal(one.train, same.train)
    assert not np.array_equal(one.train, other.train)


def test_later_rows_change_no_choice_of_an_earlier_fold(rows: TrainingSet) -> None:
    settings = replace(ARCHIVE, sampling="uniform", rows_max=400)
    until = rows.take(rows.date < np.datetime64("2014-01-01"))
    chosen = []
    for each in (rows, until):
        folds = settings.walk_forward.folds(each.date, each.horizon_end, np.unique(each.date))
        of_2013 = next(fold for fold in folds if fold.name == "2013")
        chosen.append(choose_rows(each, settings, of_2013, weights="reference", events=(EVENT,)))
    assert np.array_equal(chosen[0].train, chosen[1].train)
    assert np.array_equal(chosen[0].sample_weight, chosen[1].sample_weight)


def test_regimes_without_a_row_are_named(rows: TrainingSet, fold: Fold) -> None:
    account = choose_rows(rows, SETTINGS, fold, weights="reference", events=()).account
    assert account.regimes_absent == (Regime.RECOVERY,)
    assert account.weight_share[Regime.RECOVERY] is None
    known = [share for share in account.weight_share.values() if share is not None]
    assert len(known) == len(REGIMES) - 1
    assert sum(known) == pytest.approx(1.0)


def test_uniqueness_weighs_labels_that_share_few_days_more(rows: TrainingSet) -> None:
    some = np.arange(0, 600)
    weight = weigh(rows, some, "uniqueness")
    own = uniqueness_of_rows(rows.symbol[some], rows.date[some], rows.label_end[some])
    assert np.array_equal(weight, uniqueness_weights(own))
    assert weight.mean() == pytest.approx(1.0)
    quick = (rows.label_end[some] - rows.date[some]) <= np.timedelta64(1, "D")
    assert weight.std() > 0.05
    assert quick.any()


def test_a_control_has_the_same_rows_under_its_own_name(rows: TrainingSet, fold: Fold) -> None:
    chosen = choose_rows(rows, SETTINGS, fold, weights="none", events=())
    control = renamed(chosen, "2014/weights")
    assert (control.name, control.account.fold) == ("2014/weights", "2014")
    assert control.train is chosen.train
