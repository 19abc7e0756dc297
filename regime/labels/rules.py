"""The ``rules`` labeler: fear bands with hysteresis, dwell and confirmation, and a price rule for crashes.

Whose numbers: thresholds and waiting times were chosen by the authors of regimed on the S&P 500 and the
VIX, so that labels are calm (about six changes a year) without being later into a crash than the plain
bands of ``reference``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from regime.labels.drop import DropGauge, DropRule, FixedDrop, GaugeState
from regime.labels.explain_rules import explain_rules
from regime.labels.protocol import StateInvalidError
from regime.labels.saving import json_of, reading_state, version_of
from regime.types import DayLabel, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.labels.explanation import Explanation
    from regime.labels.protocol import Day, State

NAME: Final = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesConstants:
    """Every number of the ``rules`` labeler; a preset is a value of this type.

    Fear is in VIX points, spells and waiting times in sessions. Attributes ending in ``_in`` are where a
    regime is entered, those in ``_out`` where it is left again.
    """

    crash_in: float = 35.0
    crash_out: float = 28.0
    high_in: float = 25.0
    high_out: float = 22.0
    low_in: float = 14.0
    low_out: float = 16.0
    drop: DropRule = field(default_factory=FixedDrop)
    dwell_days: int = 5
    confirm_days: int = 3
    recovery_rise: float = 0.15
    recovery_fear_share: float = 0.70
    recovery_fear_max: float = 45.0
    recovery_low_age_days: int = 5
    recovery_out: float = 20.0
    recovery_days_max: int = 126
    relapse_share: float = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The crash that the market is in or recovers from.

    ``trough`` is the lowest close and ``fear_peak`` the highest fear since it was entered,
    ``low_age_days`` the sessions since the last new low, ``high_before`` the highest close of the year
    before; ``fear_at_recovery`` is known once the recovery has begun.
    """

    trough: float
    fear_peak: float
    high_before: float
    low_age_days: int = 0
    fear_at_recovery: float | None = None

    def after(self, close: float, fear: float) -> Crash:
        """Give the crash after one more day in it."""
        is_new_low = close < self.trough
        return replace(
            self,
            trough=min(close, self.trough),
            fear_peak=max(fear, self.fear_peak),
            low_age_days=0 if is_new_low else self.low_age_days + 1,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesState:
    """All that the ``rules`` labeler remembers.

    ``age_days`` counts the sessions since the day on which the regime was entered; ``pending`` has been
    asked for on the last ``pending_days`` sessions; ``crash`` is known in crash and recovery only.
    """

    age_days: int
    regime: Regime = Regime.NORMAL
    pending: Regime | None = None
    pending_days: int = 0
    crash: Crash | None = None
    gauge: GaugeState = field(default_factory=GaugeState)

    def to_json(self) -> str:
        """Give the state as JSON, floats to the last bit."""
        return json_of(NAME, self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Give the state that ``to_json`` wrote."""
        with reading_state(NAME, text) as fields:
            gauge, crash, pending = fields.pop("gauge"), fields.pop("crash"), fields.pop("pending")
            return cls(
                regime=Regime(fields.pop("regime")),
                pending=None if pending is None else Regime(pending),
                crash=None if crash is None else Crash(**crash),
                gauge=GaugeState(**{**gauge, "closes": tuple(gauge["closes"])}),
                **fields,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesLabeler:
    """The default labeler: calm labels that are as early into a crash as the plain bands.

    - crash: fear above 35, or a ten-day drop, at once; it lasts until fear is below 28 or a recovery.
    - recovery: only out of a crash, once price has risen 15 % off the trough while fear receded; it ends
      in a relapse, in calm (fear below 20), at the old high, or after half a year.
    - else the band of fear: high_volatility from 25 until 22, low_volatility from 14 until 16, normal.

    A regime other than crash is held at least 5 sessions after the one it was entered on (calm may turn
    to high_volatility sooner) and left only when another is asked for on 3 sessions running.

    A day without fear is ``unknown``: closes are remembered, the pending change is dropped, and the
    regime with its age stands still until fear is known again.

    >>> import numpy as np
    >>> from regime.labels.protocol import Day
    >>> labeler = RulesLabeler()
    >>> day = Day(date=np.datetime64("2020-03-09"), close=2746.56, fear=54.46)
    >>> state, label = labeler.step(labeler.start(), day)
    >>> label.regime.value, label.reason
    ('crash', 'fear 54.46 above 35; short history: no drop rule')
    >>> state.age_days
    0
    """

    constants: RulesConstants = field(default_factory=RulesConstants)
    name: str = field(default=NAME, init=False)

    @property
    def version(self) -> str:
        """The name and a hash of the constants."""
        return version_of(NAME, self.constants)

    def start(self) -> RulesState:
        """Give the state before the first day: normal, and old enough to be left."""
        return RulesState(age_days=self.constants.dwell_days)

    def restore(self, text: str) -> RulesState:
        """Give a state from its JSON."""
        return RulesState.from_json(text)

    def step(self, state: State, day: Day) -> tuple[RulesState, DayLabel]:
        """Label one day; give the state after it and the label."""
        after, (label,) = self.run(state, (day.close,), (day.fear,))
        return after, label

    def explain(self, state: State, day: Day) -> Explanation:
        """Explain the label of a day, given the state before it; changes nothing.

        >>> import numpy as np
        >>> from regime.labels.protocol import Day
        >>> labeler = RulesLabeler()
        >>> day = Day(date=np.datetime64("2017-11-03"), close=2587.84, fear=18.0)
        >>> labeler.explain(labeler.start(), day).bands["high"]
        25.0
        """
        before = _own(state)
        after, label = self.step(before, day)
        gauge = DropGauge(self.constants.drop, before.gauge)
        gauge.observe(day.close)
        return explain_rules(self.constants, before, after, label, day, gauge)

    def run(
        self, state: State, closes: Sequence[float], fears: Sequence[float | None]
    ) -> tuple[RulesState, tuple[DayLabel, ...]]:
        """Label consecutive days; give the state after the last and the labels."""
        machine = _Machine(self.constants, _own(state))
        labels = tuple([machine.advance(close, fear) for close, fear in zip(closes, fears, strict=True)])
        return machine.state, labels


def _own(state: State) -> RulesState:
    if not isinstance(state, RulesState):
        raise StateInvalidError(f"a {type(state).__name__} is no state of {NAME!r}; start from its own")
    return state


class _Machine:
    """The state, mutable for the length of one run: a frozen one a day would cost more than the rules."""

    __slots__ = ("_age", "_constants", "_crash", "_gauge", "_pending", "_pending_days", "_regime")

    def __init__(self, constants: RulesConstants, state: RulesState) -> None:
        self._constants = constants
        self._gauge = DropGauge(constants.drop, state.gauge)
        self._regime = state.regime
        self._age = state.age_days
        self._pending = state.pending
        self._pending_days = state.pending_days
        self._crash = state.crash

    @property
    def state(self) -> RulesState:
        return RulesState(
            age_days=self._age,
            regime=self._regime,
            pending=self._pending,
            pending_days=self._pending_days,
            crash=self._crash,
            gauge=self._gauge.state,
        )

    def advance(self, close: float, fear: float | None) -> DayLabel:
        self._gauge.observe(close)
        if fear is None:
            self._drop_pending()
            return DayLabel(regime=Regime.UNKNOWN, reason="UNKNOWN: no fear value is known for this day")
        target, rule = self._target(close, fear)
        if not self._gauge.is_known:
            rule += "; short history: no drop rule"
        if target is self._regime:
            self._drop_pending()
            self._age += 1
            return DayLabel(regime=target, reason=rule)
        self._want(target)
        if self._may_enter(target):
            self._enter(target, close, fear)
            return DayLabel(regime=target, reason=rule)
        self._age += 1
        reason = f"{self._regime} holds; {target} asked for on day {self._pending_days}: {rule}"
        return DayLabel(regime=self._regime, reason=reason, pending=target)

    def _target(self, close: float, fear: float) -> tuple[Regime, str]:
        """Give the regime that today's numbers ask for, and the rule that says so."""
        if self._crash is None:
            return self._from_band(fear)
        if self._regime is Regime.CRASH:
            self._crash = self._crash.after(close, fear)
            return self._from_crash(self._crash, close, fear)
        return self._from_recovery(self._crash, close, fear)

    def _from_band(self, fear: float) -> tuple[Regime, str]:
        if fear > self._constants.crash_in:
            return Regime.CRASH, f"fear {fear:.2f} above {self._constants.crash_in:g}"
        if self._gauge.is_drop:
            return Regime.CRASH, self._gauge.drop_sentence
        return self._band(fear, self._regime)

    def _from_crash(self, crash: Crash, close: float, fear: float) -> tuple[Regime, str]:
        constants = self._constants
        has_risen = close >= crash.trough * (1 + constants.recovery_rise)
        if not self._gauge.is_calm:
            return Regime.CRASH, f"crash lasts: 10-day return {self._gauge.ten_day_return:.2%}"
        if has_risen and self._has_receded(crash, fear):
            return Regime.RECOVERY, (
                f"close {close / crash.trough - 1:.2%} above the trough"
                f" and fear {fear:.2f} down from {crash.fear_peak:.2f}"
            )
        if fear >= constants.crash_out:
            return Regime.CRASH, f"crash lasts: fear {fear:.2f} not below {constants.crash_out:g}"
        if has_risen:
            return Regime.RECOVERY, (
                f"close {close / crash.trough - 1:.2%} above the trough"
                f" and fear {fear:.2f} below {constants.crash_out:g}"
            )
        return self._band(fear, Regime.HIGH_VOLATILITY)

    def _has_receded(self, crash: Crash, fear: float) -> bool:
        constants = self._constants
        return (
            fear <= constants.recovery_fear_share * crash.fear_peak
            and fear <= constants.recovery_fear_max
            and crash.low_age_days >= constants.recovery_low_age_days
        )

    def _from_recovery(self, crash: Crash, close: float, fear: float) -> tuple[Regime, str]:
        relapse = self._relapse(crash, close, fear)
        if relapse is not None:
            return Regime.CRASH, relapse
        end = self._recovery_end(crash, close, fear)
        if end is None:
            rise = close / crash.trough - 1
            return Regime.RECOVERY, f"recovery lasts: fear {fear:.2f}, close {rise:.2%} above the trough"
        band, rule = self._band(fear, Regime.NORMAL)
        return band, f"{end}, {rule}"

    def _relapse(self, crash: Crash, close: float, fear: float) -> str | None:
        """Give why the crash is back; ``None`` if it is not."""
        if close < crash.trough:
            return f"close {close:g} under the trough {crash.trough:g}"
        if self._gauge.is_drop:
            return self._gauge.drop_sentence
        entry_fear = crash.fear_at_recovery or 0.0
        if fear > self._constants.crash_in and fear > entry_fear * self._constants.relapse_share:
            return f"relapse: fear {fear:.2f} after {entry_fear:.2f} when the recovery began"
        return None

    def _recovery_end(self, crash: Crash, close: float, fear: float) -> str | None:
        """Give why the recovery is over; ``None`` if it is not."""
        if fear < self._constants.recovery_out:
            return f"calm below {self._constants.recovery_out:g}"
        if close >= crash.high_before:
            return f"close {close:g} back at the high before the crash, {crash.high_before:g}"
        if self._age >= self._constants.recovery_days_max:
            return f"over after {self._constants.recovery_days_max} sessions"
        return None

    def _band(self, fear: float, held: Regime) -> tuple[Regime, str]:
        """Give the band of ``fear``; the edges of the one that is ``held`` are wider."""
        constants = self._constants
        high = constants.high_out if held is Regime.HIGH_VOLATILITY else constants.high_in
        low = constants.low_out if held is Regime.LOW_VOLATILITY else constants.low_in
        if fear > high:
            return Regime.HIGH_VOLATILITY, f"fear {fear:.2f} above {high:g}"
        if fear < low:
            return Regime.LOW_VOLATILITY, f"fear {fear:.2f} below {low:g}"
        return Regime.NORMAL, f"fear {fear:.2f} from {low:g} to {high:g}"

    def _want(self, target: Regime) -> None:
        """Count on how many sessions running ``target`` has been asked for."""
        self._pending_days = self._pending_days + 1 if target is self._pending else 1
        self._pending = target

    def _drop_pending(self) -> None:
        self._pending = None
        self._pending_days = 0

    def _may_enter(self, target: Regime) -> bool:
        if target is Regime.CRASH:
            return True
        is_alarm = target is Regime.HIGH_VOLATILITY and self._crash is None
        is_old_enough = is_alarm or self._age >= self._constants.dwell_days
        return is_old_enough and self._pending_days >= self._constants.confirm_days

    def _enter(self, target: Regime, close: float, fear: float) -> None:
        """Begin a spell of ``target``; a relapse keeps the trough and the fear peak of its crash."""
        if target is Regime.CRASH:
            trough = close if self._crash is None else min(close, self._crash.trough)
            peak = fear if self._crash is None else max(fear, self._crash.fear_peak)
            self._crash = Crash(trough=trough, fear_peak=peak, high_before=self._gauge.year_high)
        elif target is Regime.RECOVERY and self._crash is not None:
            self._crash = replace(self._crash, fear_at_recovery=fear)
        else:
            self._crash = None
        self._regime = target
        self._age = 0
        self._drop_pending()
