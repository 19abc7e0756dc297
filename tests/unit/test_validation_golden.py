"""Splits worked out by hand or computed once with skfolio, held against ours."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from regime.crisis_exam import LeaveOneEventOut
from regime.events import RareEvent
from regime.types import Regime
from regime.validation import Splitter, WalkForward

NAT = np.datetime64("NaT", "D")


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def every_day(first: str, last: str) -> np.ndarray:
    return np.arange(day(first), day(last) + 1)


def weekdays(first: str, last: str) -> np.ndarray:
    each = every_day(first, last)
    return each[np.is_busday(each)]


def horizon_ends(sessions: np.ndarray, horizon: int) -> np.ndarray:
    ends = np.full(len(sessions), NAT)
    ends[: len(sessions) - horizon] = sessions[horizon:]
    return ends


def runs(rows: np.ndarray) -> list[tuple[int, int]]:
    """Give the first and last of each run of consecutive rows."""
    parts = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]


@pytest.mark.parametrize(
    ("first", "last", "train"),
    [
        (0, 59, [(84, 239)]),
        (30, 89, [(0, 5), (114, 239)]),
        (90, 149, [(0, 65), (174, 239)]),
        (120, 179, [(0, 95), (204, 239)]),
        (180, 239, [(0, 155)]),
    ],
)
def test_an_event_is_cut_out_as_skfolio_cuts_out_two_neighbouring_folds(
    first: int, last: int, train: list[tuple[int, int]]
) -> None:
    """Rows are those of skfolio 1.12.2, which is no dependency: it brings cvxpy and plotly.

    ``CombinatorialPurgedCV(n_folds=8, n_test_folds=2, purged_size=24)`` on 240 rows, its splits whose two
    test folds are neighbours: it purges 24 rows, here a horizon of 14 and an embargo of 10.
    """
    sessions = every_day("2001-01-01", "2002-12-31")
    event = RareEvent(
        id="two_folds",
        first_day=sessions[first].item(),
        last_day=sessions[last].item(),
        regime=Regime.CRASH,
        weight=1.0,
    )
    exam = LeaveOneEventOut(events=(event,), train_rows_min=1)
    (fold,) = exam.folds(sessions[:240], horizon_ends(sessions, 14)[:240], sessions)
    assert runs(fold.validate) == [(first, last)]
    assert runs(fold.train) == train


def test_years_are_walked_through_as_skfolio_walks_through_blocks_of_365_rows() -> None:
    """Rows are those of skfolio 1.12.2, where every day of three years without a 29 February is a session.

    ``WalkForward(test_size=365, train_size=341, purged_size=24, expand_train=True)`` on 1,095 rows.
    """
    sessions = every_day("2001-01-01", "2004-12-31")
    walk = WalkForward(fold_years=1, train_years_min=0.9)
    folds = walk.folds(sessions[:1095], horizon_ends(sessions, 14)[:1095], sessions)
    assert [(runs(fold.train), runs(fold.validate)) for fold in folds] == [
        ([(0, 340)], [(365, 729)]),
        ([(0, 705)], [(730, 1094)]),
    ]


def test_the_embargo_is_counted_in_sessions_of_a_week_with_a_holiday() -> None:
    """By hand: horizon 2, embargo 3, and 25 December 2003 is no session.

    Before Thursday 1 January 2004, which is none either, the sessions are 31, 30, 29 December: the embargo.
    So a horizon may end on Friday 26, and it ends there for the row of Tuesday 23.
    """
    sessions = weekdays("2001-01-01", "2004-12-31")
    sessions = sessions[~np.isin(sessions, [day("2003-12-25"), day("2004-01-01")])]
    (fold,) = WalkForward(embargo_days=3, train_years_min=2.0, fold_years=2).folds(
        sessions, horizon_ends(sessions, 2), sessions
    )
    assert (str(fold.train_to), str(fold.validate_from)) == ("2003-12-23", "2004-01-02")


def test_each_of_two_symbols_with_other_holidays_is_purged_by_its_own_horizon() -> None:
    """By hand: horizon 2, embargo 1; the first rests on 24 to 26 December 2003, the second on 29 and 30.

    All sessions before 2004: ..., 22, 23, 24, 25, 26, 29, 30, 31 December. The embargo is the 31st, so that
    a horizon may end on the 30th. The first symbol's row of the 26th does not exist; that of the 23rd ends on
    the 30th (29, 30). The second's row of the 26th ends on 1 January (31, 1), that of the 25th on the 31st
    (26, 31), that of the 24th on the 26th (25, 26).
    """
    all_days = weekdays("2001-01-01", "2004-12-31")
    first = all_days[~np.isin(all_days, every_day("2003-12-24", "2003-12-26"))]
    second = all_days[~np.isin(all_days, every_day("2003-12-29", "2003-12-30"))]
    date = np.concatenate([first, second])
    horizon_end = np.concatenate([horizon_ends(first, 2), horizon_ends(second, 2)])
    walk = WalkForward(embargo_days=1, train_years_min=2.0, fold_years=2)
    (fold,) = walk.folds(date, horizon_end, all_days)
    of_first = fold.train[fold.train < len(first)]
    of_second = fold.train[fold.train >= len(first)]
    assert (str(date[of_first].max()), str(date[of_second].max())) == ("2003-12-23", "2003-12-24")


def test_the_splitter_counts_the_horizon_in_days_on_which_any_symbol_has_a_row() -> None:
    """By hand: horizon 2, embargo 0; together the symbols have a row on every weekday of 2003."""
    all_days = weekdays("2001-01-01", "2004-12-31")
    first = all_days[~np.isin(all_days, every_day("2003-12-24", "2003-12-26"))]
    second = all_days[~np.isin(all_days, every_day("2003-12-29", "2003-12-30"))]
    date = np.concatenate([first, second])
    walk = WalkForward(embargo_days=0, train_years_min=2.0, fold_years=2)
    splits = list(Splitter(walk_forward=walk, horizon_days=2).split(None, groups=date))
    assert [(str(date[train].max()), str(date[validate].min())) for train, validate in splits] == [
        ("2003-12-29", "2004-01-01")
    ]


def test_cross_val_score_judges_a_pipeline_on_the_folds_of_the_splitter() -> None:
    date = np.repeat(weekdays("2001-01-01", "2009-12-31"), 2)
    X = np.linspace(-1, 1, len(date))[:, np.newaxis]
    y = (date >= day("2008-07-01")).astype(int)
    model = make_pipeline(StandardScaler(), DummyClassifier())
    scores = cross_val_score(model, X, y, groups=date, cv=Splitter(horizon_days=14))
    assert scores.tolist() == [1.0, 391 / 770]  # 391 of 770 weekdays are before July 2008


def test_a_grid_search_chooses_by_the_folds_of_the_splitter() -> None:
    """One cut tells the middle third from one neighbour only, two cuts from both."""
    date = weekdays("2001-01-01", "2009-12-31")
    third = np.arange(len(date)) % 3
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=1), {"max_depth": [1, 2]}, cv=Splitter(horizon_days=14)
    )
    search.fit(third[:, np.newaxis], third == 1, groups=date)
    scores = [search.cv_results_[f"split{fold}_test_score"].round(3).tolist() for fold in range(2)]
    assert scores == [[0.666, 1.0], [0.666, 1.0]]
    assert (search.n_splits_, search.best_params_) == (2, {"max_depth": 2})
