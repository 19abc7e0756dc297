"""The ``rules`` labeler, one rule at a time on hand-written days."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from regime.labels import (
    GaugeState,
    ReferenceLabeler,
    RulesConstants,
    RulesLabeler,
    RulesState,
    ScaledDrop,
    StateInvalidError,
)
from regime.types import DayLabel, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

CALM = [(100.0, 18.0)] * 20
PANIC = [(80.0, 50.0)] * 12
"""A crash entered on its first day, with its trough at 80 and its fear peak at 50."""


def labels_of(days: Sequence[tuple[float, float | None]]) -> tuple[DayLabel, ...]:
    labeler = RulesLabeler()
    _, labels = labeler.run(labeler.start(), [close for close, _ in days], [fear for _, fear in days])
    return labels


def regimes_of(days: Sequence[tuple[float, float | None]]) -> list[str]:
    return [label.regime.value for label in labels_of(days)]


def test_a_market_without_news_is_normal() -> None:
    assert set(regimes_of([*CALM])) == {"normal"}


def test_fear_above_35_is_a_crash_at_once() -> None:
    assert regimes_of([*CALM, (99.0, 35.01)])[-1] == "crash"


def test_fear_of_exactly_35_is_no_crash() -> None:
    assert regimes_of([*CALM, (99.0, 35.0)])[-1] == "normal"


def test_a_fall_of_15_percent_in_ten_days_is_a_crash_whatever_fear_says() -> None:
    label = labels_of([*CALM, (84.99, 18.0)])[-1]
    assert label == DayLabel(
        regime=Regime.CRASH, reason="10-day return -15.01%, at or below -15.00%", pending=None
    )


def test_the_drop_is_measured_over_ten_sessions_and_not_eleven() -> None:
    days = [(100.0, 18.0)] * 11 + [(99.0, 18.0)] * 10
    assert regimes_of([*days, (84.5, 18.0)])[-1] == "normal"
    assert regimes_of([*days[:-1], (84.5, 18.0)])[-1] == "crash"


def test_there_is_no_drop_rule_before_the_eleventh_close() -> None:
    labels = labels_of([(100.0, 18.0)] * 9 + [(50.0, 18.0), (50.0, 18.0)])
    assert labels[-2].regime is Regime.NORMAL
    assert labels[-2].reason == "fear 18.00 from 14 to 25; short history: no drop rule"
    assert labels[-1].regime is Regime.CRASH


def test_high_volatility_needs_three_sessions_running() -> None:
    labels = labels_of([*CALM, (100.0, 26.0), (100.0, 26.0), (100.0, 26.0)])
    assert [label.regime.value for label in labels[-3:]] == ["normal", "normal", "high_volatility"]
    assert [label.pending for label in labels[-3:]] == [Regime.HIGH_VOLATILITY, Regime.HIGH_VOLATILITY, None]
    assert labels[-2].reason == "normal holds; high_volatility asked for on day 2: fear 26.00 above 25"


def test_one_calm_session_starts_the_confirmation_again() -> None:
    assert regimes_of([*CALM, (100.0, 26.0), (100.0, 26.0), (100.0, 24.0), (100.0, 26.0)])[-1] == "normal"


def test_high_volatility_is_left_at_22_and_not_at_25() -> None:
    days = [*CALM, *[(100.0, 26.0)] * 10]
    assert set(regimes_of([*days, *[(100.0, 22.5)] * 10])[-10:]) == {"high_volatility"}
    assert regimes_of([*days, *[(100.0, 22.0)] * 3])[-3:] == ["high_volatility", "high_volatility", "normal"]


def test_low_volatility_is_entered_below_14_and_left_at_16() -> None:
    days = [*CALM, *[(100.0, 13.9)] * 10]
    assert regimes_of(days)[-1] == "low_volatility"
    assert regimes_of([*days, *[(100.0, 15.9)] * 10])[-1] == "low_volatility"
    assert regimes_of([*days, *[(100.0, 16.0)] * 3])[-1] == "normal"


def test_a_fresh_regime_is_held_five_sessions_against_a_calmer_one() -> None:
    days = [*CALM, *[(100.0, 26.0)] * 3]
    after = regimes_of([*days, *[(100.0, 18.0)] * 7])[-8:]
    assert after == ["high_volatility"] * 6 + ["normal"] * 2


def test_a_fresh_low_volatility_gives_way_to_high_volatility_after_three_sessions() -> None:
    days = [*CALM, *[(100.0, 13.0)] * 3]
    after = regimes_of([*days, *[(100.0, 26.0)] * 3])[-4:]
    assert after == ["low_volatility", "low_volatility", "low_volatility", "high_volatility"]


def test_a_crash_lasts_while_fear_is_not_below_28() -> None:
    assert regimes_of([*CALM, *PANIC, *[(82.0, 28.0)] * 30])[-1] == "crash"


def test_a_crash_without_a_rise_ends_in_the_band_of_fear() -> None:
    days = [*CALM, *PANIC, *[(82.0, 30.0)] * 10]
    assert regimes_of([*days, *[(82.0, 27.0)] * 3])[-1] == "high_volatility"
    assert regimes_of([*days, *[(82.0, 20.0)] * 3])[-1] == "normal"


def test_a_recovery_needs_a_rise_of_15_percent_with_fear_receding_for_three_sessions() -> None:
    labels = labels_of([*CALM, *PANIC, *[(92.0, 35.0)] * 3])
    assert [label.regime.value for label in labels[-3:]] == ["crash", "crash", "recovery"]
    assert labels[-1].reason == "close 15.00% above the trough and fear 35.00 down from 50.00"


@pytest.mark.parametrize(
    ("days", "why"),
    [
        ([(91.9, 35.0)] * 3, "the rise is short of 15 percent"),
        ([(92.0, 35.1)] * 3, "fear is above 70 percent of its peak"),
    ],
)
def test_a_crash_lasts_when(days: list[tuple[float, float | None]], why: str) -> None:
    assert regimes_of([*CALM, *PANIC, *days])[-1] == "crash", why


def test_a_recovery_needs_fear_of_45_at_most_however_high_the_peak() -> None:
    days = [*CALM, *[(80.0, 80.0)] * 12]
    assert regimes_of([*days, *[(95.0, 45.1)] * 3])[-1] == "crash"
    assert regimes_of([*days, *[(95.0, 45.0)] * 3])[-1] == "recovery"


def test_a_recovery_waits_five_sessions_after_a_new_low() -> None:
    days = [*CALM, *PANIC, (78.0, 50.0)]
    assert regimes_of([*days, *[(92.0, 35.0)] * 6])[-7:] == ["crash"] * 7
    assert regimes_of([*days, *[(92.0, 35.0)] * 7])[-1] == "recovery"


def recovering() -> list[tuple[float, float | None]]:
    return [*CALM, *PANIC, *[(92.0, 30.0)] * 12]


def test_a_recovery_lasts_between_calm_and_relapse() -> None:
    labels = labels_of([*recovering(), (93.0, 25.0)])
    assert labels[-1].reason == "recovery lasts: fear 25.00, close 16.25% above the trough"


def test_a_new_low_turns_a_recovery_into_a_crash_at_once() -> None:
    labels = labels_of([*recovering(), (79.0, 30.0)])
    assert labels[-1].regime is Regime.CRASH
    assert labels[-1].reason == "close 79 under the trough 80"


def test_a_relapse_needs_fear_above_35_and_a_quarter_above_its_start() -> None:
    assert regimes_of([*recovering(), (90.0, 37.5)])[-1] == "recovery"
    assert regimes_of([*recovering(), (90.0, 37.6)])[-1] == "crash"


def test_a_relapse_keeps_the_trough_and_the_fear_peak_of_its_crash() -> None:
    labeler = RulesLabeler()
    days = [*recovering(), (90.0, 40.0)]
    state, _ = labeler.run(labeler.start(), [close for close, _ in days], [fear for _, fear in days])
    assert state.crash is not None
    assert (state.crash.trough, state.crash.fear_peak, state.crash.high_before) == (80.0, 50.0, 100.0)


def test_a_recovery_ends_in_calm_after_three_sessions_of_fear_below_20() -> None:
    labels = labels_of([*recovering(), *[(93.0, 19.9)] * 3])
    assert [label.regime.value for label in labels[-3:]] == ["recovery", "recovery", "normal"]
    assert labels[-1].reason == "calm below 20, fear 19.90 from 14 to 25"


def test_a_recovery_ends_at_the_high_before_the_crash() -> None:
    assert regimes_of([*recovering(), *[(100.0, 24.0)] * 3])[-1] == "normal"


def test_a_recovery_ends_after_half_a_year() -> None:
    days = [*recovering(), *[(93.0, 24.0)] * 117]
    assert regimes_of(days)[-1] == "recovery"
    assert regimes_of([*days, *[(93.0, 24.0)] * 3])[-1] == "normal"


def test_a_day_without_fear_is_unknown_and_the_regime_stands_still() -> None:
    labels = labels_of([*CALM, *PANIC, (82.0, None), (82.0, 30.0)])
    assert labels[-2].regime is Regime.UNKNOWN
    assert labels[-2].reason == "UNKNOWN: no fear value is known for this day"
    assert labels[-1].regime is Regime.CRASH


def test_a_day_without_fear_starts_the_confirmation_again() -> None:
    days = [*CALM, (100.0, 26.0), (100.0, 26.0), (100.0, None)]
    assert regimes_of([*days, (100.0, 26.0)])[-1] == "normal"
    assert regimes_of([*days, *[(100.0, 26.0)] * 3])[-1] == "high_volatility"


def test_a_close_without_fear_still_counts_for_the_drop() -> None:
    days = [(100.0, None)] * 20
    assert regimes_of([*days, (84.0, 18.0)])[-1] == "crash"


def test_the_scaled_drop_needs_a_year_of_returns() -> None:
    labeler = RulesLabeler(constants=RulesConstants(drop=ScaledDrop()))
    state, labels = labeler.run(labeler.start(), [100.0] * 252, [18.0] * 252)
    assert labels[-1].reason.endswith("short history: no drop rule")
    _, (label,) = labeler.run(state, [85.0], [18.0])
    assert label.regime is Regime.CRASH
    assert label.reason == "10-day return -15.00%, at or below -12.95%"


def test_the_scaled_drop_never_asks_for_less_than_4_percent() -> None:
    labeler = RulesLabeler(constants=RulesConstants(drop=ScaledDrop()))
    state, _ = labeler.run(labeler.start(), [100.0] * 300, [18.0] * 300)
    _, labels = labeler.run(state, [96.1], [18.0])
    assert labels[0].regime is Regime.NORMAL
    _, labels = labeler.run(state, [95.9], [18.0])
    assert labels[0].reason == "10-day return -4.10%, at or below -4.00%"


def test_a_state_of_another_labeler_is_refused() -> None:
    with pytest.raises(StateInvalidError, match="start from its own"):
        RulesLabeler().run(ReferenceLabeler().start(), [100.0], [18.0])


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{}", '{"kind": "rules"}', ReferenceLabeler().start().to_json()]
)
def test_a_damaged_state_is_refused_with_what_to_do(text: str) -> None:
    with pytest.raises(StateInvalidError, match="label from the first day again"):
        RulesLabeler().restore(text)


def test_a_state_is_readable_json() -> None:
    state = RulesState(age_days=3, regime=Regime.HIGH_VOLATILITY, gauge=GaugeState(closes=(100.1,)))
    assert json.loads(state.to_json()) == {
        "kind": "rules",
        "age_days": 3,
        "regime": "high_volatility",
        "pending": None,
        "pending_days": 0,
        "crash": None,
        "gauge": {"closes": [100.1], "return_sum": 0.0, "square_sum": 0.0},
    }
