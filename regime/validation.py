"""Which rows train and which are predicted: in time order, purged, with an embargo.

A target looks ahead over its horizon, so a training row next to a validation day has seen part of what it
will be asked. Here a training row needs its day, its full horizon and an embargo before the first
validation day, and all symbols of a day stay together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.codes import regime_codes
from regime.errors import HistoryTooShortError, RegimeError, SettingInvalidError
from regime.types import REGIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from regime.types import Regime

DAYS_A_YEAR: Final = 365.25
YEAR_START_DAYS: Final = 10
"""A history that begins in the first days of January counts as one from New Year's Day."""


class SplitInputInvalidError(RegimeError):
    """Days, horizons or sessions cannot be split by date."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fold:
    """One model's exam: rows to fit on, and rows to predict that have nothing in common with them.

    Parameters
    ----------
    name
        The calendar years of the validation block, such as ``2007-2009``, or the id of an event.
    train, validate
        Ascending row numbers, shapes (n_train,) and (n_validate,).
    train_to
        Day of the last training row. Its horizon ends later, but in walk-forward before the embargo.
    validate_from, validate_to
        Days of the first and last validation row.
    """

    name: str
    train: NDArray[np.intp]
    validate: NDArray[np.intp]
    train_to: np.datetime64
    validate_from: np.datetime64
    validate_to: np.datetime64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldPlan:
    """The folds in time order, and why each other block with validation rows is none."""

    folds: tuple[Fold, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForward:
    """Walk-forward validation in calendar blocks: fit on the past, predict the next block, move on.

    Blocks start on 1 January of the years that ``fold_years`` divides. So a fold is the same fold tomorrow:
    later days add validation rows to the newest blocks and new blocks, and move nothing; what was
    fitted on an unchanged fold can be kept.

    Parameters
    ----------
    fold_years
        Length of a validation block in calendar years.
    train_years_min
        History that training rows must span before a block, in years.
    train_years_max
        Length of a rolling training window in years; ``None``: all history, the window expands.
    embargo_days
        Sessions between the horizon's end of the last training row and the first validation session.
    train_rows_min
        Training rows that a fold needs.

    Raises
    ------
    SettingInvalidError
        Naming every setting that is out of range.
    """

    fold_years: int = 3
    train_years_min: float = 3.0
    train_years_max: float | None = None
    embargo_days: int = 10
    train_rows_min: int = 100

    def __post_init__(self) -> None:
        longest = math.inf if self.train_years_max is None else self.train_years_max
        faults = [
            sentence
            for is_fault, sentence in (
                (self.fold_years < 1, f"fold_years = {self.fold_years}, give at least 1"),
                (not self.train_years_min > 0, f"train_years_min = {self.train_years_min}, give more than 0"),
                (
                    not longest >= self.train_years_min,
                    f"train_years_max = {longest}, give at least train_years_min = {self.train_years_min}",
                ),
                (self.embargo_days < 0, f"embargo_days = {self.embargo_days}, give 0 or more"),
                (self.train_rows_min < 1, f"train_rows_min = {self.train_rows_min}, give at least 1"),
            )
            if is_fault
        ]
        if faults:
            raise SettingInvalidError("; ".join(faults))

    def folds(
        self,
        date: NDArray[np.datetime64],
        horizon_end: NDArray[np.datetime64],
        sessions: NDArray[np.datetime64],
    ) -> tuple[Fold, ...]:
        """Give the folds in time order, at least one; see ``plan``.

        Raises
        ------
        HistoryTooShortError
            If no block can be a fold; it says why for each.
        """
        plan = self.plan(date, horizon_end, sessions)
        if not plan.folds:
            why = "; ".join(f"{name}: {reason}" for name, reason in plan.left_out.items())
            raise HistoryTooShortError(
                f"no walk-forward fold can be made ({why or 'no row has matured'});"
                " load more history, or make do with less by fold_years and train_years_min"
            )
        return plan.folds

    def plan(
        self,
        date: NDArray[np.datetime64],
        horizon_end: NDArray[np.datetime64],
        sessions: NDArray[np.datetime64],
    ) -> FoldPlan:
        """Give the folds of rows in any order, and the blocks that are left out with the reason.

        Parameters
        ----------
        date
            Shape (n_rows,), the day of each row.
        horizon_end
            Shape (n_rows,), the day at which its full horizon ends; NaT where that is not known, and such
            a row is neither trained on nor validated.
        sessions
            Trading days, ascending and without repeats; the embargo is counted in them. They may go
            beyond the rows.

        Raises
        ------
        SplitInputInvalidError
            If lengths differ, a date is missing, a horizon ends before its row, or sessions are unsorted.

        >>> days = np.arange("2000-01-01", "2010-01-01", dtype="datetime64[D]")
        >>> plan = WalkForward(train_rows_min=1).plan(days, days + 14, days)
        >>> [(fold.name, str(fold.train_to), len(fold.validate)) for fold in plan.folds]
        [('2004-2006', '2003-12-07', 1096), ('2007-2009', '2006-12-07', 1096)]
        >>> plan.left_out["2001-2003"]
        'history of 1.0 years before it, 3.0 are needed'
        """
        rows = SplitRows.of(date, horizon_end, sessions)
        folds, left_out = [], {}
        for year in rows.block_years(self.fold_years):
            name = str(year) if self.fold_years == 1 else f"{year}-{year + self.fold_years - 1}"
            train = self._train(rows, year)
            if (reason := self._shortage(rows, train, year)) is None:
                folds.append(rows.fold(name, train, rows.block(year, self.fold_years)))
            else:
                left_out[name] = reason
        return FoldPlan(folds=tuple(folds), left_out=MappingProxyType(left_out))

    def _train(self, rows: SplitRows, year: int) -> NDArray[np.intp]:
        """Give the rows whose horizon and embargo are over before the block of ``year``."""
        start = _new_year(year)
        fits = rows.horizon_session + self.embargo_days < np.searchsorted(rows.sessions, start)
        if self.train_years_max is not None:
            fits &= rows.date >= start - _days(self.train_years_max)
        return np.flatnonzero(rows.matured & fits)

    def _shortage(self, rows: SplitRows, train: NDArray[np.intp], year: int) -> str | None:
        """Say what the block of ``year`` lacks to be a fold."""
        if not len(train):
            return "no training row has its horizon and the embargo before it"
        history = _new_year(year) - rows.date[train].min()
        if history + np.timedelta64(YEAR_START_DAYS, "D") < _days(self.train_years_min):
            years = float(history.astype(np.int64)) / DAYS_A_YEAR
            return f"history of {years:.1f} years before it, {self.train_years_min} are needed"
        if len(train) < self.train_rows_min:
            return f"{len(train)} training rows before it, {self.train_rows_min} are needed"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitter:
    """A ``WalkForward`` for scikit-learn's ``cv=``, with the day of each row as ``groups``.

    The horizon is counted in the days that occur in ``groups``; where symbols miss days their horizons end
    later, and ``WalkForward.folds`` with the true ``horizon_end`` is the one to use.

    >>> days = np.arange("2003-01-01", "2008-01-01", dtype="datetime64[D]")
    >>> Splitter(walk_forward=WalkForward(), horizon_days=14).get_n_splits(groups=days)
    1
    """

    walk_forward: WalkForward = field(default_factory=WalkForward)
    horizon_days: int = 14

    def split(
        self,
        X: object,  # noqa: ARG002 - scikit-learn passes it
        y: object = None,  # noqa: ARG002 - scikit-learn passes it
        groups: ArrayLike | None = None,
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the training and validation rows of each fold, in time order.

        Raises
        ------
        SplitInputInvalidError
            If ``groups``, shape (n_rows,), is not given.
        HistoryTooShortError
            If no fold can be made.
        """
        for fold in self._folds(groups):
            yield fold.train, fold.validate

    def get_n_splits(
        self,
        X: object = None,  # noqa: ARG002 - scikit-learn passes it
        y: object = None,  # noqa: ARG002 - scikit-learn passes it
        groups: ArrayLike | None = None,
    ) -> int:
        """Give the number of folds that ``split`` yields for the same ``groups``."""
        return len(self._folds(groups))

    def _folds(self, groups: ArrayLike | None) -> tuple[Fold, ...]:
        if groups is None:
            raise SplitInputInvalidError("rows cannot be split without their days; pass them as groups")
        date = np.asarray(groups).astype("datetime64[D]")
        sessions, session = np.unique(date, return_inverse=True)
        ends = session + self.horizon_days
        horizon_end = np.full(len(date), np.datetime64("NaT"), dtype="datetime64[D]")
        known = ends < len(sessions)
        horizon_end[known] = sessions[ends[known]]
        return self.walk_forward.folds(date, horizon_end, sessions)


