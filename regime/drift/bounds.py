"""Feature range: whether today's values are such as the reference has ever seen.

This catches errors of units and sources, not markets: a price in cents lies far outside on the first
day, for nearly every symbol.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from regime.drift.days import check_names
from regime.drift.protocol import Finding, Level, Reading, check_reference, is_new
from regime.drift.stored import digest, loaded_date, pack, stored_date, unpack
from regime.errors import HistoryTooShortError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.drift.days import FeatureDay

_REFERENCE: Final = "feature_range_reference"
_STATE: Final = "feature_range_state"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RangeReference:
    """The range of each feature, widened, and how often it was not known; all of shape (n_features,).

    ``low`` and ``high`` are NaN for a feature that was never finite.
    """

    names: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    unknown_share: NDArray[np.float64]
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", digest(self.to_bytes()))

    def to_bytes(self) -> bytes:
        """Give the reference as bytes, about 10 kB for 179 features."""
        arrays = {name: getattr(self, name) for name in ("low", "high", "unknown_share")}
        return pack(_REFERENCE, {"names": list(self.names)}, arrays)

    @classmethod
    def from_bytes(cls, stored: bytes) -> RangeReference:
        """Give the reference that ``to_bytes`` stored."""
        facts, arrays = unpack(_REFERENCE, stored)
        floats = cast("dict[str, NDArray[np.float64]]", arrays)
        return cls(names=tuple(cast("list[str]", facts["names"])), **floats)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RangeState:
    """What the last day showed of each feature, shape (n_features,).

    ``outside`` is the share of known rows outside the range, NaN where none is known; ``unknown`` the
    share of rows not known beyond the reference's, NaN on a day without rows.
    """

    reference_id: str
    date: dt.date | None
    outside: NDArray[np.float64]
    unknown: NDArray[np.float64]

    def to_bytes(self) -> bytes:
        """Give the state as bytes, about 3 kB for 179 features."""
        facts = {"reference_id": self.reference_id, "date": stored_date(self.date)}
        return pack(_STATE, facts, {"outside": self.outside, "unknown": self.unknown})

    @classmethod
    def from_bytes(cls, stored: bytes) -> RangeState:
        """Give the state that ``to_bytes`` stored."""
        facts, arrays = unpack(_STATE, stored)
        return cls(
            reference_id=str(facts["reference_id"]),
            date=loaded_date(facts["date"]),
            outside=cast("NDArray[np.float64]", arrays["outside"]),
            unknown=cast("NDArray[np.float64]", arrays["unknown"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRange:
    """Count the rows of each day that lie outside ``[min - w R, max + w R]`` of the reference.

    R is the reference's range, w is ``widening``. The statistic is the largest share of such rows in any
    feature, or of rows newly not known. A feature of the whole market is outside for all rows of a day
    or for none, so a market beyond all it showed in the reference, as in March 2020, alerts as well.

    Parameters
    ----------
    widening
        Part of the range added on both sides.
    warn_share, alert_share
        Shares of a day's rows above which a reading warns or alerts.
    findings_max
        Features named in a reading.
    """

    widening: float = 0.5
    warn_share: float = 0.2
    alert_share: float = 0.5
    findings_max: int = 5

    @property
    def name(self) -> str:
        """The name in readings."""
        return "feature_range"

    def fit(self, days: Sequence[FeatureDay], generator: np.random.Generator) -> RangeReference:  # noqa: ARG002 - the protocol's
        """Give the widened range of each feature over ``days``.

        Raises
        ------
        HistoryTooShortError
            If there are no days.
        FeatureMismatchError
            If the days differ in their features.
        """
        if not days:
            raise HistoryTooShortError("no reference days; give the days the model was trained on")
        for day in days:
            check_names(days[0].names, day.names)
        low, high = np.full((2, len(days[0].names)), np.nan)
        known = np.zeros(len(low))
        for day in days:
            finite = np.where(np.isfinite(day.values), day.values, np.nan)
            low = np.fmin(low, np.fmin.reduce(finite, axis=0, initial=np.nan))
            high = np.fmax(high, np.fmax.reduce(finite, axis=0, initial=np.nan))
            known += (~np.isnan(day.values)).sum(axis=0)
        margin = self.widening * (high - low)
        rows = max(sum(len(day.values) for day in days), 1)
        return RangeReference(
            names=days[0].names, low=low - margin, high=high + margin, unknown_share=1.0 - known / rows
        )

    def start(self, reference: RangeReference) -> RangeState:
        """Give the state before the first live day."""
        unknown = np.full(len(reference.names), np.nan)
        return RangeState(reference_id=reference.identity, date=None, outside=unknown, unknown=unknown)

    def update(
        self, reference: RangeReference, state: RangeState, day: FeatureDay
    ) -> tuple[RangeState, Reading]:
        """Look at one day by itself; see ``Monitor.update``.

        Raises
        ------
        FeatureMismatchError
            If the day's features are not those of the reference.
        """
        check_reference(reference, state)
        check_names(reference.names, day.names)
        if is_new(state, day.date):
            state = _look(reference, day)
        return state, self._read(reference, state)

    def load_reference(self, stored: bytes) -> RangeReference:
        """Give the reference that its ``to_bytes`` stored."""
        return RangeReference.from_bytes(stored)

    def load_state(self, stored: bytes) -> RangeState:
        """Give the state that its ``to_bytes`` stored."""
        return RangeState.from_bytes(stored)

    def _read(self, reference: RangeReference, state: RangeState) -> Reading:
        assert state.date is not None, "a state is read after it has absorbed a day"  # noqa: S101 - wrong code
        worst = np.fmax(state.outside, state.unknown)
        tested = int((~np.isnan(worst)).sum())
        order = np.argsort(-worst, kind="stable")[: min(self.findings_max, tested)]
        findings = tuple(
            Finding(
                name=reference.names[at],
                statistic=float(worst[at]),
                threshold=self.warn_share,
                effective_n=None,
            )
            for at in order
            if worst[at] > 0.0
        )
        statistic = float(worst[order[0]]) if tested else None
        return Reading(
            monitor=self.name,
            date=state.date,
            level=self._level(statistic),
            reference_id=reference.identity,
            statistic=statistic,
            threshold=self.warn_share,
            tested=tested,
            findings=findings,
        )

    def _level(self, share: float | None) -> Level:
        if share is None:
            return Level.INSUFFICIENT_DATA
        return (
            Level.ALERT if share > self.alert_share else Level.WARN if share > self.warn_share else Level.NONE
        )


def _look(reference: RangeReference, day: FeatureDay) -> RangeState:
    known = (~np.isnan(day.values)).sum(axis=0)
    outside = ((day.values < reference.low) | (day.values > reference.high)).sum(axis=0)
    judged = (known > 0) & ~np.isnan(reference.low)
    rows = len(day.values)
    unknown = 1.0 - known / rows - reference.unknown_share if rows else np.full(len(known), np.nan)
    return RangeState(
        reference_id=reference.identity,
        date=day.date,
        outside=np.where(judged, outside / np.maximum(known, 1), np.nan),
        unknown=np.maximum(unknown, 0.0),
    )
