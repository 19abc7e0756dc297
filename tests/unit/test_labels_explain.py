"""Why a day has its label, in the numbers of that day, and what would have to happen for another."""

from __future__ import annotations

import numpy as np
import pytest

from regime.labels import (
    Day,
    ExplainingLabeler,
    Explanation,
    ReferenceLabeler,
    RulesLabeler,
    StateInvalidError,
)
from regime.types import Regime

Days = list[tuple[float, float | None]]
CALM: Days = [(100.0, 18.0)] * 20
PANIC: Days = [(80.0, 50.0)] * 12
RECOVERING: Days = [*CALM, *PANIC, *[(92.0, 30.0)] * 12]


def explained(days: Days, labeler: ExplainingLabeler | None = None) -> Explanation:
    """Explain the last of some days."""
    labeler = labeler or RulesLabeler()
    *past, (close, fear) = days
    state, _ = labeler.run(labeler.start(), [day[0] for day in past], [day[1] for day in past])
    return labeler.explain(state, Day(date=np.datetime64("2024-01-02"), close=close, fear=fear))


def needs(explanation: Explanation) -> dict[str, str]:
    return {need.regime.value: need.sentence for need in explanation.others}


def test_a_quiet_day_names_what_each_other_regime_would_take() -> None:
    explanation = explained([*CALM, (97.9, 22.3)])
    assert explanation.fired == "holds"
    assert explanation.label.reason == "fear 22.30 from 14 to 25"
    assert needs(explanation) == {
        "crash": "fear above 35 (now 22.30) or 10-day return at or below -15.00% (now -2.10%); at once",
        "recovery": "a recovery comes only out of a crash",
        "high_volatility": "fear above 25 (now 22.30); on 3 sessions running (0 so far)",
        "low_volatility": "fear below 14 (now 22.30); on 3 sessions running (0 so far),"
        " 5 sessions after entry (now 26)",
    }


def test_the_numbers_behind_a_quiet_day_are_told() -> None:
    explanation = explained([*CALM, (97.9, 22.3)])
    assert explanation.ten_day_return == pytest.approx(-0.021, abs=1e-12)
    assert explanation.drop_threshold == -0.15
    assert explanation.bands == {"low": 14.0, "high": 25.0, "crash": 35.0}
    assert (explanation.dwell_days, explanation.confirm_days) == (5, 3)
    assert explanation.crash is None


def test_a_pending_change_waits_and_counts() -> None:
    explanation = explained([*CALM, (100.0, 26.0), (100.0, 26.0)])
    assert (explanation.fired, explanation.label.pending) == ("waits", Regime.HIGH_VOLATILITY)
    assert explanation.pending_days == 2
    assert needs(explanation)["high_volatility"].endswith("on 3 sessions running (2 so far)")


def test_the_bands_in_force_have_the_wider_edges_of_the_regime_held() -> None:
    high = explained([*CALM, *[(100.0, 26.0)] * 5])
    assert (high.fired, high.bands["high"], high.age_days) == ("holds", 22.0, 2)
    low = explained([*CALM, *[(100.0, 13.0)] * 5])
    assert low.bands == {"low": 16.0, "high": 25.0, "crash": 35.0}


def test_a_crash_tells_its_trough_and_fear_peak_and_what_ends_it() -> None:
    explanation = explained([*CALM, *PANIC, (85.0, 40.0)])
    assert explanation.label.regime is Regime.CRASH
    assert explanation.crash == {"trough": 80.0, "fear_peak": 50.0, "high_before": 100.0, "low_age_days": 12}
    assert explanation.bands == {"low": 14.0, "high": 22.0, "crash_out": 28.0}
    assert needs(explanation)["recovery"] == (
        "close at or above 92 (now 85) and 10-day return above -5.00% (now 6.25%) with fear at or below 35"
        " (now 40.00) and 5 sessions since the last low (now 12) or close at or above 92 (now 85) and 10-day"
        " return above -5.00% (now 6.25%) with fear below 28 (now 40.00);"
        " on 3 sessions running (0 so far), 5 sessions after entry (now 12)"
    )
    assert needs(explanation)["normal"] == (
        "fear below 28 and close under 92 (now 85) with fear from 14 to 22 (now 40.00);"
        " on 3 sessions running (0 so far), 5 sessions after entry (now 12)"
    )


def test_a_recovery_tells_what_a_relapse_and_its_end_would_take() -> None:
    explanation = explained([*RECOVERING, (93.0, 25.0)])
    assert explanation.label.regime is Regime.RECOVERY
    assert explanation.crash is not None
    assert explanation.crash["fear_at_recovery"] == 30.0
    said = needs(explanation)
    assert said["crash"] == (
        "close under the trough 80 (now 93) or 10-day return at or below -15.00% (now 1.09%)"
        " or fear above 37.5 (now 25.00); at once"
    )
    assert said["normal"].startswith(
        "fear below 20 with fear from 14 to 25 (now 25.00) or close at or above 100"
    )


def test_the_day_on_which_a_regime_is_entered_says_so() -> None:
    assert explained([*CALM, (99.0, 36.0)]).fired == "entered"


def test_a_day_without_fear_has_no_rule_and_still_says_what_is_needed() -> None:
    explanation = explained([*CALM, (99.0, None)])
    assert (explanation.fired, explanation.label.regime) == ("unknown", Regime.UNKNOWN)
    said = needs(explanation)
    assert said["crash"].startswith("fear above 35 (now unknown)")
    assert said["normal"] == "fear known again that asks for no other regime; at once"


def test_a_short_history_has_no_drop_to_speak_of() -> None:
    explanation = explained([(100.0, 18.0)] * 5)
    assert (explanation.ten_day_return, explanation.drop_threshold) == (None, None)
    assert needs(explanation)["crash"] == "fear above 35 (now 18.00); at once"


def test_the_reference_explains_itself_without_counters() -> None:
    explanation = explained([*CALM, (97.9, 22.3)], ReferenceLabeler())
    assert (explanation.age_days, explanation.dwell_days, explanation.confirm_days) == (None, None, None)
    assert needs(explanation) == {
        "crash": "10-day return at or below -15.00% (now -2.10%) or fear above 35 (now 22.30)",
        "recovery": "a recovery comes only within 20 sessions of a drop",
        "high_volatility": "fear above 25 and up to 35 (now 22.30); neither a drop nor a recovery by price",
        "low_volatility": "fear below 15 (now 22.30); neither a drop nor a recovery by price",
    }


def test_the_reference_tells_the_price_of_a_recovery_after_a_drop() -> None:
    explanation = explained([*CALM, (80.0, 30.0), (84.0, 30.0)], ReferenceLabeler())
    assert explanation.crash == {"drop_age_days": 0}
    assert needs(explanation)["recovery"] == "close at or above 88 (now 84)"


def test_the_state_of_another_labeler_is_refused() -> None:
    day = Day(date=np.datetime64("2024-01-02"), close=100.0, fear=18.0)
    with pytest.raises(StateInvalidError, match="start from its own"):
        RulesLabeler().explain(ReferenceLabeler().start(), day)
    with pytest.raises(StateInvalidError, match="start from its own"):
        ReferenceLabeler().explain(RulesLabeler().start(), day)
