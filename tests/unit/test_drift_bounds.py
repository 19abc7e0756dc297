import datetime as dt

import numpy as np
import pytest

from regime.drift import FeatureDay, FeatureRange, Level, Reading, replay
from regime.errors import FeatureMismatchError, HistoryTooShortError
from regime.types import Regime

FIRST = dt.date(2020, 1, 1)


def day(place: int, values: list[list[float]], names: tuple[str, ...] = ("a", "b")) -> FeatureDay:
    return FeatureDay(
        date=FIRST + dt.timedelta(days=place),
        regime=Regime.NORMAL,
        names=names,
        values=np.asarray(values, dtype=np.float64).reshape(-1, len(names)),
    )


PAST = [day(0, [[0.0, 1.0], [1.0, np.nan]]), day(1, [[2.0, 5.0], [1.0, 3.0]])]


def read(values: list[list[float]], past: list[FeatureDay] | None = None) -> Reading:
    monitor = FeatureRange()
    reference = monitor.fit(past or PAST, np.random.default_rng(0))
    return monitor.update(reference, monitor.start(reference), day(9, values))[1]


def test_the_range_is_widened_by_half_on_both_sides() -> None:
    reference = FeatureRange().fit(PAST, np.random.default_rng(0))
    assert reference.low.tolist() == [-1.0, -1.0]
    assert reference.high.tolist() == [3.0, 7.0]
    assert reference.unknown_share.tolist() == [0.0, 0.25]


@pytest.mark.parametrize(
    ("outside", "level"),
    [(0, Level.NONE), (2, Level.NONE), (3, Level.WARN), (5, Level.WARN), (6, Level.ALERT)],
)
def test_a_fifth_of_the_rows_outside_warns_and_a_half_alerts(outside: int, level: Level) -> None:
    reading = read([[300.0, 2.0]] * outside + [[1.0, 2.0]] * (10 - outside))
    assert reading.level is level
    assert reading.statistic == pytest.approx(outside / 10)


def test_values_on_the_edge_of_the_range_are_inside() -> None:
    assert read([[3.0, 7.0], [-1.0, -1.0]]).statistic == 0.0


def test_the_worst_feature_is_named_first() -> None:
    reading = read([[1.0, 99.0], [1.0, 99.0], [1.0, 2.0], [9.0, 2.0]])
    assert [(finding.name, finding.statistic) for finding in reading.findings] == [("b", 0.5), ("a", 0.25)]


def test_more_unknown_values_than_in_the_reference_warn() -> None:
    reading = read([[1.0, np.nan]] * 6 + [[1.0, 2.0]] * 4)
    assert reading.level is Level.WARN
    assert reading.statistic == pytest.approx(0.35)


def test_as_many_unknown_values_as_in_the_reference_do_not_warn() -> None:
    assert read([[1.0, np.nan], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]).statistic == 0.0


def test_infinite_values_lie_outside() -> None:
    assert read([[np.inf, 2.0], [-np.inf, 2.0]]).level is Level.ALERT


def test_a_feature_never_seen_has_no_range_to_leave() -> None:
    past = [day(0, [[np.nan, 1.0], [np.nan, 2.0]])]
    assert read([[5.0, 1.0]], past).level is Level.NONE


def test_a_day_without_rows_is_insufficient_data() -> None:
    reading = read([])
    assert reading.level is Level.INSUFFICIENT_DATA
    assert reading.statistic is None


def test_a_day_given_twice_changes_nothing() -> None:
    monitor = FeatureRange()
    reference = monitor.fit(PAST, np.random.default_rng(0))
    state, first = monitor.update(reference, monitor.start(reference), day(9, [[1.0, 2.0]]))
    again, second = monitor.update(reference, state, day(9, [[900.0, 900.0]]))
    assert again is state
    assert second == first


def test_state_and_reference_survive_a_restart() -> None:
    monitor = FeatureRange()
    reference = monitor.fit(PAST, np.random.default_rng(0))
    live = [day(9, [[9.0, 2.0]]), day(10, [[1.0, 99.0]])]
    _, whole = replay(monitor, reference, monitor.start(reference), live)
    state, _ = monitor.update(reference, monitor.start(reference), live[0])
    woken = monitor.load_reference(reference.to_bytes())
    _, after = monitor.update(woken, monitor.load_state(state.to_bytes()), live[1])
    assert after == whole[1]


def test_no_reference_days_are_an_error() -> None:
    with pytest.raises(HistoryTooShortError):
        FeatureRange().fit([], np.random.default_rng(0))


def test_other_features_are_refused() -> None:
    monitor = FeatureRange()
    reference = monitor.fit(PAST, np.random.default_rng(0))
    with pytest.raises(FeatureMismatchError, match="new: \\['c'\\]"):
        monitor.update(reference, monitor.start(reference), day(9, [[1.0, 2.0]], names=("a", "c")))