def regime_sets(regimes: NDArray[np.str_]) -> Mapping[Regime, NDArray[np.intp]]:
    """Give the row numbers of each of the five regimes, ascending and possibly none.

    Rows of ``unknown`` are in no set. ``regimes``, shape (n_rows,), are the labels as they were known at
    each row's close, so that nobody could have chosen the sets afterwards.

    >>> regime_sets(np.array(["crash", "normal", "crash"]))[REGIMES[0]].tolist()
    [0, 2]
    """
    codes = regime_codes(regimes)
    return {regime: np.flatnonzero(codes == code) for code, regime in enumerate(REGIMES)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitRows:
    """The checked columns that a split is made of.

    ``matured`` tells the rows whose horizon is over, ``horizon_session`` the position in ``sessions`` at
    which it ends (meaningless where it is not). Arguments and errors of ``of`` are those of
    ``WalkForward.plan``.

    >>> days = np.arange("2000-01-01", "2000-01-04", dtype="datetime64[D]")
    >>> SplitRows.of(days[:1], days[2:], days).horizon_session.tolist()
    [2]
    """

    date: NDArray[np.datetime64]
    matured: NDArray[np.bool_]
    horizon_session: NDArray[np.intp]
    sessions: NDArray[np.datetime64]

    @classmethod
    def of(
        cls,
        date: NDArray[np.datetime64],
        horizon_end: NDArray[np.datetime64],
        sessions: NDArray[np.datetime64],
    ) -> SplitRows:
        """Check the columns."""
        if len(date) != len(horizon_end):
            raise SplitInputInvalidError(f"{len(date)} days and {len(horizon_end)} horizons; give both a row")
        if np.isnat(date).any():
            raise SplitInputInvalidError(f"row {int(np.isnat(date).argmax())} has no date; drop or mend it")
        if np.isnat(sessions).any() or (sessions[1:] <= sessions[:-1]).any():
            raise SplitInputInvalidError("sessions are not ascending days; sort them, each day once")
        early = horizon_end < date
        if early.any():
            at = int(early.argmax())
            raise SplitInputInvalidError(
                f"row {at} of {date[at]} has its horizon end on {horizon_end[at]}, before it; give later days"
            )
        return cls(
            date=date,
            matured=~np.isnat(horizon_end),
            horizon_session=np.searchsorted(sessions, horizon_end),
            sessions=sessions,
        )

    def block_years(self, fold_years: int) -> list[int]:
        """Give the first years of the blocks that have rows to validate, ascending."""
        years = self.date[self.matured].astype("datetime64[Y]").astype(np.int64) + 1970
        return [int(year) for year in np.unique(years // fold_years * fold_years)]

    def block(self, year: int, fold_years: int) -> NDArray[np.intp]:
        """Give the rows to validate in a block."""
        inside = (self.date >= _new_year(year)) & (self.date < _new_year(year + fold_years))
        return np.flatnonzero(self.matured & inside)

    def fold(self, name: str, train: NDArray[np.intp], validate: NDArray[np.intp]) -> Fold:
        """Give the fold of that name."""
        return Fold(
            name=name,
            train=train,
            validate=validate,
            train_to=self.date[train].max(),
            validate_from=self.date[validate].min(),
            validate_to=self.date[validate].max(),
        )


def _new_year(year: int) -> np.datetime64:
    return np.datetime64(f"{year:04d}-01-01", "D")


def _days(years: float) -> np.timedelta64:
    return np.timedelta64(round(years * DAYS_A_YEAR), "D")
