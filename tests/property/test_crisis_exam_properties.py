from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from regime.crisis_exam import LeaveOneEventOut
from regime.events import RareEvent
from regime.types import Regime
from tests.examples import examples

PROPERTY = examples(25)
FIRST = date(2000, 6, 1)


def event(number: int, start: int, length: int) -> RareEvent:
    first = FIRST + timedelta(days=start)
    last = first + timedelta(days=length)
    return RareEvent(id=f"event_{number}", first_day=first, last_day=last, regime=Regime.CRASH, weight=1.0)


exams = st.builds(
    lambda windows, gap, embargo: LeaveOneEventOut(
        events=tuple(event(number, *window) for number, window in enumerate(windows)),
        gap_days=gap,
        embargo_days=embargo,
        train_rows_min=1,
    ),
    st.lists(st.tuples(st.integers(0, 260), st.integers(0, 40)), min_size=1, max_size=3),
    st.integers(0, 12),
    st.integers(0, 12),
)


def panel(seed: int, horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give shuffled (date, horizon_end) rows of two symbols with gaps of their own, and all sessions."""
    rng = np.random.default_rng(seed)
    calendar = np.datetime64(FIRST, "D") + np.arange(250)
    sessions = calendar[rng.random(250) < rng.uniform(0.3, 1.0)]
    dates, ends = [], []
    for _ in range(2):
        own = sessions[rng.random(len(sessions)) < rng.uniform(0.6, 1.0)]
        end = np.full(len(own), np.datetime64("NaT", "D"))
        end[: max(0, len(own) - horizon)] = own[horizon:]
        dates.append(own)
        ends.append(end)
    order = rng.permutation(sum(map(len, dates)))
    return np.concatenate(dates)[order], np.concatenate(ends)[order], sessions


def between(sessions: set[date], early: date, late: date) -> int:
    """Count the sessions strictly between two days, one calendar day at a time."""
    return sum(early + timedelta(days=n) in sessions for n in range(1, (late - early).days))


def oracle(
    exam: LeaveOneEventOut, of: RareEvent, date_: np.ndarray, horizon_end: np.ndarray, sessions: np.ndarray
) -> tuple[list[int], list[int]]:
    """Decide each row by itself, from the words of the docstring."""
    days, ends, open_days = date_.tolist(), horizon_end.tolist(), set(sessions.tolist())
    matured = [row for row, end in enumerate(ends) if end is not None]
    predicted = [row for row in matured if of.first_day <= days[row] <= of.last_day]
    decided = max((ends[row] for row in predicted), default=of.first_day)

    def is_apart(row: int) -> bool:
        if ends[row] < of.first_day:
            return between(open_days, ends[row], of.first_day) >= max(exam.gap_days, exam.embargo_days)
        if days[row] > max(of.last_day, decided):
            is_far = between(open_days, of.last_day, days[row]) >= exam.gap_days
            return is_far and between(open_days, decided, days[row]) >= exam.embargo_days
        return False

    return [row for row in matured if is_apart(row)], predicted


@PROPERTY
@given(seed=st.integers(0, 2**32 - 1), horizon=st.integers(1, 10), exam=exams)
def test_every_event_has_the_rows_that_a_walk_over_all_days_gives_it(
    seed: int, horizon: int, exam: LeaveOneEventOut
) -> None:
    date_, horizon_end, sessions = panel(seed, horizon)
    plan = exam.plan(date_, horizon_end, sessions)
    folds = {fold.name: fold for fold in plan.folds}
    assert folds.keys() | plan.left_out.keys() == {each.id for each in exam.events}
    for each in exam.events:
        train, predicted = oracle(exam, each, date_, horizon_end, sessions)
        if each.id in folds:
            assert folds[each.id].train.tolist() == train
            assert folds[each.id].validate.tolist() == predicted
        else:
            assert not train or not predicted


@PROPERTY
@given(seed=st.integers(0, 2**32 - 1), horizon=st.integers(1, 10), exam=exams)
def test_no_target_of_a_training_row_shares_a_day_with_the_event_or_its_outcomes(
    seed: int, horizon: int, exam: LeaveOneEventOut
) -> None:
    date_, horizon_end, sessions = panel(seed, horizon)
    for fold in exam.plan(date_, horizon_end, sessions).folds:
        lived = {day for row in fold.validate for day in np.arange(date_[row], horizon_end[row] + 1).tolist()}
        trained = {day for row in fold.train for day in np.arange(date_[row], horizon_end[row] + 1).tolist()}
        assert trained
        assert trained.isdisjoint(lived)
