"""Labels of a whole history, or of the days after one that is already labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regime.labels.fear import fear_by_day, fear_since
from regime.labels.protocol import Day
from regime.types import RegimeSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.labels.protocol import Labeler, State
    from regime.types import Bars, DayLabel, Regime


def days_of(index: Bars, fear: Bars | None, *, after: np.datetime64 | None = None) -> tuple[Day, ...]:
    """Give what a labeler may know on each day of ``index``: its close and the effective fear.

    Parameters
    ----------
    index
        Bars of one symbol from its first known day: the proxy ranks within all of its history.
    fear
        Bars of the fear index in VIX points, as they are, with holes; ``None`` if the market has none.
    after
        Give only the days after this one; quick where the fear index knows them.

    Raises
    ------
    BarsInvalidError
        If either holds several symbols or the fear is not in VIX points.

    >>> from regime.types import Bars
    >>> index = Bars.of_closes("^IDX", ["2024-01-02", "2024-01-03"], [100.0, 101.0])
    >>> [day.fear for day in days_of(index, None)]
    [None, None]
    """
    start = 0 if after is None else int(np.searchsorted(index.date, after, side="right"))
    fears, notes = fear_since(index, fear, start)
    days = zip(index.date[start:], index.close[start:].tolist(), fears, notes, strict=True)
    return tuple(
        [Day(date=date, close=close, fear=value, fear_note=note) for date, close, value, note in days]
    )


def label_days(index: Bars, fear: Bars | None, labeler: Labeler) -> RegimeSeries:
    """Label every day of ``index``.

    A day's label depends on bars of that day and earlier ones only. Where neither the fear index, nor
    its value of at most 5 sessions ago, nor the proxy is known, the label is ``unknown`` and the reason
    says so; a reason also tells when its fear is not the day's own.

    Parameters
    ----------
    index
        Bars of one symbol.
    fear
        Bars of the fear index in VIX points, as they are, with holes; ``None`` if the market has none.
    labeler
        One of ``labeler_named``.

    Raises
    ------
    BarsInvalidError
        If either holds several symbols or the fear is not in VIX points.

    >>> from regime.labels.presets import labeler_named
    >>> from regime.types import Bars
    >>> dates = ["2020-03-06", "2020-03-09"]
    >>> index = Bars.of_closes("^GSPC", dates, [2972.37, 2746.56])
    >>> fear = Bars.of_closes("^VIX", dates, [41.94, 54.46])
    >>> labels = label_days(index, fear, labeler_named("rules", has_fear=True))
    >>> [regime.value for regime in labels.regime], int(labels.provisional.sum())
    (['crash', 'crash'], 2)
    """
    fears, notes = fear_by_day(index, fear)
    _, labels = labeler.run(labeler.start(), index.close.tolist(), fears)
    return _series(labeler, index.date, labels, notes)


def continue_labels(labeler: Labeler, state: State, days: Sequence[Day]) -> tuple[State, RegimeSeries]:
    """Label the days after those that led to ``state``; give the state after them and their labels.

    From ``labeler.start()`` on it labels a whole history. The labels are those that the whole history
    would get. ``provisional`` marks the last spell as far as it lies within ``days``.

    >>> from regime.labels.presets import labeler_named
    >>> labeler = labeler_named("rules", has_fear=True)
    >>> day = Day(date=np.datetime64("2024-01-02"), close=4742.83, fear=13.2)
    >>> state, labels = continue_labels(labeler, labeler.start(), [day])
    >>> len(labels), labels.pending[0].value
    (1, 'low_volatility')
    """
    after, labels = labeler.run(state, [day.close for day in days], [day.fear for day in days])
    dates = np.array([day.date for day in days], dtype="datetime64[D]")
    return after, _series(labeler, dates, labels, [day.fear_note for day in days])


def _series(
    labeler: Labeler, dates: NDArray[np.datetime64], labels: Sequence[DayLabel], notes: Sequence[str]
) -> RegimeSeries:
    regimes = tuple([label.regime for label in labels])
    return RegimeSeries(
        labeler=labeler.version,
        date=dates,
        regime=regimes,
        reason=tuple(
            [
                f"{label.reason} ({note})" if note else label.reason
                for label, note in zip(labels, notes, strict=True)
            ]
        ),
        pending=tuple([label.pending for label in labels]),
        provisional=np.arange(len(dates)) >= _last_change(regimes),
    )


def _last_change(regimes: Sequence[Regime]) -> int:
    """Give the position at which the last spell begins."""
    at = len(regimes)
    while at > 0 and regimes[at - 1] is regimes[-1]:
        at -= 1
    return at
