"""The ``reference`` labeler: the literal rules, and which beats which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from regime.labels import ReferenceLabeler, RulesLabeler, StateInvalidError
from regime.types import DayLabel, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

CALM = [(100.0, 18.0)] * 20


def labels_of(days: Sequence[tuple[float, float | None]]) -> tuple[DayLabel, ...]:
    labeler = ReferenceLabeler()
    _, labels = labeler.run(labeler.start(), [close for close, _ in days], [fear for _, fear in days])
    return labels


@pytest.mark.parametrize(
    ("fear", "regime"),
    [
        (14.99, "low_volatility"),
        (15.0, "normal"),
        (25.0, "normal"),
        (25.01, "high_volatility"),
        (35.0, "high_volatility"),
        (35.01, "crash"),
    ],
)
def test_fear_alone_decides_by_the_bands_15_25_35(fear: float, regime: str) -> None:
    assert labels_of([*CALM, (100.0, fear)])[-1].regime.value == regime


def test_a_fall_of_15_percent_in_ten_days_is_a_crash_in_the_calmest_fear() -> None:
    assert labels_of([*CALM, (85.0, 12.0)])[-1].regime is Regime.CRASH


def test_ten_percent_off_the_low_after_a_drop_is_a_recovery_even_in_high_fear() -> None:
    label = labels_of([*CALM, *[(80.0, 60.0)] * 10, (88.0, 60.0)])[-1]
    assert label.regime is Regime.RECOVERY
    assert label.reason == "close 10.00% above the 20-day low, the last drop 1 sessions ago"


def test_a_rise_without_a_drop_before_is_no_recovery() -> None:
    assert labels_of([*CALM, (112.0, 18.0)])[-1].regime is Regime.NORMAL


def test_a_crash_beats_a_recovery() -> None:
    days = [*CALM, (70.0, 40.0), (78.0, 40.0)]
    assert labels_of(days)[-1].regime is Regime.CRASH


def test_a_recovery_is_over_twenty_sessions_after_the_last_drop() -> None:
    days = [*CALM, *[(80.0, 18.0)] * 10, *[(80.0, 18.0)] * 18]
    assert labels_of([*days, (88.0, 18.0)])[-1].regime is Regime.RECOVERY
    assert labels_of([*days, (80.0, 18.0), (88.0, 18.0)])[-1].regime is Regime.NORMAL


def test_a_drop_on_a_day_without_fear_is_remembered() -> None:
    labels = labels_of([*CALM, *[(80.0, None)] * 10, (88.0, 18.0)])
    assert [label.regime.value for label in labels[-2:]] == ["unknown", "recovery"]


def test_a_state_of_another_labeler_is_refused() -> None:
    with pytest.raises(StateInvalidError, match="start from its own"):
        ReferenceLabeler().run(RulesLabeler().start(), [100.0], [18.0])
    with pytest.raises(StateInvalidError, match="another labeler"):
        ReferenceLabeler().restore(RulesLabeler().start().to_json())
