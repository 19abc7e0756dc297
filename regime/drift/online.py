"""ADWIN of river on daily aggregates: a second opinion, at the level of information only.

This is the only module that imports river, which is too heavy for a resident process: import it where
it is used. ``regime.drift`` does not re-export it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from river.drift import ADWIN

from regime.drift.protocol import Finding, Level, Reading, check_reference, is_new
from regime.drift.stored import Fact, digest, loaded_date, pack, stored_date, unpack
from regime.errors import HistoryTooShortError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from regime.drift.days import AggregateDay

_REFERENCE: Final = "aggregate_drift_reference"
_STATE: Final = "aggregate_drift_state"


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateReference:
    """The usual range of each aggregate by name, ``None`` where it never varied or was not known."""

    ranges: Mapping[str, tuple[float, float] | None]
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", digest(self.to_bytes()))

    def to_bytes(self) -> bytes:
        """Give the reference as bytes, about 1 kB."""
        ranges: dict[str, Fact] = {
            name: None if limits is None else list(limits) for name, limits in self.ranges.items()
        }
        return pack(_REFERENCE, {"ranges": ranges}, {})

    @classmethod
    def from_bytes(cls, stored: bytes) -> AggregateReference:
        """Give the reference that ``to_bytes`` stored."""
        facts, _ = unpack(_REFERENCE, stored)
        ranges = cast("dict[str, list[float] | None]", facts["ranges"])
        return cls(
            ranges={
                name: None if limits is None else (limits[0], limits[1]) for name, limits in ranges.items()
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AggregateState:
    """The values of each aggregate since its last detected change.

    river's detector cannot be stored, but it is a function of the values it was given, so these are
    kept and given to a new one. ``changed`` names the aggregates whose last value completed a change.
    """

    reference_id: str
    date: dt.date | None
    series: Mapping[str, NDArray[np.float64]]
    changed: tuple[str, ...]

    def to_bytes(self) -> bytes:
        """Give the state as bytes, at most about 10 kB an aggregate."""
        names = sorted(self.series)
        facts: dict[str, Fact] = {
            "reference_id": self.reference_id,
            "date": stored_date(self.date),
            "changed": list(self.changed),
            "names": list(names),
        }
        return pack(_STATE, facts, {f"series_{at}": self.series[name] for at, name in enumerate(names)})

    @classmethod
    def from_bytes(cls, stored: bytes) -> AggregateState:
        """Give the state that ``to_bytes`` stored."""
        facts, arrays = unpack(_STATE, stored)
        names = cast("list[str]", facts["names"])
        return cls(
            reference_id=str(facts["reference_id"]),
            date=loaded_date(facts["date"]),
            series={
                name: cast("NDArray[np.float64]", arrays[f"series_{at}"]) for at, name in enumerate(names)
            },
            changed=tuple(cast("list[str]", facts["changed"])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateDrift:
    """Watch each daily aggregate with ADWIN (Bifet and Gavalda 2007) as river implements it.

    ADWIN assumes independent values between 0 and 1. Values are scaled by ``tail`` quantiles of the
    reference and clipped; independent they are not, so a changed regime is found as well as a drift,
    and readings are no more than information. After a detected change the detector starts anew, as
    river's does; a reading of no change then has an empty past.

    Parameters
    ----------
    delta
        ADWIN's significance.
    grace_days
        Days before the first look.
    days_max
        Days kept an aggregate, five years. When there are more the older half is forgotten.
    tail
        Quantile of the reference that becomes 0; one minus it becomes 1.
    """

    delta: float = 0.002
    grace_days: int = 21
    days_max: int = 1_260
    tail: float = 0.01

    @property
    def name(self) -> str:
        """The name in readings."""
        return "aggregate_drift"

    def fit(self, days: Sequence[AggregateDay], generator: np.random.Generator) -> AggregateReference:  # noqa: ARG002 - the protocol's
        """Give the usual range of each aggregate that occurs in ``days``.

        Raises
        ------
        HistoryTooShortError
            If there are no days.
        """
        if not days:
            raise HistoryTooShortError("no reference days; give the days the model was trained on")
        names = sorted({name for day in days for name in day.values})
        return AggregateReference(
            ranges={name: self._usual([day.values.get(name) for day in days]) for name in names}
        )

    def start(self, reference: AggregateReference) -> AggregateState:
        """Give the state before the first live day."""
        watched = [name for name, limits in reference.ranges.items() if limits is not None]
        return AggregateState(
            reference_id=reference.identity,
            date=None,
            series={name: np.empty(0) for name in watched},
            changed=(),
        )

    def update(
        self, reference: AggregateReference, state: AggregateState, day: AggregateDay
    ) -> tuple[AggregateState, Reading]:
        """Absorb one day; see ``Monitor.update``. Aggregates not in the reference are not watched."""
        check_reference(reference, state)
        if is_new(state, day.date):
            state = self._absorb(reference, state, day)
        return state, self._read(reference, state)

    def load_reference(self, stored: bytes) -> AggregateReference:
        """Give the reference that its ``to_bytes`` stored."""
        return AggregateReference.from_bytes(stored)

    def load_state(self, stored: bytes) -> AggregateState:
        """Give the state that its ``to_bytes`` stored."""
        return AggregateState.from_bytes(stored)

    def _usual(self, values: Sequence[float | None]) -> tuple[float, float] | None:
        known = np.array([value for value in values if value is not None and np.isfinite(value)])
        if not known.size:
            return None
        low, high = np.quantile(known, [self.tail, 1.0 - self.tail])
        return (float(low), float(high)) if high > low else None

    def _absorb(
        self, reference: AggregateReference, state: AggregateState, day: AggregateDay
    ) -> AggregateState:
        series = dict(state.series)
        changed = []
        for name, past in state.series.items():
            value = day.values.get(name)
            series[name] = past[:0] if name in state.changed else past
            if value is None or not np.isfinite(value):
                continue
            series[name] = np.append(series[name], value)
            if len(series[name]) > self.days_max:
                series[name] = series[name][-(self.days_max // 2) :]
            if self._detector(reference, name, series[name]).drift_detected:
                changed.append(name)
        return AggregateState(
            reference_id=state.reference_id, date=day.date, series=series, changed=tuple(changed)
        )

    def _read(self, reference: AggregateReference, state: AggregateState) -> Reading:
        assert state.date is not None, "a state is read after it has absorbed a day"  # noqa: S101 - wrong code
        watched = [name for name, values in state.series.items() if len(values) >= self.grace_days]
        changes = [name for name in state.series if name in state.changed]
        return Reading(
            monitor=self.name,
            date=state.date,
            level=self._level(state, watched),
            reference_id=reference.identity,
            tested=len(watched),
            findings=tuple(
                self._finding(reference, name, state.series[name])
                for name in (*changes, *watched)
                if name in changes or not changes
            ),
        )

    def _level(self, state: AggregateState, watched: Sequence[str]) -> Level:
        if not state.series:
            return Level.INSUFFICIENT_REFERENCE
        if not watched:
            return Level.INSUFFICIENT_DATA
        return Level.INFO if state.changed else Level.NONE

    def _finding(self, reference: AggregateReference, name: str, values: NDArray[np.float64]) -> Finding:
        """Give the mean and the length of ADWIN's window; its bound is not to be had from river."""
        width = int(self._detector(reference, name, values).width)
        return Finding(
            name=name, statistic=float(values[-width:].mean()), threshold=None, effective_n=float(width)
        )

    def _detector(self, reference: AggregateReference, name: str, values: NDArray[np.float64]) -> ADWIN:
        limits = reference.ranges[name]
        assert limits is not None, "only aggregates with a range are watched"  # noqa: S101 - wrong code
        detector = ADWIN(delta=self.delta, clock=1, grace_period=self.grace_days)  # type: ignore[no-untyped-call]  # river has no types
        low, high = limits
        for value in np.clip((values - low) / (high - low), 0.0, 1.0).tolist():
            detector.update(value)  # type: ignore[no-untyped-call]  # river has no types
        return detector
