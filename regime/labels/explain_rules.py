"""The explanation of a day that the ``rules`` labeler has labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regime.labels.explanation import Explanation, Need, now_fear, ways_to_drop
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from regime.labels.drop import DropGauge
    from regime.labels.protocol import Day
    from regime.labels.rules import RulesConstants, RulesState
    from regime.types import DayLabel


def explain_rules(
    constants: RulesConstants,
    before: RulesState,
    after: RulesState,
    label: DayLabel,
    day: Day,
    gauge: DropGauge,
) -> Explanation:
    """Explain a label by the states around it; ``gauge`` has seen the close of the day."""
    crash = after.crash or before.crash
    return Explanation(
        label=label,
        fired=_fired(before, after, label),
        ten_day_return=gauge.ten_day_return if gauge.is_known else None,
        drop_threshold=gauge.threshold if gauge.is_known else None,
        bands=_bands(constants, before),
        age_days=after.age_days,
        dwell_days=constants.dwell_days,
        pending_days=after.pending_days,
        confirm_days=constants.confirm_days,
        crash=None if crash is None else {
            "trough": crash.trough,
            "fear_peak": crash.fear_peak,
            "high_before": crash.high_before,
            "low_age_days": crash.low_age_days,
            **({} if crash.fear_at_recovery is None else {"fear_at_recovery": crash.fear_at_recovery}),
        },
        others=tuple(
            _need(constants, after, regime, day, gauge) for regime in REGIMES if regime is not label.regime
        ),
    )  # fmt: skip


def _fired(before: RulesState, after: RulesState, label: DayLabel) -> str:
    if label.regime is Regime.UNKNOWN:
        return "unknown"
    if label.pending is not None:
        return "waits"
    return "holds" if before.regime is after.regime else "entered"


def _held(state: RulesState) -> Regime:
    """Give the band whose wider edges hold; a crash is left as high_volatility, a recovery as normal."""
    if state.regime is Regime.CRASH:
        return Regime.HIGH_VOLATILITY
    return Regime.NORMAL if state.regime is Regime.RECOVERY else state.regime


def _bands(constants: RulesConstants, state: RulesState) -> dict[str, float]:
    """Give the edges of fear between the bands, and those of what else may happen in the regime."""
    held = _held(state)
    edges = {
        "low": constants.low_out if held is Regime.LOW_VOLATILITY else constants.low_in,
        "high": constants.high_out if held is Regime.HIGH_VOLATILITY else constants.high_in,
    }
    if state.regime is Regime.CRASH:
        return {**edges, "crash_out": constants.crash_out}
    if state.regime is Regime.RECOVERY:
        return {**edges, "recovery_out": constants.recovery_out, "crash": constants.crash_in}
    return {**edges, "crash": constants.crash_in}


def _need(constants: RulesConstants, state: RulesState, regime: Regime, day: Day, gauge: DropGauge) -> Need:
    if regime is state.regime:
        return Need(regime=regime, ways=("fear known again that asks for no other regime",), waits="at once")
    if regime is Regime.CRASH:
        return Need(regime=regime, ways=_ways_to_crash(constants, state, day, gauge), waits="at once")
    waits = _waits(constants, state, regime)
    if regime is Regime.RECOVERY:
        if state.regime is not Regime.CRASH:
            return Need(regime=regime, ways=(), waits="a recovery comes only out of a crash")
        return Need(regime=regime, ways=_ways_to_recovery(constants, state, day, gauge), waits=waits)
    return Need(regime=regime, ways=_ways_to_band(constants, state, regime, day), waits=waits)


def _waits(constants: RulesConstants, state: RulesState, regime: Regime) -> str:
    asked = state.pending_days if state.pending is regime else 0
    sentence = f"on {constants.confirm_days} sessions running ({asked} so far)"
    if regime is Regime.HIGH_VOLATILITY and state.crash is None:
        return sentence
    return f"{sentence}, {constants.dwell_days} sessions after entry (now {state.age_days})"


def _ways_to_crash(
    constants: RulesConstants, state: RulesState, day: Day, gauge: DropGauge
) -> tuple[str, ...]:
    if state.regime is not Regime.RECOVERY or state.crash is None:
        return (f"fear above {constants.crash_in:g} ({now_fear(day.fear)})", *ways_to_drop(gauge))
    relapse = max(constants.crash_in, (state.crash.fear_at_recovery or 0.0) * constants.relapse_share)
    return (
        f"close under the trough {state.crash.trough:g} (now {day.close:g})",
        *ways_to_drop(gauge),
        f"fear above {relapse:g} ({now_fear(day.fear)})",
    )


def _ways_to_recovery(
    constants: RulesConstants, state: RulesState, day: Day, gauge: DropGauge
) -> tuple[str, ...]:
    crash = state.crash
    if crash is None:
        return ()
    risen = (
        f"close at or above {crash.trough * (1 + constants.recovery_rise):g} (now {day.close:g})"
        f"{_and_calm(gauge)}"
    )
    fear_max = min(constants.recovery_fear_share * crash.fear_peak, constants.recovery_fear_max)
    since_low = f"{constants.recovery_low_age_days} sessions since the last low (now {crash.low_age_days})"
    return (
        f"{risen} with fear at or below {fear_max:g} ({now_fear(day.fear)}) and {since_low}",
        f"{risen} with fear below {constants.crash_out:g} ({now_fear(day.fear)})",
    )


def _and_calm(gauge: DropGauge) -> str:
    if not gauge.is_known:
        return ""
    return f" and 10-day return above {gauge.threshold / 3:.2%} (now {gauge.ten_day_return:.2%})"


def _ways_to_band(constants: RulesConstants, state: RulesState, regime: Regime, day: Day) -> tuple[str, ...]:
    edges = _bands(constants, state)
    low, high = edges["low"], edges["high"]
    where = {
        Regime.HIGH_VOLATILITY: f"fear above {high:g}",
        Regime.NORMAL: f"fear from {low:g} to {high:g}",
        Regime.LOW_VOLATILITY: f"fear below {low:g}",
    }[regime]
    band = f"{where} ({now_fear(day.fear)})"
    crash = state.crash
    if crash is None:
        return (band,)
    if state.regime is Regime.CRASH:
        rise = crash.trough * (1 + constants.recovery_rise)
        below = f"fear below {constants.crash_out:g} and close under {rise:g} (now {day.close:g})"
        return (f"{below} with {band}",)
    ends = (
        f"fear below {constants.recovery_out:g}",
        f"close at or above {crash.high_before:g} (now {day.close:g})",
        f"{constants.recovery_days_max} sessions of recovery (now {state.age_days})",
    )
    return tuple(f"{end} with {band}" for end in ends)
