"""Fresh days: what versions predicted day by day, joined with what came of it, as evidence for the gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from regime.live_exam import CLOSE_UTC, MadePredictions, live_predictions, made_in_time
from regime.scoring import regime_prior
from regime.targets import FIRST_TOUCH, compute_targets
from regime.types import TargetSpec
from registry.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from daemon.adapters.ledger import Ledger
    from daemon.trials import Trial
    from regime.live_exam import LivePredictions
    from regime.types import Bars

    Stored = Sequence[tuple[str, str, str, str, str]]

CLOSES_UTC: Final[Mapping[str, np.timedelta64]] = {
    "XNYS": CLOSE_UTC,
    "XNAS": CLOSE_UTC,
    "weekdays": CLOSE_UTC,
    "24/7": np.timedelta64(24, "h"),
}
"""By calendar, when the close of a day may be known. With another calendar a prediction must be made before
the next session's day begins in UTC."""

LATE_DAYS: Final = 31
"""So many days after its own, a prediction was not made in time, however long a market rests."""


def target_of(stored: Mapping[str, object]) -> TargetSpec:
    """Give the target of a version's manifest."""
    values: dict[str, Any] = {**stored}
    return TargetSpec(**{**values, "classes": tuple(values["classes"])})


def in_time(
    version: str, stored: Stored, classes: tuple[str, ...], bars: Bars, close_utc: np.timedelta64
) -> tuple[MadePredictions, int]:
    """Give for each symbol and day the last prediction that was made in time, and how many were too late.

    Late ones come of histories that were loaded afterwards, and are no evidence.
    """
    date = np.array([row[1] for row in stored], dtype="datetime64[D]")
    made_at = np.array([row[4][:19] for row in stored], dtype="datetime64[s]")
    timely = made_in_time(date, made_at, bars, close_utc=close_utc)
    last = {stored[row][:2]: row for row in np.flatnonzero(timely).tolist()}
    kept = list(last.values())
    told = [json.loads(stored[row][3]) for row in kept]
    proba = np.array([[row[name] for name in classes] for row in told]).reshape(len(kept), len(classes))
    made = MadePredictions(
        date=date[kept],
        symbol=np.array([stored[row][0] for row in kept], dtype=np.str_),
        regime=np.array([stored[row][2] for row in kept], dtype=np.str_),
        version=np.array([version] * len(kept), dtype=np.str_),
        proba=proba / proba.sum(axis=1, keepdims=True),  # stored with six decimals
        made_at=made_at[kept],
        classes=classes,
    )
    return made, int((~timely).sum())


def fresh_rows(
    trial: Trial,
    ledger: Ledger,
    bars: Bars,
    target: TargetSpec,
    *,
    data_version: int,
    calendar: str,
) -> tuple[LivePredictions, LivePredictions]:
    """Give the matured rows that both versions of a trial predicted in time, row by row the same.

    First those of the version on trial, then those of the champion, by date and symbol. Only what the
    version on trial predicted since the trial was opened counts, and nothing later than ``data_version``.
    """
    close_utc = CLOSES_UTC.get(calendar, np.timedelta64(0, "h"))
    earliest = str(np.datetime64(trial.opened_at[:10]) - LATE_DAYS)
    since_opened = ledger.predictions_of(trial.version, through=data_version, since_day=earliest)
    tried = [row for row in since_opened if row[4] >= trial.opened_at]
    since_day = min((row[1] for row in tried), default=str(bars.date.max()))
    if target.kind == FIRST_TOUCH:  # its outcomes need no bar before; years would be joined daily
        bars = bars.take(bars.date >= np.datetime64(since_day))
    targets = compute_targets(bars, target)

    def joined(version: str, stored: Stored) -> LivePredictions:
        made, _ = in_time(version, stored, target.classes, bars, close_utc)
        return live_predictions(made, bars, targets, close_utc=close_utc)

    own = joined(trial.version, tried)
    against = ledger.predictions_of(trial.against, through=data_version, since_day=since_day)
    other = joined(trial.against, against)
    own_keys, other_keys = _keys(own), _keys(other)
    return _take(own, np.isin(own_keys, other_keys)), _take(other, np.isin(other_keys, own_keys))


def _keys(live: LivePredictions) -> NDArray[np.str_]:
    return np.char.add(np.char.add(live.made.date.astype(np.str_), " "), live.made.symbol)


def _take(live: LivePredictions, rows: NDArray[np.bool_]) -> LivePredictions:
    return type(live)(made=live.made.take(rows), truth=live.truth[rows], waiting={}, without_target={})


def first_days(
    own: LivePredictions, other: LivePredictions, days: int
) -> tuple[LivePredictions, LivePredictions]:
    """Give the rows of the first ``days`` days, so that a look sees the same whenever it is made."""
    chosen = np.unique(own.made.date)[:days]
    return _take(own, np.isin(own.made.date, chosen)), _take(other, np.isin(other.made.date, chosen))


def count_days(live: LivePredictions) -> int:
    """Give on how many days there are rows."""
    return len(np.unique(live.made.date))


def fresh_evidence(
    own: LivePredictions, other: LivePredictions, past: Mapping[str, NDArray[np.generic]]
) -> Evidence:
    """Give the evidence of fresh days; the regime prior is that of the ``past`` evidence of the version."""
    made = own.made
    prior = regime_prior(
        past["truth"].astype(np.int64), past["regime"].astype(np.str_), made.regime, len(made.classes)
    )
    return Evidence(
        date=made.date,
        symbol=made.symbol,
        regime=other.made.regime,
        truth=own.truth,
        candidate=made.proba,
        champion=other.made.proba,
        prior=prior,
        classes=made.classes,
    )
