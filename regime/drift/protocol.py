"""What a drift monitor is, what it is given and what it says.

A monitor never stores anything itself. ``fit`` turns the days a model was trained on into a compact
reference, ``start`` gives the state before the first live day, and ``update`` absorbs one day and
gives the next state with a reading. References and states become bytes and come back exactly, so that
a process may end after any day. Only ``regime.drift.alarms`` turns readings into alarms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from regime.errors import RegimeError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np


class ReferenceMismatchError(RegimeError):
    """A state was built on another reference than the one it is updated with."""


class Level(StrEnum):
    """What a reading amounts to; the two ``insufficient`` levels say that nothing is known.

    >>> Level.INSUFFICIENT_DATA.known, Level.NONE.known
    (False, True)
    """

    NONE = "none"
    INFO = "info"
    WARN = "warn"
    ALERT = "alert"
    INSUFFICIENT_REFERENCE = "insufficient_reference"
    INSUFFICIENT_DATA = "insufficient_data"

    @property
    def known(self) -> bool:
        """Whether there was enough evidence to judge at all."""
        return self not in {Level.INSUFFICIENT_REFERENCE, Level.INSUFFICIENT_DATA}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a monitor measured of one of its parts: a feature, a transition, an aggregate."""

    name: str
    statistic: float | None
    threshold: float | None
    effective_n: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one monitor says after one day, from nothing later than that day's close.

    ``statistic``, ``threshold`` and ``effective_n`` belong to the worst part, which stands first in
    ``findings``; each is ``None`` where it is not known. ``mix`` is the share of each regime among the
    days looked at, and ``tested`` the number of parts that had enough evidence to be judged.
    """

    monitor: str
    date: dt.date
    level: Level
    reference_id: str
    statistic: float | None = None
    threshold: float | None = None
    effective_n: float | None = None
    tested: int = 0
    mix: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def facts(self) -> dict[str, object]:
        """Give the reading as values that JSON can hold, for events and ``--json``."""
        return {
            "monitor": self.monitor,
            "date": self.date.isoformat(),
            "level": self.level.value,
            "reference_id": self.reference_id,
            "statistic": self.statistic,
            "threshold": self.threshold,
            "effective_n": self.effective_n,
            "tested": self.tested,
            "mix": dict(self.mix),
            "findings": [
                {
                    "name": finding.name,
                    "statistic": finding.statistic,
                    "threshold": finding.threshold,
                    "effective_n": finding.effective_n,
                }
                for finding in self.findings
            ],
        }


class Stored(Protocol):
    """A value that becomes bytes and comes back exactly."""

    def to_bytes(self) -> bytes:
        """Give the value as bytes, the same ones for the same value."""
        ...

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Give the value that ``to_bytes`` stored."""
        ...


class Reference(Stored, Protocol):
    """What a monitor keeps of the days a model was trained on."""

    @property
    def identity(self) -> str:
        """A digest of the content: equal references have equal identities."""
        ...


class State(Stored, Protocol):
    """What a monitor keeps of the live days."""

    @property
    def reference_id(self) -> str:
        """The identity of the reference that the state was started with."""
        ...

    @property
    def date(self) -> dt.date | None:
        """The last day absorbed, ``None`` before the first."""
        ...


DayT_contra = TypeVar("DayT_contra", contravariant=True)
ReferenceT = TypeVar("ReferenceT", bound=Reference)
StateT = TypeVar("StateT", bound=State)


class Monitor(Protocol[DayT_contra, ReferenceT, StateT]):
    """A detector of one kind of drift, itself without memory."""

    @property
    def name(self) -> str:
        """The stable name under which readings and alarms are known."""
        ...

    def fit(self, days: Sequence[DayT_contra], generator: np.random.Generator) -> ReferenceT:
        """Give the reference of ``days``, which are in date order and all of them past."""
        ...

    def start(self, reference: ReferenceT) -> StateT:
        """Give the state before the first live day."""
        ...

    def update(self, reference: ReferenceT, state: StateT, day: DayT_contra) -> tuple[StateT, Reading]:
        """Absorb ``day`` and give the next state with its reading.

        A day not later than ``state.date`` changes nothing and gives the last reading again, so that a
        message delivered twice counts once.

        Raises
        ------
        ReferenceMismatchError
            If ``state`` was not started with ``reference``.
        """
        ...

    def load_reference(self, stored: bytes) -> ReferenceT:
        """Give the reference that its ``to_bytes`` stored."""
        ...

    def load_state(self, stored: bytes) -> StateT:
        """Give the state that its ``to_bytes`` stored."""
        ...


def replay(
    monitor: Monitor[DayT_contra, ReferenceT, StateT],
    reference: ReferenceT,
    state: StateT,
    days: Iterable[DayT_contra],
) -> tuple[StateT, tuple[Reading, ...]]:
    """Absorb several days in order and give the last state with one reading a day.

    After a new reference is fitted, replaying the last window of days spares a monitor the weeks in
    which it would know nothing.
    """
    readings = []
    for day in days:
        state, reading = monitor.update(reference, state, day)
        readings.append(reading)
    return state, tuple(readings)


def check_reference(reference: Reference, state: State) -> None:
    """Refuse a state that belongs to another reference.

    Raises
    ------
    ReferenceMismatchError
        If the identities differ.
    """
    if state.reference_id != reference.identity:
        raise ReferenceMismatchError(
            f"the state belongs to reference {state.reference_id}, not to {reference.identity};"
            " start anew and replay the last days"
        )


def is_new(state: State, date: dt.date) -> bool:
    """Whether ``date`` is later than every day that ``state`` has absorbed."""
    return state.date is None or date > state.date
