from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from regime.crisis_exam import LeaveOneEventOut
from regime.errors import HistoryTooShortError, SettingInvalidError
from regime.events import RARE_EVENTS, RareEvent, event_named
from regime.types import Regime
from regime.validation import Fold, SplitInputInvalidError

NAT = np.datetime64("NaT", "D")


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def weekdays(first: str, last: str) -> np.ndarray:
    each = np.arange(day(first), day(last) + 1)
    return each[np.is_busday(each)]


def horizon_ends(sessions: np.ndarray, horizon: int) -> np.ndarray:
    ends = np.full(len(sessions), NAT)
    ends[: len(sessions) - horizon] = sessions[horizon:]
    return ends


def event(id_: str, first: date, last: date) -> RareEvent:
    return RareEvent(id=id_, first_day=first, last_day=last, regime=Regime.CRASH, weight=1.0)


def positions(fold: Fold) -> tuple[list[int], list[int]]:
    return fold.train.tolist(), fold.validate.tolist()


TWELVE = np.arange("2024-01-01", "2024-01-13", dtype="datetime64[D]")
MIDDLE = (event("middle", date(2024, 1, 6), date(2024, 1, 7)),)


def split(exam: LeaveOneEventOut, days: np.ndarray, horizon: int) -> Fold:
    (fold,) = exam.folds(days, horizon_ends(days, horizon), days)
    return fold


def test_without_distances_only_rows_whose_horizons_touch_are_left_out() -> None:
    exam = LeaveOneEventOut(events=MIDDLE, gap_days=0, embargo_days=0, train_rows_min=1)
    assert positions(split(exam, TWELVE, 1)) == ([0, 1, 2, 3, 8, 9, 10], [5, 6])
    # row 4 is decided on day 5, the first of the window; row 7 is the day on which row 6 is decided


def test_the_gap_is_counted_from_the_window() -> None:
    exam = LeaveOneEventOut(events=MIDDLE, gap_days=2, embargo_days=0, train_rows_min=1)
    assert positions(split(exam, TWELVE, 1)) == ([0, 1, 9, 10], [5, 6])


def test_the_embargo_is_counted_from_the_last_outcome() -> None:
    exam = LeaveOneEventOut(events=MIDDLE, gap_days=0, embargo_days=2, train_rows_min=1)
    assert positions(split(exam, TWELVE, 1)) == ([0, 1, 10], [5, 6])


def test_twenty_four_sessions_on_either_side_of_the_volmageddon_train_nothing() -> None:
    sessions = weekdays("2016-01-01", "2019-12-31")
    exam = LeaveOneEventOut(events=(event_named("2018_volmageddon"),))
    fold = split(exam, sessions, 14)
    before = sessions[fold.train][sessions[fold.train] < day("2018-02-01")].max()
    after = sessions[fold.train][sessions[fold.train] > day("2018-02-28")].min()
    assert (str(fold.validate_from), str(fold.validate_to)) == ("2018-02-01", "2018-02-28")
    assert (str(before), str(after)) == ("2017-12-28", "2018-04-04")
    assert (len(fold.train), len(fold.validate)) == (961, 20)


def test_the_recovery_next_to_a_crash_trains_from_its_twenty_fifth_session_on() -> None:
    sessions = weekdays("2017-01-02", "2021-12-31")
    plan = LeaveOneEventOut(events=RARE_EVENTS[4:6]).plan(sessions, horizon_ends(sessions, 14), sessions)
    crash, recovery = plan.folds
    inside = (sessions >= day("2020-03-24")) & (sessions <= day("2020-06-30"))
    trained = np.intersect1d(crash.train, np.flatnonzero(inside))
    assert (int(inside.sum()), len(trained), str(sessions[trained[0]])) == (71, 47, "2020-04-27")
    last = sessions[recovery.train][sessions[recovery.train] < day("2020-03-24")].max()
    assert str(last) == "2020-02-18"


def test_the_folds_are_named_by_the_events_in_their_order() -> None:
    sessions = weekdays("2004-01-02", "2024-06-28")
    folds = LeaveOneEventOut().folds(sessions, horizon_ends(sessions, 14), sessions)
    assert [(fold.name, len(fold.validate)) for fold in folds] == [
        ("2008_financial_crisis", 152),
        ("2011_debt_ceiling", 44),
        ("2015_china_devaluation", 43),
        ("2018_volmageddon", 20),
        ("2020_covid_crash", 23),
        ("2020_covid_recovery", 71),
        ("2022_inflation_bear_market", 260),
        ("2023_banking_mini_crisis", 43),
    ]


