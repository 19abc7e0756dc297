"""The ``reference`` labeler: the plain rules that the mission's table states, without any memory of spells.

It is kept as the yardstick. On the S&P 500 it changes its mind about 27 times a year.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from regime.labels.drop import DropGauge, DropRule, FixedDrop, GaugeState
from regime.labels.explanation import Explanation, Need, now_fear, ways_to_drop
from regime.labels.protocol import StateInvalidError
from regime.labels.saving import json_of, reading_state, version_of
from regime.types import REGIMES, DayLabel, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.labels.protocol import Day, State

NAME: Final = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceConstants:
    """Every number of the ``reference`` labeler, from the mission's table; fear is in VIX points."""

    crash_above: float = 35.0
    high_above: float = 25.0
    low_below: float = 15.0
    drop: DropRule = field(default_factory=FixedDrop)
    recovery_rise: float = 0.10
    recovery_days: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceState:
    """All that the ``reference`` labeler remembers; ``drop_age_days`` is ``None`` before the first drop."""

    drop_age_days: int | None = None
    gauge: GaugeState = field(default_factory=GaugeState)

    def to_json(self) -> str:
        """Give the state as JSON, floats to the last bit."""
        return json_of(NAME, self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the state that ``to_json`` wrote."""
        with reading_state(NAME, text) as fields:
            gauge = fields.pop("gauge")
            return cls(gauge=GaugeState(**{**gauge, "closes": tuple(gauge["closes"])}), **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLabeler:
    """The literal rules; the first that holds gives the label, so price beats fear and crash recovery.

    1. ten-day return <= -15 %: crash;
    2. close >= 10 % above the lowest of the last 20 closes, one of which ended a crash drop: recovery;
    3. fear above 35: crash; above 25: high_volatility; below 15: low_volatility; else normal.

    A day without fear is ``unknown``, whatever the price says.

    >>> import numpy as np
    >>> from regime.labels.protocol import Day
    >>> labeler = ReferenceLabeler()
    >>> day = Day(date=np.datetime64("2017-11-03"), close=2587.84, fear=9.14)
    >>> labeler.step(labeler.start(), day)[1].regime.value
    'low_volatility'
    """

    constants: ReferenceConstants = field(default_factory=ReferenceConstants)
    name: str = field(default=NAME, init=False)

    @property
    def version(self) -> str:
        """The name and a hash of the constants."""
        return version_of(NAME, self.constants)

    def start(self) -> ReferenceState:
        """Give the state before the first day."""
        return ReferenceState()

    def restore(self, text: str) -> ReferenceState:
        """Give a state from its JSON."""
        return ReferenceState.from_json(text)

    def step(self, state: State, day: Day) -> tuple[ReferenceState, DayLabel]:
        """Label one day; give the state after it and the label."""
        after, (label,) = self.run(state, (day.close,), (day.fear,))
        return after, label

    def explain(self, state: State, day: Day) -> Explanation:
        """Explain the label of a day, given the state before it; changes nothing.

        >>> import numpy as np
        >>> from regime.labels.protocol import Day
        >>> labeler = ReferenceLabeler()
        >>> day = Day(date=np.datetime64("2017-11-03"), close=2587.84, fear=18.0)
        >>> labeler.explain(labeler.start(), day).bands["low"]
        15.0
        """
        after, label = self.step(state, day)
        gauge = DropGauge(self.constants.drop, _own(state).gauge)
        gauge.observe(day.close)
        constants = self.constants
        return Explanation(
            label=label,
            fired="unknown" if label.regime is Regime.UNKNOWN else "entered",
            ten_day_return=gauge.ten_day_return if gauge.is_known else None,
            drop_threshold=gauge.threshold if gauge.is_known else None,
            bands={"low": constants.low_below, "high": constants.high_above, "crash": constants.crash_above},
            age_days=None,
            dwell_days=None,
            pending_days=0,
            confirm_days=None,
            crash=None if after.drop_age_days is None else {"drop_age_days": after.drop_age_days},
            others=tuple(
                _need(constants, regime, day, gauge, after.drop_age_days)
                for regime in REGIMES
                if regime is not label.regime
            ),
        )

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[ReferenceState, tuple[DayLabel, ...]]:
        """Label consecutive days; give the state after the last and the labels."""
        machine = _Machine(self.constants, _own(state))
        labels = tuple([machine.advance(close, fear) for close, fear in zip(closes, fears, strict=True)])
        return machine.state, labels


def _own(state: State) -> ReferenceState:
    if not isinstance(state, ReferenceState):
        raise StateInvalidError(f"a {type(state).__name__} is no state of {NAME!r}; start from its own")
    return state


def _need(
    constants: ReferenceConstants, regime: Regime, day: Day, gauge: DropGauge, drop_age: int | None
) -> Need:
    """Say what the next session would have to bring for a regime, price before fear."""
    fear = now_fear(day.fear)
    if regime is Regime.CRASH:
        return Need(
            regime=regime, ways=(*ways_to_drop(gauge), f"fear above {constants.crash_above:g} ({fear})")
        )
    if regime is Regime.RECOVERY:
        if drop_age is None or drop_age + 1 >= constants.recovery_days:
            waits = f"a recovery comes only within {constants.recovery_days} sessions of a drop"
            return Need(regime=regime, ways=(), waits=waits)
        risen = gauge.lowest(constants.recovery_days - 1) * (1 + constants.recovery_rise)
        return Need(regime=regime, ways=(f"close at or above {risen:g} (now {day.close:g})",))
    where = {
        Regime.HIGH_VOLATILITY: f"fear above {constants.high_above:g} and up to {constants.crash_above:g}",
        Regime.NORMAL: f"fear from {constants.low_below:g} to {constants.high_above:g}",
        Regime.LOW_VOLATILITY: f"fear below {constants.low_below:g}",
    }[regime]
    return Need(regime=regime, ways=(f"{where} ({fear})",), waits="neither a drop nor a recovery by price")


class _Machine:
    """The state, mutable for the length of one run."""

    __slots__ = ("_constants", "_drop_age", "_gauge")

    def __init__(self, constants: ReferenceConstants, state: ReferenceState) -> None:
        self._constants = constants
        self._gauge = DropGauge(constants.drop, state.gauge)
        self._drop_age = state.drop_age_days

    @property
    def state(self) -> ReferenceState:
        return ReferenceState(drop_age_days=self._drop_age, gauge=self._gauge.state)

    def advance(self, close: float, fear: float | None) -> DayLabel:
        self._gauge.observe(close)
        if self._gauge.is_drop:
            self._drop_age = 0
        elif self._drop_age is not None:
            self._drop_age += 1
        if fear is None:
            return DayLabel(regime=Regime.UNKNOWN, reason="UNKNOWN: no fear value is known for this day")
        regime, rule = self._by_price(close) or self._by_fear(fear)
        if not self._gauge.is_known:
            rule += "; short history: no drop rule"
        return DayLabel(regime=regime, reason=rule)

    def _by_price(self, close: float) -> tuple[Regime, str] | None:
        constants = self._constants
        if self._drop_age is None or self._drop_age >= constants.recovery_days:
            return None
        if self._drop_age == 0:
            return Regime.CRASH, self._gauge.drop_sentence
        rise = close / self._gauge.lowest(constants.recovery_days) - 1.0
        if rise < constants.recovery_rise:
            return None
        low = f"the {constants.recovery_days}-day low"
        return Regime.RECOVERY, f"close {rise:.2%} above {low}, the last drop {self._drop_age} sessions ago"

    def _by_fear(self, fear: float) -> tuple[Regime, str]:
        constants = self._constants
        if fear > constants.crash_above:
            return Regime.CRASH, f"fear {fear:.2f} above {constants.crash_above:g}"
        if fear > constants.high_above:
            return Regime.HIGH_VOLATILITY, f"fear {fear:.2f} above {constants.high_above:g}"
        if fear < constants.low_below:
            return Regime.LOW_VOLATILITY, f"fear {fear:.2f} below {constants.low_below:g}"
        return (
            Regime.NORMAL,
            f"fear {fear:.2f} from {constants.low_below:g} to {constants.high_above:g}",
        )
