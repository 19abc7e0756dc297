from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from regime.codes import RegimeNameUnknownError
from regime.errors import HistoryTooShortError, SettingInvalidError
from regime.types import REGIMES, Regime
from regime.validation import Fold, SplitInputInvalidError, Splitter, WalkForward, regime_sets

NAT = np.datetime64("NaT", "D")


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def weekdays(first: str, last: str) -> np.ndarray:
    each = np.arange(day(first), day(last) + 1)
    return each[np.is_busday(each)]


def horizon_ends(sessions: np.ndarray, horizon: int = 14) -> np.ndarray:
    ends = np.full(len(sessions), NAT)
    ends[:-horizon] = sessions[horizon:]
    return ends


def fold_of(settings: WalkForward, first: str, last: str) -> Fold:
    sessions = weekdays(first, last)
    (fold,) = settings.folds(sessions, horizon_ends(sessions), sessions)
    return fold


def test_blocks_are_the_calendar_years_that_the_fold_length_divides() -> None:
    sessions = weekdays("1999-01-04", "2012-06-29")
    folds = WalkForward().folds(sessions, horizon_ends(sessions), sessions)
    assert [fold.name for fold in folds] == ["2004-2006", "2007-2009", "2010-2012"]


def test_a_block_of_one_year_is_named_by_it() -> None:
    sessions = weekdays("1999-01-04", "2003-06-30")
    folds = WalkForward(fold_years=1).folds(sessions, horizon_ends(sessions), sessions)
    assert [fold.name for fold in folds] == ["2002", "2003"]


def test_ten_sessions_lie_between_the_last_horizon_and_the_first_validation_day() -> None:
    sessions = weekdays("2003-01-01", "2006-12-29")
    horizon_end = horizon_ends(sessions)
    (fold,) = WalkForward(train_years_min=1.0).folds(sessions, horizon_end, sessions)
    last = horizon_end[fold.train].max()
    between = sessions[(sessions > last) & (sessions < fold.validate_from)]
    assert (str(fold.validate_from), len(between)) == ("2004-01-01", 10)
    assert (str(last), str(fold.train_to)) == ("2003-12-17", "2003-11-27")


def test_no_embargo_still_leaves_the_horizon_before_the_first_validation_day() -> None:
    sessions = weekdays("2003-01-01", "2006-12-29")
    horizon_end = horizon_ends(sessions)
    (fold,) = WalkForward(train_years_min=0.9, embargo_days=0).folds(sessions, horizon_end, sessions)
    assert str(horizon_end[fold.train].max()) == "2003-12-31"


def test_training_starts_with_the_history_and_grows() -> None:
    sessions = weekdays("2001-01-01", "2009-12-31")
    folds = WalkForward().folds(sessions, horizon_ends(sessions), sessions)
    assert [(len(fold.train), int(fold.train[0])) for fold in folds] == [(759, 0), (1541, 0)]


def test_a_rolling_window_forgets_what_is_older_than_its_length() -> None:
    sessions = weekdays("1995-01-02", "2006-12-29")
    settings = WalkForward(train_years_max=4.0)
    folds = settings.folds(sessions, horizon_ends(sessions), sessions)
    first_days = [str(sessions[fold.train[0]]) for fold in folds]
    assert first_days == ["1995-01-02", "1997-01-01", "2000-01-03"]


def test_a_row_whose_horizon_is_not_over_is_in_no_fold() -> None:
    sessions = weekdays("2001-01-01", "2006-12-29")
    horizon_end = horizon_ends(sessions)
    horizon_end[[100, 1000]] = NAT
    (fold,) = WalkForward().folds(sessions, horizon_end, sessions)
    assert not np.isin([100, 1000], np.concatenate([fold.train, fold.validate])).any()
    assert str(fold.validate_to) == "2006-12-11"


def test_all_symbols_of_a_day_are_on_the_same_side() -> None:
    sessions = weekdays("2001-01-01", "2006-12-29")
    date = np.repeat(sessions, 3)
    (fold,) = WalkForward().folds(date, np.repeat(horizon_ends(sessions), 3), sessions)
    assert len(fold.train) == 3 * 759
    assert set(date[fold.train].tolist()).isdisjoint(date[fold.validate].tolist())


def test_a_symbol_that_misses_days_is_purged_by_its_own_longer_horizon() -> None:
    sessions = weekdays("2001-01-01", "2006-12-29")
    sparse = sessions[::5]
    date = np.concatenate([sessions, sparse])
    horizon_end = np.concatenate([horizon_ends(sessions), horizon_ends(sparse)])
    (fold,) = WalkForward().folds(date, horizon_end, sessions)
    last_sparse = date[fold.train[fold.train >= len(sessions)]].max()
    assert (str(fold.train_to), str(last_sparse)) == ("2003-11-27", "2003-09-08")


def test_an_embargo_is_counted_in_sessions_across_a_closed_market() -> None:
    sessions = weekdays("2001-01-01", "2006-12-29")
    closed = (sessions >= day("2003-11-01")) & (sessions <= day("2003-12-26"))
    open_days = sessions[~closed]
    (fold,) = WalkForward().folds(open_days, horizon_ends(open_days), open_days)
    assert str(fold.train_to) == "2003-10-02"


def test_sessions_beyond_the_rows_change_nothing() -> None:
    sessions = weekdays("2001-01-01", "2006-12-29")
    longer = weekdays("2001-01-01", "2012-12-31")
    (fold,) = WalkForward().folds(sessions, horizon_ends(sessions), sessions)
    (same,) = WalkForward().folds(sessions, horizon_ends(sessions), longer)
    np.testing.assert_array_equal(fold.train, same.train)
    np.testing.assert_array_equal(fold.validate, same.validate)