def test_an_event_without_rows_is_left_out_with_the_reason() -> None:
    sessions = weekdays("2010-01-01", "2017-12-29")
    hole = (sessions < day("2015-07-01")) | (sessions > day("2015-12-31"))
    rows = sessions[hole]
    plan = LeaveOneEventOut(events=RARE_EVENTS[:4]).plan(rows, horizon_ends(rows, 14), sessions)
    assert [fold.name for fold in plan.folds] == ["2011_debt_ceiling"]
    assert dict(plan.left_out) == {
        "2008_financial_crisis": "no row of 2008-09-01 to 2009-03-31; the rows begin on 2010-01-01",
        "2015_china_devaluation": "no row of 2015-08-01 to 2015-09-30; the rows have a hole there",
        "2018_volmageddon": "no row of 2018-02-01 to 2018-02-28; the rows end on 2017-12-29",
    }


def test_an_event_that_still_runs_is_left_out_with_the_reason() -> None:
    sessions = weekdays("2012-01-02", "2018-02-09")
    plan = LeaveOneEventOut(events=RARE_EVENTS[3:4]).plan(sessions, horizon_ends(sessions, 14), sessions)
    assert plan.left_out["2018_volmageddon"] == "none of 7 rows of 2018-02-01 to 2018-02-28 has matured"


def test_an_event_with_too_few_other_rows_is_left_out_with_the_reason() -> None:
    sessions = weekdays("2018-01-01", "2018-12-31")
    exam = LeaveOneEventOut(events=RARE_EVENTS[3:4], train_rows_min=200)
    plan = exam.plan(sessions, horizon_ends(sessions, 14), sessions)
    assert plan.left_out["2018_volmageddon"] == "180 training rows outside it, 200 are needed"


def test_no_event_at_all_is_a_history_that_is_too_short() -> None:
    sessions = weekdays("1995-01-02", "1999-12-31")
    with pytest.raises(HistoryTooShortError, match=r"2008_financial_crisis: no row of .*1999-12-31"):
        LeaveOneEventOut().folds(sessions, horizon_ends(sessions, 14), sessions)
    with pytest.raises(HistoryTooShortError, match="there are none"):
        LeaveOneEventOut(events=()).folds(sessions, horizon_ends(sessions, 14), sessions)


def test_no_row_is_a_reason_too() -> None:
    none = np.array([], dtype="datetime64[D]")
    plan = LeaveOneEventOut(events=RARE_EVENTS[:1]).plan(none, none, none)
    assert plan.left_out["2008_financial_crisis"] == "no row of 2008-09-01 to 2009-03-31; there are no rows"


def test_a_symbol_with_other_holidays_is_purged_by_its_own_longer_horizon() -> None:
    """The second symbol does not trade in one week before the window and in one after it."""
    sessions = weekdays("2016-01-01", "2019-12-31")
    closed = (sessions >= day("2018-01-08")) & (sessions <= day("2018-01-12"))
    closed |= (sessions >= day("2018-03-05")) & (sessions <= day("2018-03-09"))
    other = sessions[~closed]
    both = np.concatenate([sessions, other])
    ends = np.concatenate([horizon_ends(sessions, 14), horizon_ends(other, 14)])
    exam = LeaveOneEventOut(events=(event_named("2018_volmageddon"),))
    (fold,) = exam.folds(both, ends, sessions)
    first, second = (fold.train[fold.train < len(sessions)], fold.train[fold.train >= len(sessions)])
    last_before = [str(both[rows][both[rows] < day("2018-02-01")].max()) for rows in (first, second)]
    first_after = [str(both[rows][both[rows] > day("2018-02-28")].min()) for rows in (first, second)]
    assert last_before == ["2017-12-28", "2017-12-21"]
    assert first_after == ["2018-04-11", "2018-04-11"]
    assert {str(each) for each in ends[fold.validate][-1:]} == {"2018-03-27"}


def test_an_event_at_the_begin_of_the_history_is_trained_on_what_follows() -> None:
    sessions = weekdays("2008-09-01", "2012-12-31")
    exam = LeaveOneEventOut(events=RARE_EVENTS[:1])
    assert str(sessions[split(exam, sessions, 14).train[0]]) == "2009-05-05"


def test_every_setting_out_of_range_is_named() -> None:
    with pytest.raises(SettingInvalidError) as refused:
        LeaveOneEventOut(events=RARE_EVENTS[:1] * 2, gap_days=-1, embargo_days=-1, train_rows_min=0)
    names = ("name each once", "gap_days", "embargo_days", "train_rows_min")
    assert all(name in str(refused.value) for name in names)


def test_rows_that_cannot_be_split_are_refused_as_in_walk_forward() -> None:
    sessions = weekdays("2008-01-01", "2008-01-31")
    with pytest.raises(SplitInputInvalidError, match="before it"):
        LeaveOneEventOut().plan(sessions, sessions - 1, sessions)
