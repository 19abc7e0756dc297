import datetime as dt
import json

import numpy as np
import pytest

from regime.drift import (
    AlarmState,
    Finding,
    Level,
    Reading,
    StoredUnreadableError,
    feature_days,
    raise_alarms,
    regime_days,
)
from regime.drift.stored import pack, unpack
from regime.types import FeatureTable, Regime, RegimeSeries

FIRST = dt.date(2020, 1, 1)


def readings(
    monitor: str, levels: list[Level], *, start: int = 0, reference_id: str = "one"
) -> list[Reading]:
    return [
        Reading(monitor=monitor, date=FIRST + dt.timedelta(days=at), level=level, reference_id=reference_id)
        for at, level in enumerate(levels, start=start)
    ]


def raised(given: list[Reading], state: AlarmState | None = None) -> list[tuple[int, Level]]:
    _, alarms = raise_alarms(state or AlarmState(), given)
    return [((alarm.reading.date - FIRST).days, alarm.level) for alarm in alarms]


def test_quiet_readings_raise_nothing() -> None:
    assert raised(readings("feature_drift", [Level.NONE] * 100)) == []


def test_a_monitor_is_in_alarm_from_a_check_that_warned_to_one_that_does_not() -> None:
    levels = [Level.WARN] + [Level.NONE] * 4
    state, _ = raise_alarms(AlarmState(), readings("feature_drift", levels))
    assert state.active() == ("feature_drift",)
    state, _ = raise_alarms(state, readings("feature_drift", [Level.NONE], start=5))
    assert state.active() == ()
    state, alarms = raise_alarms(AlarmState(), readings("feature_range", [Level.ALERT] * 3))
    assert (len(alarms), state.active()) == (1, ("feature_range",))


def test_a_feature_warning_is_raised_once_and_its_repetition_is_an_alert() -> None:
    levels = [Level.WARN] + [Level.NONE] * 4 + [Level.WARN] + [Level.NONE] * 30
    assert raised(readings("feature_drift", levels)) == [(0, Level.WARN), (5, Level.ALERT)]


def test_two_warnings_of_three_weekly_checks_are_an_alert() -> None:
    levels = [Level.WARN] + [Level.NONE] * 9 + [Level.WARN]
    assert raised(readings("feature_drift", levels)) == [(0, Level.WARN), (10, Level.ALERT)]


def test_two_warnings_of_four_weekly_checks_are_no_alert() -> None:
    levels = [Level.WARN] + [Level.NONE] * 14 + [Level.WARN]
    assert raised(readings("feature_drift", levels)) == [(0, Level.WARN)]


def test_between_weekly_checks_a_warning_is_not_looked_at() -> None:
    levels = [Level.NONE] + [Level.WARN] * 4 + [Level.NONE]
    assert raised(readings("feature_drift", levels)) == []


def test_drift_that_stays_raises_one_alarm() -> None:
    assert raised(readings("feature_range", [Level.ALERT] * 100)) == [(0, Level.ALERT)]


def test_drift_that_comes_and_goes_raises_one_alarm_a_refractory_period() -> None:
    levels = [Level.ALERT] + [Level.NONE] * 19 + [Level.ALERT] + [Level.NONE] * 20 + [Level.ALERT]
    assert raised(readings("feature_range", levels)) == [(0, Level.ALERT), (41, Level.ALERT)]


def test_an_alert_breaks_the_silence_of_a_warning_but_not_the_reverse() -> None:
    levels = [Level.WARN, Level.ALERT, Level.WARN, Level.WARN]
    assert raised(readings("feature_range", levels)) == [(0, Level.WARN), (1, Level.ALERT)]


def test_the_regime_mix_is_alerted_by_its_own_level_only() -> None:
    levels = [Level.WARN] * 11 + [Level.ALERT] * 5
    assert raised(readings("regime_mix", levels)) == [(0, Level.WARN), (15, Level.ALERT)]


def test_a_reading_without_evidence_is_no_check() -> None:
    levels = [Level.INSUFFICIENT_DATA] * 3 + [Level.WARN] + [Level.INSUFFICIENT_REFERENCE] * 6 + [Level.WARN]
    assert raised(readings("feature_drift", levels)) == [(3, Level.WARN), (10, Level.ALERT)]


