import datetime as dt
from itertools import pairwise

import numpy as np
import pytest

from regime.drift import AlarmState, Level, MixReference, Reading, RegimeDay, RegimeMix, raise_alarms, replay
from regime.types import Regime

FIRST = dt.date(2010, 1, 1)
SPELLS = [Regime.NORMAL] * 50 + [Regime.HIGH_VOLATILITY] * 20 + [Regime.NORMAL] * 30


def days(regimes: list[Regime], start: int = 0) -> list[RegimeDay]:
    return [
        RegimeDay(date=FIRST + dt.timedelta(days=place), regime=regime)
        for place, regime in enumerate(regimes, start=start)
    ]


def fitted(regimes: list[Regime]) -> tuple[RegimeMix, MixReference]:
    monitor = RegimeMix(draws=500)
    return monitor, monitor.fit(days(regimes), np.random.default_rng(0))


def read(past: list[Regime], live: list[Regime]) -> tuple[Reading, ...]:
    monitor, reference = fitted(past)
    return replay(monitor, reference, monitor.start(reference), days(live, start=9_000))[1]


def test_regimes_that_go_on_as_before_raise_no_alarm() -> None:
    readings = read(SPELLS * 12, SPELLS * 5)
    assert [reading.level for reading in readings[251:]] == [Level.NONE] * 249
    assert raise_alarms(AlarmState(), readings)[1] == ()


def test_regimes_that_change_three_times_as_often_are_alerted() -> None:
    hasty = [Regime.NORMAL] * 8 + [Regime.HIGH_VOLATILITY] * 4
    reading = read(SPELLS * 12, hasty * 21)[-1]
    assert reading.level is Level.ALERT
    assert reading.findings[0].name in {"normal>high_volatility", "high_volatility>normal"}


def test_entering_a_regime_never_seen_before_counts_and_what_follows_it_does_not() -> None:
    live = ([Regime.NORMAL] * 60 + [Regime.CRASH] * 3) * 4
    reading = read(SPELLS * 12, live)[-1]
    assert reading.level is Level.ALERT
    assert reading.findings[0].name == "normal>crash"
    assert reading.effective_n == 240.0
    assert reading.tested == 1


def test_a_year_spent_in_a_regime_never_seen_before_is_insufficient_reference() -> None:
    live = [Regime.NORMAL] * 100 + [Regime.CRASH] * 152
    assert read(SPELLS * 12, live)[-1].level is Level.INSUFFICIENT_REFERENCE


def test_the_statistic_is_the_likelihood_ratio_of_the_transitions() -> None:
    monitor = RegimeMix(window_days=5, prior=0.5, draws=50, reference_days_min=1)
    pattern = [Regime.NORMAL, Regime.NORMAL, Regime.CRASH]
    reference = monitor.fit(days(pattern * 4), np.random.default_rng(0))
    live = [Regime.NORMAL, Regime.NORMAL, Regime.NORMAL, Regime.NORMAL, Regime.CRASH]
    reading = replay(monitor, reference, monitor.start(reference), days(live))[1][-1]
    stay = (4 + 0.5) / (8 + 2.5)
    leave = (4 + 0.5) / (8 + 2.5)
    expected = 2 * (3 * np.log(3 / (4 * stay)) + np.log(1 / (4 * leave)))
    assert reading.statistic == pytest.approx(expected)
    assert reading.effective_n == 4.0


def test_a_reference_shorter_than_the_window_is_insufficient() -> None:
    monitor, reference = fitted((SPELLS * 3)[:251])
    assert (reference.warn, reference.alert) == (None, None)
    reading = replay(monitor, reference, monitor.start(reference), days(SPELLS * 3))[1][-1]
    assert reading.level is Level.INSUFFICIENT_REFERENCE
    assert reading.statistic is None
    _, long_enough = fitted((SPELLS * 3)[:252])
    assert long_enough.warn is not None


def test_a_window_that_is_not_full_is_insufficient_data() -> None:
    readings = read(SPELLS * 12, (SPELLS * 3)[:252])
    assert [reading.level for reading in readings] == [Level.INSUFFICIENT_DATA] * 251 + [Level.NONE]


def test_a_year_without_regimes_is_insufficient_data() -> None:
    reading = read(SPELLS * 12, [Regime.UNKNOWN] * 252)[-1]
    assert reading.level is Level.INSUFFICIENT_DATA


def test_steps_to_and_from_days_without_a_regime_are_left_out() -> None:
    monitor = RegimeMix(window_days=2, draws=10, reference_days_min=1)
    regimes = [Regime.NORMAL, Regime.UNKNOWN, Regime.CRASH, Regime.CRASH]
    reference = monitor.fit(days(regimes), np.random.default_rng(0))
    assert reference.transitions.sum() == 1.0
    assert reference.transitions[0, 0] == 1.0


def test_the_same_generator_gives_the_same_thresholds() -> None:
    assert fitted(SPELLS * 6)[1].to_bytes() == fitted(SPELLS * 6)[1].to_bytes()


def test_a_longer_reference_is_surer_of_itself() -> None:
    short, long = fitted(SPELLS * 3)[1], fitted(SPELLS * 50)[1]
    assert short.warn is not None
    assert long.warn is not None
    assert short.warn > long.warn


def test_the_alert_threshold_lies_above_the_warning() -> None:
    _, reference = fitted(SPELLS * 12)
    assert reference.warn is not None
    assert reference.alert is not None
    assert reference.alert > 1.1 * reference.warn


def test_a_day_given_twice_changes_nothing() -> None:
    monitor, reference = fitted(SPELLS * 12)
    live = days(SPELLS * 3)
    state, readings = replay(monitor, reference, monitor.start(reference), live)
    again, reading = monitor.update(reference, state, RegimeDay(date=live[-1].date, regime=Regime.CRASH))
    assert again is state
    assert reading == readings[-1]


def test_state_and_reference_survive_a_restart_in_the_middle() -> None:
    monitor, reference = fitted(SPELLS * 12)
    live = days((SPELLS * 2 + [Regime.CRASH] * 50) * 2)
    _, whole = replay(monitor, reference, monitor.start(reference), live)
    state, before = replay(monitor, reference, monitor.start(reference), live[:300])
    woken = monitor.load_reference(reference.to_bytes())
    _, after = replay(monitor, woken, monitor.load_state(state.to_bytes()), live[300:])
    assert before + after == whole
    assert all(earlier.date < later.date for earlier, later in pairwise(whole))
