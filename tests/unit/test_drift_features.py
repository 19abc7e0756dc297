import datetime as dt

import numpy as np
import pytest
from numpy.typing import ArrayLike

from regime.drift import (
    AlarmState,
    FeatureDay,
    FeatureDrift,
    FeatureReference,
    FeatureState,
    Level,
    Reading,
    ReferenceMismatchError,
    raise_alarms,
    replay,
)
from regime.drift.counts import bin_counts, count_above, count_known, design_effect, quantile_edges
from regime.errors import FeatureMismatchError, HistoryTooShortError
from regime.types import Regime

FIRST = dt.date(2020, 1, 1)
NAMES = tuple("abcdefgh")
SYMBOLS = 6


def day(place: int, regime: Regime, values: ArrayLike, names: tuple[str, ...] = NAMES) -> FeatureDay:
    return FeatureDay(
        date=FIRST + dt.timedelta(days=place),
        regime=regime,
        names=names,
        values=np.asarray(values, dtype=np.float64),
    )


def days(
    regimes: list[Regime], seed: int, *, start: int = 0, shift: float = 0.0, scale: float = 1.0
) -> list[FeatureDay]:
    """Independent normal features, two of them raised by 3 in a crash; ``shift`` moves the first."""
    generator = np.random.default_rng(seed)
    made = []
    for place, regime in enumerate(regimes, start=start):
        values = generator.normal(size=(SYMBOLS, len(NAMES)))
        values[:, :2] += 3.0 if regime is Regime.CRASH else 0.0
        values[:, 0] = values[:, 0] * scale + shift
        made.append(day(place, regime, values))
    return made


CALM = [Regime.NORMAL] * 21
MIXED = ([Regime.NORMAL] * 40 + [Regime.CRASH] * 10) * 8


def fitted(reference_days: list[FeatureDay]) -> tuple[FeatureDrift, FeatureReference]:
    monitor = FeatureDrift()
    return monitor, monitor.fit(reference_days, np.random.default_rng(0))


def read(reference_days: list[FeatureDay], live: list[FeatureDay]) -> tuple[Reading, ...]:
    monitor, reference = fitted(reference_days)
    return replay(monitor, reference, monitor.start(reference), live)[1]


def test_the_same_distribution_raises_no_alarm() -> None:
    readings = read(days(MIXED, 1), days(MIXED, 2, start=400))
    assert [reading.level for reading in readings[20:]] == [Level.NONE] * 380
    assert raise_alarms(AlarmState(), readings)[1] == ()


def test_a_planted_shift_is_warned_of_and_then_alerted() -> None:
    readings = read(days(MIXED, 1), days(CALM * 3, 2, start=400, shift=1.0))
    alarms = raise_alarms(AlarmState(), readings)[1]
    assert [(alarm.level, (alarm.reading.date - FIRST).days - 400) for alarm in alarms] == [
        (Level.WARN, 20),
        (Level.ALERT, 25),
    ]
    assert alarms[0].reading.findings[0].name == "a"


def test_a_change_of_spread_is_found() -> None:
    reading = read(days(MIXED, 1), days(CALM, 2, start=400, scale=5.0))[-1]
    assert reading.level is Level.WARN
    assert reading.findings[0].name == "a"


def test_a_mere_change_of_the_regime_mix_is_no_feature_drift() -> None:
    crash = [Regime.CRASH] * 42
    live = days(crash, 2, start=400)
    readings = read(days(MIXED, 1), live)
    assert [reading.level for reading in readings[20:]] == [Level.NONE] * 22

    mislabelled = [day(400 + place, Regime.NORMAL, live[place].values) for place in range(42)]
    unconditional = read(days(MIXED, 1), mislabelled)
    assert [reading.level for reading in unconditional[20:]] == [Level.WARN] * 22


def test_the_mix_of_regimes_in_the_window_is_reported() -> None:
    window = [Regime.CRASH] * 7 + [Regime.NORMAL] * 14
    reading = read(days(MIXED, 1), days(window, 2, start=400))[-1]
    assert reading.mix == {"crash": pytest.approx(1 / 3), "normal": pytest.approx(2 / 3)}


def test_a_regime_absent_from_the_reference_is_insufficient_reference() -> None:
    reading = read(days([Regime.NORMAL] * 200, 1), days([Regime.CRASH] * 21, 2, start=400))[-1]
    assert reading.level is Level.INSUFFICIENT_REFERENCE
    assert (reading.statistic, reading.threshold, reading.effective_n) == (None, None, None)
    assert reading.tested == 0