def test_information_is_raised_on_the_day_it_comes() -> None:
    levels = [Level.NONE, Level.NONE, Level.INFO, Level.NONE]
    assert raised(readings("aggregate_drift", levels)) == [(2, Level.INFO)]


def test_a_reading_given_twice_raises_one_alarm() -> None:
    once = readings("feature_range", [Level.ALERT])
    state, alarms = raise_alarms(AlarmState(), [*once, *once])
    assert len(alarms) == 1
    assert raise_alarms(state, once) == (state, ())


def test_monitors_do_not_silence_each_other() -> None:
    given = readings("feature_range", [Level.ALERT]) + readings("regime_mix", [Level.ALERT])
    assert len(raise_alarms(AlarmState(), given)[1]) == 2


def test_a_new_reference_forgets_warnings_but_keeps_the_silence() -> None:
    first = readings("feature_drift", [Level.WARN])
    state, _ = raise_alarms(AlarmState(), first)
    later = readings("feature_drift", [Level.WARN] * 21, start=5, reference_id="two")
    assert raised(later, state) == [(14, Level.ALERT)]


def test_the_state_survives_a_restart() -> None:
    levels = [Level.WARN, Level.NONE] * 40
    given = readings("feature_drift", levels) + readings("feature_range", levels)
    whole_state, whole = raise_alarms(AlarmState(), given)
    state, before = raise_alarms(AlarmState(), given[:95])
    again = AlarmState.from_bytes(state.to_bytes())
    assert again == state
    last_state, after = raise_alarms(again, given[95:])
    assert before + after == whole
    assert last_state == whole_state


def test_an_alarm_is_told_in_json_with_all_its_numbers() -> None:
    reading = Reading(
        monitor="feature_drift",
        date=FIRST,
        level=Level.WARN,
        reference_id="one",
        statistic=0.5,
        threshold=0.4,
        effective_n=12.5,
        tested=2,
        mix={"normal": 1.0},
        findings=(Finding(name="a", statistic=0.5, threshold=0.4, effective_n=None),),
    )
    (alarm,) = raise_alarms(AlarmState(), [reading])[1]
    assert json.loads(json.dumps(alarm.facts())) == {
        "monitor": "feature_drift",
        "date": "2020-01-01",
        "level": "warn",
        "reference_id": "one",
        "statistic": 0.5,
        "threshold": 0.4,
        "effective_n": 12.5,
        "tested": 2,
        "mix": {"normal": 1.0},
        "findings": [{"name": "a", "statistic": 0.5, "threshold": 0.4, "effective_n": None}],
    }


@pytest.mark.parametrize("stored", [b"", b"nonsense", pack("toy", {}, {})[:-30], b"PK\x03\x04"])
def test_damaged_bytes_are_refused(stored: bytes) -> None:
    with pytest.raises(StoredUnreadableError, match="anew"):
        unpack("toy", stored)


def test_bytes_of_another_kind_are_refused() -> None:
    with pytest.raises(StoredUnreadableError, match="store a toy, not a drift_alarms"):
        AlarmState.from_bytes(pack("toy", {}, {}))


def test_feature_rows_are_gathered_by_day_with_the_regime_of_the_day() -> None:
    table = FeatureTable(
        symbol=np.array(["A", "A", "B", "B"]),
        date=np.array(["2024-01-02", "2024-01-03", "2024-01-02", "2024-01-04"], dtype="datetime64[D]"),
        names=("f",),
        values=np.array([[1.0], [2.0], [3.0], [4.0]]),
        catalogue_hash="none",
    )
    labels = RegimeSeries(
        labeler="rules",
        date=np.array(["2024-01-02", "2024-01-03"], dtype="datetime64[D]"),
        regime=(Regime.CRASH, Regime.RECOVERY),
        reason=("", ""),
        pending=(None, None),
        provisional=np.array([False, False]),
    )
    days = list(feature_days(table, labels))
    assert [(day.date.day, day.regime, day.values.ravel().tolist()) for day in days] == [
        (2, Regime.CRASH, [1.0, 3.0]),
        (3, Regime.RECOVERY, [2.0]),
        (4, Regime.UNKNOWN, [4.0]),
    ]
    assert [day.regime for day in regime_days(labels)] == [Regime.CRASH, Regime.RECOVERY]
