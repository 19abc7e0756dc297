import datetime as dt
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from regime.drift import (
    AlarmState,
    FeatureDay,
    FeatureDrift,
    Level,
    Reading,
    RegimeDay,
    RegimeMix,
    raise_alarms,
    replay,
)
from regime.types import REGIMES, Regime
from tests.examples import examples

FIRST = dt.date(2020, 1, 1)
NAMES = ("a", "b", "c")
Values: TypeAlias = NDArray[np.float64]
MONITOR = FeatureDrift(window_days=5, reference_days_min=3, blocks_min=2)
MIX = RegimeMix(window_days=20, draws=60)

seeds = st.integers(0, 2**32 - 1)
level_lists = st.lists(st.sampled_from(list(Level)), min_size=1, max_size=120)
monitors = st.sampled_from(["feature_range", "feature_drift", "regime_mix", "aggregate_drift", "another"])


def feature_days(seed: int, n: int, start: int = 0) -> list[FeatureDay]:
    generator = np.random.default_rng(seed)
    regimes = [Regime.NORMAL, Regime.CRASH, Regime.UNKNOWN]
    made = []
    for place in range(start, start + n):
        values = generator.normal(size=(int(generator.integers(1, 5)), 3))
        values[generator.random(values.shape) < 0.1] = np.nan
        regime = regimes[int(generator.choice(3, p=[0.6, 0.35, 0.05]))]
        date = FIRST + dt.timedelta(days=place)
        made.append(FeatureDay(date=date, regime=regime, names=NAMES, values=values))
    return made


def changed(days: list[FeatureDay], change: Callable[[Values], Values]) -> list[FeatureDay]:
    return [
        FeatureDay(date=day.date, regime=day.regime, names=day.names, values=change(day.values))
        for day in days
    ]


def read(past: list[FeatureDay], live: list[FeatureDay]) -> tuple[Reading, ...]:
    reference = MONITOR.fit(past, np.random.default_rng(0))
    return replay(MONITOR, reference, MONITOR.start(reference), live)[1]


def verdicts(readings: tuple[Reading, ...]) -> list[tuple[Level, float | None, float | None, int]]:
    return [(reading.level, reading.statistic, reading.threshold, reading.tested) for reading in readings]


def level_readings(monitor: str, levels: list[Level]) -> list[Reading]:
    return [
        Reading(monitor=monitor, date=FIRST + dt.timedelta(days=at), level=level, reference_id="one")
        for at, level in enumerate(levels)
    ]


@given(seed=seeds, cut=st.integers(0, 20))
@examples(25)
def test_a_restart_after_any_day_changes_no_feature_reading(seed: int, cut: int) -> None:
    reference = MONITOR.fit(feature_days(seed, 60), np.random.default_rng(0))
    live = feature_days(seed + 1, 20, start=60)
    _, whole = replay(MONITOR, reference, MONITOR.start(reference), live)
    state, before = replay(MONITOR, reference, MONITOR.start(reference), live[:cut])
    woken = MONITOR.load_reference(reference.to_bytes())
    _, after = replay(MONITOR, woken, MONITOR.load_state(state.to_bytes()), live[cut:])
    assert before + after == whole


@given(codes=st.lists(st.integers(0, 5), min_size=80, max_size=80), cut=st.integers(0, 40))
@examples(25)
def test_a_restart_after_any_day_changes_no_mix_reading(codes: list[int], cut: int) -> None:
    days = [
        RegimeDay(date=FIRST + dt.timedelta(days=at), regime=(*REGIMES, Regime.UNKNOWN)[code])
        for at, code in enumerate(codes)
    ]
    reference = MIX.fit(days[:40], np.random.default_rng(0))
    _, whole = replay(MIX, reference, MIX.start(reference), days[40:])
    state, before = replay(MIX, reference, MIX.start(reference), days[40 : 40 + cut])
    woken = MIX.load_reference(reference.to_bytes())
    _, after = replay(MIX, woken, MIX.load_state(state.to_bytes()), days[40 + cut :])
    assert before + after == whole


@given(seed=seeds)
@examples(25)
def test_the_order_of_symbols_is_of_no_account(seed: int) -> None:
    past, live = feature_days(seed, 60), feature_days(seed + 1, 20, start=60)
    readings = read(past, live)
    assert read(changed(past, np.flipud), changed(live, np.flipud)) == readings


@given(seed=seeds, power=st.integers(-8, 8))
@examples(25)
def test_the_unit_of_a_feature_is_of_no_account(seed: int, power: int) -> None:
    past, live = feature_days(seed, 60), feature_days(seed + 1, 20, start=60)
    factor = 2.0**power
    scaled = read(changed(past, lambda v: v * factor), changed(live, lambda v: v * factor))
    assert verdicts(scaled) == verdicts(read(past, live))


@given(seed=seeds)
@examples(25)
def test_a_distance_is_a_share_and_no_later_day_changes_a_reading(seed: int) -> None:
    past, live = feature_days(seed, 60), feature_days(seed + 1, 20, start=60)
    readings = read(past, live)
    assert read(past, live[:13]) == readings[:13]
    assert all(0.0 <= reading.statistic <= 1.0 for reading in readings if reading.statistic is not None)


@given(monitor=monitors, levels=level_lists)
@examples(25)
def test_alarms_of_one_level_are_at_least_21_days_apart(monitor: str, levels: list[Level]) -> None:
    _, alarms = raise_alarms(AlarmState(), level_readings(monitor, levels))
    for level in (Level.INFO, Level.WARN, Level.ALERT):
        days = [(alarm.reading.date - FIRST).days for alarm in alarms if alarm.level is level]
        assert all(later - earlier >= 21 for earlier, later in pairwise(days))


@given(monitor=monitors, levels=level_lists, cut=st.integers(0, 120))
@examples(25)
def test_alarms_do_not_depend_on_how_readings_arrive(monitor: str, levels: list[Level], cut: int) -> None:
    readings = level_readings(monitor, levels)
    whole_state, whole = raise_alarms(AlarmState(), readings)
    state, before = raise_alarms(AlarmState(), readings[:cut])
    woken = AlarmState.from_bytes(state.to_bytes())
    last_state, after = raise_alarms(woken, readings[max(0, cut - 3) :])
    assert before + after == whole
    assert last_state == whole_state