@pytest.mark.parametrize(("crash_days", "level"), [(14, Level.INSUFFICIENT_REFERENCE), (15, Level.NONE)])
def test_a_regime_needs_fifteen_reference_days(crash_days: int, level: Level) -> None:
    reference = days([Regime.NORMAL] * 185 + [Regime.CRASH] * crash_days, 1)
    assert read(reference, days([Regime.CRASH] * 21, 2, start=400))[-1].level is level


@pytest.mark.parametrize(("crash_days", "level"), [(9, Level.INSUFFICIENT_REFERENCE), (8, Level.NONE)])
def test_three_fifths_of_the_window_must_be_comparable(crash_days: int, level: Level) -> None:
    window = [Regime.CRASH] * crash_days + [Regime.NORMAL] * (21 - crash_days)
    assert read(days([Regime.NORMAL] * 200, 1), days(window, 2, start=400))[-1].level is level


def test_days_of_unknown_regime_are_not_compared() -> None:
    window = [Regime.UNKNOWN] * 21
    reference = days([Regime.UNKNOWN] * 50 + [Regime.NORMAL] * 200, 1)
    assert read(reference, days(window, 2, start=400))[-1].level is Level.INSUFFICIENT_REFERENCE


def test_a_reference_of_few_blocks_is_insufficient() -> None:
    reading = read(days([Regime.NORMAL] * (8 * 21 - 1), 1), days(CALM, 2, start=400))[-1]
    assert reading.level is Level.INSUFFICIENT_REFERENCE


def test_a_window_that_is_not_full_is_insufficient_data() -> None:
    readings = read(days(MIXED, 1), days(CALM, 2, start=400))
    assert [reading.level for reading in readings] == [Level.INSUFFICIENT_DATA] * 20 + [Level.NONE]


def test_the_distance_and_its_threshold_are_those_of_the_formula() -> None:
    column = [[[row + place / 400.0] for row in range(4)] for place in range(400)]
    reference = [day(place, Regime.NORMAL, values, names=("a",)) for place, values in enumerate(column)]
    live = [day(400 + place, Regime.NORMAL, [[9.0]] * 4, names=("a",)) for place in range(21)]
    monitor, kept = fitted(reference)
    reading = replay(monitor, kept, monitor.start(kept), live)[1][-1]
    assert reading.statistic == pytest.approx(0.95, abs=0.002)
    effect = float(kept.design_effect[0])
    assert reading.effective_n == pytest.approx(84 / effect)
    expected = np.sqrt(-np.log(0.05 / 2) / 2) * np.sqrt(effect / 84 + effect / 1600)
    assert reading.threshold == pytest.approx(expected)


def test_a_feature_that_is_never_known_is_not_tested() -> None:
    live = [
        day(400 + place, Regime.NORMAL, np.where(np.arange(8) == 3, np.nan, one.values))
        for place, one in enumerate(days(CALM, 2))
    ]
    reading = read(days(MIXED, 1), live)[-1]
    assert reading.level is Level.NONE
    assert reading.tested == 7


def test_infinite_values_count_as_extremes() -> None:
    live = [
        day(400 + place, Regime.NORMAL, np.where(np.arange(8) == 3, np.inf, one.values))
        for place, one in enumerate(days(CALM, 2))
    ]
    reading = read(days(MIXED, 1), live)[-1]
    assert reading.level is Level.WARN
    assert reading.findings[0].name == "d"
    assert reading.statistic == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(
    ("value", "level"),
    [(0.25 + 1e-13, Level.NONE), (0.25, Level.NONE), (0.2, Level.WARN), (0.3, Level.WARN)],
)
def test_a_constant_that_moves_either_way_is_drift_and_rounding_is_not(value: float, level: Level) -> None:
    reference = [day(place, Regime.NORMAL, [[0.25]] * 4, names=("a",)) for place in range(200)]
    live = [day(400 + place, Regime.NORMAL, [[value]] * 4, names=("a",)) for place in range(21)]
    assert read(reference, live)[-1].level is level


def test_a_day_given_twice_changes_nothing() -> None:
    monitor, reference = fitted(days(MIXED, 1))
    live = days(CALM, 2, start=400)
    state, readings = replay(monitor, reference, monitor.start(reference), live)
    other = day(420, Regime.CRASH, np.full((SYMBOLS, 8), 99.0))
    again, reading = monitor.update(reference, state, other)
    assert again is state
    assert reading == readings[-1]