def test_a_block_without_enough_history_is_left_out_with_the_reason() -> None:
    sessions = weekdays("2003-01-01", "2009-12-31")
    plan = WalkForward().plan(sessions, horizon_ends(sessions), sessions)
    assert [fold.name for fold in plan.folds] == ["2007-2009"]
    assert dict(plan.left_out) == {
        "2001-2003": "no training row has its horizon and the embargo before it",
        "2004-2006": "history of 1.0 years before it, 3.0 are needed",
    }


def test_a_block_without_enough_training_rows_is_left_out_with_the_reason() -> None:
    sessions = weekdays("2001-01-01", "2006-12-29")
    plan = WalkForward(train_rows_min=1000).plan(sessions, horizon_ends(sessions), sessions)
    assert plan.left_out["2004-2006"] == "759 training rows before it, 1000 are needed"


def test_a_history_from_the_first_session_of_a_year_counts_from_new_year() -> None:
    assert fold_of(WalkForward(), "2004-01-05", "2009-12-31").name == "2007-2009"
    with pytest.raises(HistoryTooShortError):
        fold_of(WalkForward(), "2004-02-02", "2009-12-31")


def test_a_history_without_any_fold_is_refused_with_all_reasons() -> None:
    sessions = weekdays("2023-01-02", "2025-06-30")
    with pytest.raises(HistoryTooShortError, match=r"2025-2027: history of 2\.0 years before it, 3\.0 are"):
        WalkForward().folds(sessions, horizon_ends(sessions), sessions)


def test_no_matured_row_is_a_history_that_is_too_short() -> None:
    sessions = weekdays("2023-01-02", "2023-01-06")
    with pytest.raises(HistoryTooShortError, match="no row has matured"):
        WalkForward().folds(sessions, np.full(5, NAT), sessions)


def test_every_setting_out_of_range_is_named() -> None:
    with pytest.raises(SettingInvalidError) as refused:
        WalkForward(fold_years=0, train_years_min=0, train_years_max=-1.0, embargo_days=-1, train_rows_min=0)
    names = ("fold_years", "train_years_min", "train_years_max", "embargo_days", "train_rows_min")
    assert all(name in str(refused.value) for name in names)


def test_days_without_horizons_are_refused() -> None:
    sessions = weekdays("2001-01-01", "2001-01-31")
    with pytest.raises(SplitInputInvalidError, match="23 days and 22 horizons"):
        WalkForward().plan(sessions, sessions[1:], sessions)


def test_a_missing_day_is_refused() -> None:
    sessions = weekdays("2001-01-01", "2001-01-31")
    date = sessions.copy()
    date[4] = NAT
    with pytest.raises(SplitInputInvalidError, match="row 4 has no date"):
        WalkForward().plan(date, sessions, sessions)


def test_a_horizon_that_ends_before_its_row_is_refused() -> None:
    sessions = weekdays("2001-01-01", "2001-01-31")
    with pytest.raises(SplitInputInvalidError, match="before it"):
        WalkForward().plan(sessions, sessions - 1, sessions)


def test_unsorted_sessions_are_refused() -> None:
    sessions = weekdays("2001-01-01", "2001-01-31")
    with pytest.raises(SplitInputInvalidError, match="ascending"):
        WalkForward().plan(sessions, sessions, sessions[::-1])


def test_the_splitter_gives_the_folds_of_a_panel_that_misses_no_day() -> None:
    sessions = weekdays("2001-01-01", "2009-12-31")
    date = np.repeat(sessions, 2)
    splits = list(Splitter(horizon_days=14).split(None, groups=date))
    folds = WalkForward().folds(date, np.repeat(horizon_ends(sessions), 2), sessions)
    assert len(splits) == len(folds) == 2
    for (train, validate), fold in zip(splits, folds, strict=True):
        np.testing.assert_array_equal(train, fold.train)
        np.testing.assert_array_equal(validate, fold.validate)


def test_the_splitter_works_as_the_cv_of_scikit_learn() -> None:
    date = weekdays("2001-01-01", "2009-12-31")
    X, y = np.zeros((len(date), 1)), (date >= day("2007-01-01")).astype(int)
    scores = cross_val_score(DummyClassifier(), X, y, groups=date, cv=Splitter())
    assert scores.tolist() == [1.0, 0.0]


def test_the_splitter_needs_days() -> None:
    with pytest.raises(SplitInputInvalidError, match="groups"):
        Splitter().get_n_splits()


def test_every_regime_has_its_set_also_if_it_is_empty() -> None:
    sets = regime_sets(np.array(["normal", "crash", "unknown", "normal"]))
    assert tuple(sets) == REGIMES
    assert {regime.value: rows.tolist() for regime, rows in sets.items()} == {
        "crash": [1],
        "recovery": [],
        "high_volatility": [],
        "normal": [0, 3],
        "low_volatility": [],
    }
    assert Regime.UNKNOWN not in sets


def test_a_regime_that_does_not_exist_has_no_set() -> None:
    with pytest.raises(RegimeNameUnknownError):
        regime_sets(np.array(["bull"]))


def test_blocks_follow_each_other_without_a_hole() -> None:
    sessions = weekdays("1999-01-04", "2012-06-29")
    folds = WalkForward().folds(sessions, horizon_ends(sessions), sessions)
    assert all(after.validate[0] == before.validate[-1] + 1 for before, after in pairwise(folds))
