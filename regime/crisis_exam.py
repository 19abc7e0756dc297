"""The second exam: fit without one crisis, predict it, and do so for each of them.

It trains on what came before and on what came after, so it tells how a model stands a crisis that it has
never seen, not what it would have earned. The evidence is walk-forward; this is robustness beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from regime.errors import HistoryTooShortError, SettingInvalidError
from regime.events import RARE_EVENTS, RareEvent
from regime.validation import Fold, FoldPlan, SplitRows

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveOneEventOut:
    """One fold an event: its rows are predicted, all rows that have nothing to do with it train.

    A training row lives from its day to the end of its full horizon. Two things must stay apart from that:

    - the window of the event, by ``gap_days`` sessions on either side: panic begins before the date that
      people gave it, and ends after;
    - the days from the window's first to the last at which the outcome of a predicted row is decided, by
      ``embargo_days`` sessions on either side (purge and embargo of Lopez de Prado 2018, section 7.4, but by
      the full horizon, which selects no class).

    Outcomes of predicted rows are decided up to a horizon after the window. So with a horizon of 14 sessions
    and the defaults, 24 sessions before the window and 24 after it train nothing.

    Features of training rows look back upon the event for up to a year, and that is allowed: they are what
    was known on their own later day, and they are paired with outcomes of that time. The outcome that is
    predicted stands in none of their targets. To leave out the look-back as well would leave out the year
    after each crisis, recoveries foremost, and examine another model than the one in use.

    Other events are training rows like any others, by the same rule: of the recovery of 2020 the first 24
    sessions are left out when its crash is predicted, and the rest trains.

    Parameters
    ----------
    events
        The events in the order of the folds, each id once.
    gap_days, embargo_days
        In sessions, see above.
    train_rows_min
        Training rows that a fold needs.

    Raises
    ------
    SettingInvalidError
        Naming every setting that is out of range.
    """

    events: tuple[RareEvent, ...] = RARE_EVENTS
    gap_days: int = 10
    embargo_days: int = 10
    train_rows_min: int = 100

    def __post_init__(self) -> None:
        ids = [event.id for event in self.events]
        faults = {
            f"events are {', '.join(ids)}, name each once": len(set(ids)) < len(ids),
            f"gap_days = {self.gap_days}, give 0 or more": self.gap_days < 0,
            f"embargo_days = {self.embargo_days}, give 0 or more": self.embargo_days < 0,
            f"train_rows_min = {self.train_rows_min}, give at least 1": self.train_rows_min < 1,
        }
        if any(faults.values()):
            raise SettingInvalidError("; ".join(fault for fault, holds in faults.items() if holds))

    def folds(
        self,
        date: NDArray[np.datetime64],
        horizon_end: NDArray[np.datetime64],
        sessions: NDArray[np.datetime64],
    ) -> tuple[Fold, ...]:
        """Give the folds, at least one; see ``plan``.

        Raises
        ------
        HistoryTooShortError
            If no event can be a fold; it says why for each.
        """
        plan = self.plan(date, horizon_end, sessions)
        if not plan.folds:
            why = "; ".join(f"{name}: {reason}" for name, reason in plan.left_out.items())
            raise HistoryTooShortError(
                f"no event can be left out ({why or 'there are none'}); load more history"
            )
        return plan.folds

    def plan(
        self,
        date: NDArray[np.datetime64],
        horizon_end: NDArray[np.datetime64],
        sessions: NDArray[np.datetime64],
    ) -> FoldPlan:
        """Give a fold an event, named by its id, and the events that are none with the reason.

        Parameters
        ----------
        date, horizon_end
            Shape (n_rows,), in any order: the day of each row, and the day at which its full horizon ends;
            NaT where that is not known, and such a row is neither trained on nor predicted.
        sessions
            Trading days, ascending and without repeats, in which the distances are counted.

        Raises
        ------
        SplitInputInvalidError
            If lengths differ, a date is missing, a horizon ends before its row, or sessions are unsorted.

        >>> days = np.arange("2008-01-01", "2013-01-01", dtype="datetime64[D]")
        >>> plan = LeaveOneEventOut().plan(days, days + 14, days)
        >>> [(fold.name, len(fold.train), len(fold.validate)) for fold in plan.folds]
        [('2008_financial_crisis', 1567, 212), ('2011_debt_ceiling', 1717, 62)]
        >>> plan.left_out["2018_volmageddon"]
        'no row of 2018-02-01 to 2018-02-28; the rows end on 2012-12-31'
        """
        rows = SplitRows.of(date, horizon_end, sessions)
        folds, left_out = [], {}
        for event in self.events:
            inside = (rows.date >= _day(event.first_day)) & (rows.date <= _day(event.last_day))
            predicted = np.flatnonzero(rows.matured & inside)
            train = self._train(rows, event, horizon_end[predicted])
            if (reason := self._shortage(rows, event, inside, train)) is None:
                folds.append(rows.fold(event.id, train, predicted))
            else:
                left_out[event.id] = reason
        return FoldPlan(folds=tuple(folds), left_out=MappingProxyType(left_out))

    def _train(self, rows: SplitRows, event: RareEvent, decided: NDArray[np.datetime64]) -> NDArray[np.intp]:
        """Give the rows that live apart from the window and from what is ``decided`` of predicted rows."""
        first, last = _day(event.first_day), _day(event.last_day)
        starts = np.searchsorted(rows.sessions, first)
        is_before = rows.horizon_session + max(self.gap_days, self.embargo_days) < starts
        day_session = np.searchsorted(rows.sessions, rows.date)
        is_after = day_session >= np.searchsorted(rows.sessions, last, side="right") + self.gap_days
        if len(decided):
            ends = np.searchsorted(rows.sessions, decided.max(), side="right")
            is_after &= day_session >= ends + self.embargo_days
        return np.flatnonzero(rows.matured & (is_before | is_after))

    def _shortage(
        self, rows: SplitRows, event: RareEvent, inside: NDArray[np.bool_], train: NDArray[np.intp]
    ) -> str | None:
        """Say what an event lacks to be a fold."""
        window = f"{event.first_day} to {event.last_day}"
        if not inside.any():
            return f"no row of {window}; {_extent(rows.date, event)}"
        if not (inside & rows.matured).any():
            return f"none of {int(inside.sum())} rows of {window} has matured"
        if len(train) < self.train_rows_min:
            return f"{len(train)} training rows outside it, {self.train_rows_min} are needed"
        return None


def _day(day: object) -> np.datetime64:
    return np.datetime64(str(day), "D")


def _extent(date: NDArray[np.datetime64], event: RareEvent) -> str:
    """Say where the rows lie that miss an event."""
    if not len(date):
        return "there are no rows"
    if date.min() > _day(event.last_day):
        return f"the rows begin on {date.min()}"
    if date.max() < _day(event.first_day):
        return f"the rows end on {date.max()}"
    return "the rows have a hole there"
