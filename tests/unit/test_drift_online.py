import datetime as dt
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from river.drift import ADWIN

from regime.drift import AggregateDay, Level, Reading, aggregate_day, replay
from regime.drift.online import AggregateDrift, AggregateReference
from regime.errors import HistoryTooShortError

FIRST = dt.date(2020, 1, 1)
DAYS_MAX = 600


def days(values: Sequence[float | None], start: int = 0) -> list[AggregateDay]:
    return [
        AggregateDay(date=FIRST + dt.timedelta(days=place), values={"mean_absolute_return": value})
        for place, value in enumerate(values, start=start)
    ]


def noise(n: int, seed: int, around: float = 0.01) -> list[float]:
    return [float(value) for value in around * np.random.default_rng(seed).uniform(0.5, 1.5, n)]


def fitted(values: Sequence[float | None]) -> tuple[AggregateDrift, AggregateReference]:
    monitor = AggregateDrift(days_max=DAYS_MAX)
    return monitor, monitor.fit(days(values), np.random.default_rng(0))


def read(past: Sequence[float | None], live: Sequence[float | None]) -> tuple[Reading, ...]:
    monitor, reference = fitted(past)
    return replay(monitor, reference, monitor.start(reference), days(live, start=5_000))[1]


def test_a_series_that_goes_on_as_before_gives_no_information() -> None:
    readings = read(noise(500, 1), noise(500, 2))
    assert {reading.level for reading in readings[20:]} == {Level.NONE}


def test_a_doubled_mean_is_found_once_at_the_level_of_information() -> None:
    readings = read(noise(500, 1), noise(200, 2) + noise(200, 3, around=0.02))
    found = [at for at, reading in enumerate(readings) if reading.level is Level.INFO]
    assert len(found) == 1
    assert 200 < found[0] < 250
    assert readings[found[0]].findings[0].name == "mean_absolute_return"
    assert readings[found[0]].statistic is None


def test_replaying_the_stored_series_is_the_same_as_river_without_a_break() -> None:
    live = noise(150, 2) + noise(150, 3, around=0.014) + noise(150, 4, around=0.008)
    monitor, reference = fitted(noise(500, 1))
    readings = replay(monitor, reference, monitor.start(reference), days(live))[1]
    limits = reference.ranges["mean_absolute_return"]
    assert limits is not None
    low, high = limits
    river = ADWIN(delta=0.002, clock=1, grace_period=21)  # type: ignore[no-untyped-call]  # river has no types
    detected = []
    for at, value in enumerate(live):
        scaled = min(max((value - low) / (high - low), 0.0), 1.0)
        river.update(scaled)  # type: ignore[no-untyped-call]  # river has no types
        if river.drift_detected:
            detected.append(at)
    assert len(detected) >= 2
    assert [at for at, reading in enumerate(readings) if reading.level is Level.INFO] == detected


def test_fewer_days_than_the_grace_are_insufficient_data() -> None:
    readings = read(noise(500, 1), noise(21, 2))
    assert [reading.level for reading in readings] == [Level.INSUFFICIENT_DATA] * 20 + [Level.NONE]


def test_days_on_which_the_aggregate_is_not_known_are_passed_over() -> None:
    monitor, reference = fitted(noise(500, 1))
    state, _ = replay(monitor, reference, monitor.start(reference), days([0.01, None, float("nan"), 0.012]))
    assert state.series["mean_absolute_return"].tolist() == [0.01, 0.012]


def test_an_aggregate_that_never_varied_is_insufficient_reference() -> None:
    assert read([0.5] * 100, [0.5] * 100)[-1].level is Level.INSUFFICIENT_REFERENCE


def test_an_aggregate_that_was_never_known_is_insufficient_reference() -> None:
    assert read([None] * 100, [0.5] * 100)[-1].level is Level.INSUFFICIENT_REFERENCE


def test_the_stored_series_is_bounded() -> None:
    monitor, reference = fitted(noise(500, 1))
    state, _ = replay(monitor, reference, monitor.start(reference), days(noise(DAYS_MAX + 1, 2)))
    assert len(state.series["mean_absolute_return"]) == 300


def test_a_day_given_twice_changes_nothing() -> None:
    monitor, reference = fitted(noise(500, 1))
    live = days(noise(40, 2))
    state, readings = replay(monitor, reference, monitor.start(reference), live)
    again, reading = monitor.update(reference, state, days([9.0], start=39)[0])
    assert again is state
    assert reading == readings[-1]


def test_state_and_reference_survive_a_restart_on_the_day_of_a_change() -> None:
    monitor, reference = fitted(noise(500, 1))
    live = days(noise(100, 2) + noise(100, 3, around=0.02) + noise(100, 4))
    _, whole = replay(monitor, reference, monitor.start(reference), live)
    cut = 1 + next(at for at, reading in enumerate(whole) if reading.level is Level.INFO)
    state, before = replay(monitor, reference, monitor.start(reference), live[:cut])
    woken = monitor.load_reference(reference.to_bytes())
    _, after = replay(monitor, woken, monitor.load_state(state.to_bytes()), live[cut:])
    assert before + after == whole


def test_no_reference_days_are_an_error() -> None:
    with pytest.raises(HistoryTooShortError):
        AggregateDrift().fit([], np.random.default_rng(0))


def test_the_aggregates_of_a_day_without_returns_are_not_known() -> None:
    day = aggregate_day(FIRST, np.array([np.nan]), np.empty((0, 3)))
    assert day.values == {
        "mean_absolute_return": None,
        "cross_sectional_dispersion": None,
        "unknown_share": None,
    }


def test_the_dispersion_of_one_symbol_is_not_known() -> None:
    assert (
        aggregate_day(FIRST, np.array([0.01]), np.zeros((1, 1))).values["cross_sectional_dispersion"] is None
    )


def test_the_package_itself_loads_neither_river_nor_pandas_nor_scipy() -> None:
    code = (
        "import sys, regime.drift; print(sorted({'river', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
