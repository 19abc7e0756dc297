"""The third exam: predictions made before the outcome was known, joined with what came true since.

Nothing counts more, and nothing grows slower: a day is one more day, and each row waits for its horizon. A
prediction that could have known its outcome is no evidence and is refused, not left out in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from regime.errors import RegimeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.targets import TargetTable
    from regime.types import Bars

CLOSE_UTC: Final = np.timedelta64(17, "h")
"""Time of a day, in UTC, at which its close may be known: New York closes at 17:00 UTC at the earliest, on
half days in summer. A market that never closes needs 24 hours, Tokyo 6."""


class LivePredictionsInvalidError(RegimeError):
    """Predictions cannot be held against what came true."""


class PredictedTooLateError(RegimeError):
    """A prediction was made when the next close was known already."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MadePredictions:
    """Predictions as they were stored on the day they were made, in any order.

    Parameters
    ----------
    date, symbol
        Shape (n_rows,): the day (datetime64[D]) at whose close, and for what.
    regime
        Shape (n_rows,): the provisional label of that day, as known then.
    version
        Shape (n_rows,): name of the model version that predicted.
    proba
        Shape (n_rows, n_classes).
    made_at
        datetime64[s], shape (n_rows,): when, in UTC.
    classes
        Class names in the order of the columns.

    Raises
    ------
    LivePredictionsInvalidError
        If lengths differ, a time is missing, or a version predicted a symbol and day twice.
    """

    date: NDArray[np.datetime64]
    symbol: NDArray[np.str_]
    regime: NDArray[np.str_]
    version: NDArray[np.str_]
    proba: NDArray[np.float64]
    made_at: NDArray[np.datetime64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        columns = ("date", "symbol", "regime", "version", "proba", "made_at")
        lengths = {name: len(getattr(self, name)) for name in columns}
        if len(set(lengths.values())) > 1:
            raise LivePredictionsInvalidError(f"columns have different lengths: {lengths}")
        if self.proba.shape[1:] != (len(self.classes),):
            raise LivePredictionsInvalidError(
                f"proba has shape {self.proba.shape}, but there are {len(self.classes)} classes"
            )
        unknown = np.isnat(self.date) | np.isnat(self.made_at)
        if unknown.any():
            raise LivePredictionsInvalidError(
                f"row {int(unknown.argmax())} has no date or time; leave it out"
            )
        self._refuse_repeats()

    def __len__(self) -> int:
        return len(self.date)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Give some of the predictions, by positions or by a mask."""
        return type(self)(
            date=self.date[rows],
            symbol=self.symbol[rows],
            regime=self.regime[rows],
            version=self.version[rows],
            proba=self.proba[rows],
            made_at=self.made_at[rows],
            classes=self.classes,
        )

    def name_of(self, row: int) -> str:
        """Give what identifies a row."""
        return f"{self.version[row]} {self.symbol[row]} {self.date[row]}"

    def _refuse_repeats(self) -> None:
        order = np.lexsort((self.symbol, self.date, self.version))
        before, after = order[:-1], order[1:]
        repeated = (
            (self.version[after] == self.version[before])
            & (self.date[after] == self.date[before])
            & (self.symbol[after] == self.symbol[before])
        )
        if repeated.any():
            raise LivePredictionsInvalidError(
                f"{self.name_of(int(after[repeated.argmax()]))} is predicted twice"
                f" ({int(repeated.sum())} such rows); keep the last that was made in time"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LivePredictions:
    """Matured live predictions with their truth, sorted by (version, date, symbol), and those that wait.

    ``made`` and ``truth``, int64 of shape (n_matured,), are aligned. By version: ``waiting`` counts the
    predictions whose horizon is not over, ``without_target`` those whose bar is gone or has no target.
    """

    made: MadePredictions
    truth: NDArray[np.int64]
    waiting: Mapping[str, int]
    without_target: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.truth)

    def of_version(self, version: str) -> Self:
        """Give what belongs to one version; nothing if it predicted nothing."""
        own = self.made.version == version
        return type(self)(
            made=self.made.take(own),
            truth=self.truth[own],
            waiting={version: self.waiting.get(version, 0)},
            without_target={version: self.without_target.get(version, 0)},
        )


def made_in_time(
    date: NDArray[np.datetime64],
    made_at: NDArray[np.datetime64],
    bars: Bars,
    *,
    close_utc: np.timedelta64 = CLOSE_UTC,
) -> NDArray[np.bool_]:
    """Tell which predictions were made before a close after their day could be known, shape (n_rows,).

    ``date`` and ``made_at`` are those of ``MadePredictions``. The next close is that of the next day on which
    any of the ``bars`` is: where other symbols have closed, much is known of this one too. While there is no
    later bar nothing can have been known. ``close_utc`` is when the close of a day may be known, counted from
    its midnight UTC.

    >>> from regime.types import Bars
    >>> bars = Bars.of_closes("SPY", ["2024-01-02", "2024-01-03"], [1.0, 1.0])
    >>> made_at = np.array(["2024-01-03T14:30", "2024-01-04T14:30"], dtype="datetime64[s]")
    >>> int(made_in_time(bars.date[[0, 0]], made_at, bars).sum())
    1
    """
    sessions = np.unique(bars.date)
    following = np.searchsorted(sessions, date, side="right")
    is_known = following < len(sessions)
    timely = np.ones(len(date), dtype=bool)
    known_at = sessions[following[is_known]].astype("datetime64[s]") + close_utc
    timely[is_known] = made_at[is_known] - known_at < np.timedelta64(0, "s")
    return timely


def live_predictions(
    made: MadePredictions, bars: Bars, targets: TargetTable, *, close_utc: np.timedelta64 = CLOSE_UTC
) -> LivePredictions:
    """Join predictions with the targets that have matured since.

    A prediction counts once its full horizon is over, even if a barrier was touched before: touched rows
    taken earlier than their neighbours would be a selection.

    Parameters
    ----------
    made
        Predictions; those of several versions may stand together.
    bars, targets
        Bars as they are now and their targets, row by row, of the target that the versions predict.
    close_utc
        See ``made_in_time``, with which a caller can sort out late ones before.

    Raises
    ------
    PredictedTooLateError
        If a prediction was made when the next close was known already; it names the row.
    LivePredictionsInvalidError
        If the classes are not those of the target, or bars and targets have different lengths.

    >>> from regime.targets import compute_targets
    >>> from regime.types import Bars, TargetSpec
    >>> bars = Bars.of_closes("SPY", ["2024-01-02", "2024-01-03", "2024-01-04"], [100.0, 111.0, 111.0])
    >>> spec = TargetSpec(name="x", kind="first_touch", up=0.1, down=0.05, horizon_days=1)
    >>> made = MadePredictions(
    ...     date=bars.date, symbol=bars.symbol, regime=np.array(["normal"] * 3), version=np.array(["v1"] * 3),
    ...     proba=np.full((3, 3), 1 / 3), made_at=bars.date + np.timedelta64(22, "h"), classes=spec.classes)
    >>> live = live_predictions(made, bars, compute_targets(bars, spec))
    >>> live.truth.tolist(), live.waiting["v1"]
    ([2, 1], 1)
    """
    if len(bars) != len(targets):
        raise LivePredictionsInvalidError(
            f"there are {len(bars)} bars and {len(targets)} targets; compute the targets of these bars"
        )
    if made.classes != targets.spec.classes:
        raise LivePredictionsInvalidError(
            f"the versions predict {made.classes}, the target has {targets.spec.classes};"
            " use the target that the versions were trained on"
        )
    _refuse_late(made, bars, close_utc)
    order = np.lexsort((made.symbol, made.date, made.version))
    made = made.take(order)
    bar, has_bar = _bar_rows(made, bars)
    is_due = np.zeros(len(made), dtype=bool)
    is_due[has_bar] = targets.matured[bar[has_bar]]
    is_open = has_bar & ~is_due
    is_open[is_open] = _may_mature(bars, bar[is_open], targets.spec.horizon_days)
    return LivePredictions(
        made=made.take(is_due),
        truth=targets.label[bar[is_due]].astype(np.int64),
        waiting=_counts(made.version, is_open),
        without_target=_counts(made.version, ~is_due & ~is_open),
    )


def _refuse_late(made: MadePredictions, bars: Bars, close_utc: np.timedelta64) -> None:
    late = ~made_in_time(made.date, made.made_at, bars, close_utc=close_utc)
    if late.any():
        at = int(late.argmax())
        raise PredictedTooLateError(
            f"row {at}, {made.name_of(at)}, was predicted at {made.made_at[at]} UTC, when the next close was"
            f" known ({int(late.sum())} such rows); it is no evidence, leave it out"
        )


def _bar_rows(made: MadePredictions, bars: Bars) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Give the bar of each prediction, and whether it has one; bars are sorted by (symbol, date)."""
    symbols = np.unique(np.concatenate((made.symbol, bars.symbol)))
    keys = _keys(symbols, bars.symbol, bars.date)
    wanted = _keys(symbols, made.symbol, made.date)
    rows = np.searchsorted(keys, wanted)
    return rows, np.append(keys, -1)[rows] == wanted


def _keys(
    symbols: NDArray[np.str_], symbol: NDArray[np.str_], date: NDArray[np.datetime64]
) -> NDArray[np.int64]:
    """Give one ascending number a (symbol, date)."""
    days = date.astype("datetime64[D]").astype(np.int64)
    return np.asarray((np.searchsorted(symbols, symbol).astype(np.int64) << 32) + days)


def _may_mature(bars: Bars, rows: NDArray[np.intp], horizon_days: int) -> NDArray[np.bool_]:
    """Tell the bars whose horizon goes beyond the data; the others have no target and never will."""
    ends = rows + horizon_days
    inside = ends < len(bars)
    is_over = np.zeros(len(rows), dtype=bool)
    is_over[inside] = bars.symbol[ends[inside]] == bars.symbol[rows[inside]]
    return ~is_over


def _counts(version: NDArray[np.str_], counted: NDArray[np.bool_]) -> dict[str, int]:
    """Give how many rows of each version are counted, versions without any included."""
    return {str(name): int((counted & (version == name)).sum()) for name in np.unique(version)}