def test_a_late_day_changes_nothing() -> None:
    monitor, reference = fitted(days(MIXED, 1))
    state, _ = replay(monitor, reference, monitor.start(reference), days(CALM, 2, start=400))
    assert monitor.update(reference, state, days(CALM, 2, start=400)[3])[0] is state


def test_state_and_reference_survive_a_restart_in_the_middle() -> None:
    monitor, reference = fitted(days(MIXED, 1))
    live = days(MIXED[:80], 2, start=400, shift=0.4)
    _, whole = replay(monitor, reference, monitor.start(reference), live)
    state, before = replay(monitor, reference, monitor.start(reference), live[:33])
    woken = monitor.load_reference(reference.to_bytes())
    _, after = replay(monitor, woken, monitor.load_state(state.to_bytes()), live[33:])
    assert before + after == whole


def test_stored_bytes_are_the_same_for_the_same_content() -> None:
    _, reference = fitted(days(MIXED, 1))
    _, again = fitted(days(MIXED, 1))
    assert reference.identity == again.identity
    assert FeatureReference.from_bytes(reference.to_bytes()).to_bytes() == again.to_bytes()


def test_a_reference_of_179_features_stays_below_a_megabyte() -> None:
    names = tuple(f"f{at}" for at in range(179))
    generator = np.random.default_rng(0)
    made = [day(at, Regime.NORMAL, generator.normal(size=(20, 179)), names=names) for at in range(180)]
    monitor, reference = fitted(made)
    state, _ = replay(monitor, reference, monitor.start(reference), made[:30])
    assert 100_000 < len(reference.to_bytes()) < 1_000_000
    assert 100_000 < len(state.to_bytes()) < 1_000_000
    assert len(FeatureState.from_bytes(state.to_bytes()).codes) == 21


def test_a_state_of_another_reference_is_refused() -> None:
    monitor, reference = fitted(days(MIXED, 1))
    _, other = fitted(days(MIXED, 9))
    with pytest.raises(ReferenceMismatchError, match="start anew"):
        monitor.update(other, monitor.start(reference), days(CALM, 2)[0])


def test_features_in_another_order_are_refused() -> None:
    monitor, reference = fitted(days(MIXED, 1))
    wrong = day(400, Regime.NORMAL, np.zeros((SYMBOLS, 8)), names=tuple(reversed(NAMES)))
    with pytest.raises(FeatureMismatchError, match="another order"):
        monitor.update(reference, monitor.start(reference), wrong)


def test_values_without_a_name_are_refused() -> None:
    with pytest.raises(FeatureMismatchError, match="one column a feature"):
        day(0, Regime.NORMAL, np.zeros((SYMBOLS, 7)))


def test_a_reference_without_any_regime_is_an_error() -> None:
    with pytest.raises(HistoryTooShortError, match="label the days first"):
        fitted(days([Regime.UNKNOWN] * 100, 1))


def test_edges_enclose_a_value_that_fills_several_bins() -> None:
    values = np.array([[0.0]] * 60 + [[1.0 + at] for at in range(40)])
    edges = quantile_edges([day(0, Regime.NORMAL, values, names=("a",))], 5)[:, 0]
    assert edges[0] < 0.0 < edges[1]
    counts = count_above(np.array([[-1.0], [0.0], [0.0], [50.0]]), edges[:, None])
    assert counts[:, 0].tolist() == [3, 1, 1, 1]


def test_counts_above_do_not_overflow_for_many_symbols() -> None:
    assert count_above(np.ones((1_000, 1)), np.zeros((1, 1))).tolist() == [[1_000]]


def test_independent_rows_have_no_design_effect_and_copied_rows_have_their_number() -> None:
    generator = np.random.default_rng(5)
    daily = generator.normal(size=(2_100, 1, 1))
    for rows, expected in ((generator.normal(size=(2_100, 10, 1)), 1.0), (daily.repeat(10, axis=1), 10.0)):
        made = [day(at, Regime.NORMAL, values, names=("a",)) for at, values in enumerate(rows)]
        edges = quantile_edges(made, 20)
        above = np.stack([count_above(one.values, edges) for one in made])
        known = np.stack([count_known(one.values) for one in made])
        codes = np.full(len(made), 3, dtype=np.uint8)
        effect = design_effect(bin_counts(above, known), codes, 21, 8)
        assert effect[0] == pytest.approx(expected, rel=0.35)


def test_a_change_of_regime_is_no_dependence() -> None:
    _, reference = fitted(days(MIXED, 1))
    assert reference.design_effect.max() < 2.0
