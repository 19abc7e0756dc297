"""Drift monitors of a version: their references, made when it is trained, and their states since."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from regime.drift import (
    AlarmState,
    FeatureDrift,
    FeatureRange,
    RegimeMix,
    aggregate_day,
    feature_days,
    raise_alarms,
    regime_days,
    rows_by_day,
)
from regime.drift.online import AggregateDrift

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from numpy.typing import NDArray

    from daemon.children.data import Market
    from regime.drift import AggregateDay, Alarm, Reading
    from regime.training_set import TrainingSet
    from regime.types import Bars, FeatureTable, RegimeSeries

PREFIX: Final = "drift_"
ALARMS: Final = "alarms"
SEED: Final = 20240106
WINDOW_DAYS: Final = 21
"""Days that the feature monitors look at together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Readings of new days, the alarms they raise, and the states to go on from."""

    readings: tuple[Reading, ...]
    alarms: tuple[Alarm, ...]
    states: Mapping[str, str]


def _monitors() -> tuple[Any, ...]:
    """Give the monitors; each takes days of its own kind, see ``_days``."""
    return FeatureRange(), FeatureDrift(), RegimeMix(), AggregateDrift()


def drift_references(market: Market, rows: TrainingSet, features: FeatureTable) -> dict[str, bytes]:
    """Fit every monitor on the days that a version was trained on."""
    trained = (features.date >= rows.date[0]) & (features.date <= rows.date[-1])
    days = _days(features.take(trained), market.labels.through(rows.date[-1]), market.bars)
    generator = np.random.default_rng(SEED)
    return {
        PREFIX + monitor.name: monitor.fit(days[monitor.name], generator).to_bytes()
        for monitor in _monitors()
    }


def check_references(artifacts: Mapping[str, bytes]) -> None:
    """Refuse artifacts among which a monitor does not find its reference.

    Raises
    ------
    StoredUnreadableError
        If the bytes of one are no reference of its monitor.
    """
    for monitor in _monitors():
        monitor.load_reference(artifacts[PREFIX + monitor.name])


def unseen_days(
    references: Mapping[str, bytes],
    states: Mapping[str, str],
    sessions: NDArray[np.datetime64],
    trained_to: date,
) -> int:
    """Give how many of the last sessions the monitors have to be shown, at least one.

    Those that the slowest of them has not seen; to one with a new reference all since the last trained day,
    and before them those that fill its window.
    """
    seen: list[date] = []
    for monitor in _monitors():
        reference = monitor.load_reference(references[PREFIX + monitor.name])
        state = _known_state(monitor, reference, states)
        if state is None or state.date is None:
            return max(1, int((sessions > np.datetime64(trained_to)).sum())) + WINDOW_DAYS
        seen.append(state.date)
    return max(1, int((sessions > np.datetime64(min(seen))).sum()))


def update_drift(
    market: Market,
    references: Mapping[str, bytes],
    states: Mapping[str, str],
    features: FeatureTable,
    trained_to: date,
) -> Drift:
    """Show the monitors every day that they have not seen.

    A monitor with a new reference first sees the last days that it was trained on, to fill its window;
    what it says of those is no news and left out.
    """
    days = _days(features, market.labels, market.bars)
    readings: list[Reading] = []
    kept: dict[str, str] = {}
    for monitor in _monitors():
        reference = monitor.load_reference(references[PREFIX + monitor.name])
        state = _known_state(monitor, reference, states) or monitor.start(reference)
        for day in days[monitor.name]:
            if state.date is None or day.date > state.date:
                state, reading = monitor.update(reference, state, day)
                if day.date > trained_to:
                    readings.append(reading)
        kept[monitor.name] = base64.b64encode(state.to_bytes()).decode()
    before = AlarmState.from_bytes(base64.b64decode(states[ALARMS])) if ALARMS in states else AlarmState()
    after, alarms = raise_alarms(before, readings)
    kept[ALARMS] = base64.b64encode(after.to_bytes()).decode()
    return Drift(readings=tuple(readings), alarms=alarms, states=kept)


def alarms_of(states: Mapping[str, str]) -> tuple[str, ...] | None:
    """Give the monitors of features that were in alarm when last asked; ``None`` before the first reading."""
    if ALARMS not in states:
        return None
    active = AlarmState.from_bytes(base64.b64decode(states[ALARMS])).active()
    return tuple(name for name in active if name in (FeatureRange().name, FeatureDrift().name))


def _known_state(monitor: Any, reference: Any, states: Mapping[str, str]) -> Any:
    """Give where a monitor stands, ``None`` if it has not begun with this reference."""
    if monitor.name not in states:
        return None
    state = monitor.load_state(base64.b64decode(states[monitor.name]))
    return state if state.reference_id == reference.identity else None


def _days(features: FeatureTable, labels: RegimeSeries, bars: Bars) -> dict[str, Any]:
    of_features = tuple(feature_days(features, labels))
    return {
        FeatureRange().name: of_features,
        FeatureDrift().name: of_features,
        RegimeMix().name: regime_days(labels),
        AggregateDrift().name: _aggregates(features, bars),
    }


def _aggregates(features: FeatureTable, bars: Bars) -> tuple[AggregateDay, ...]:
    change = bars.close[1:] / bars.close[:-1] - 1
    returns = np.append(np.nan, np.where(bars.symbol[1:] == bars.symbol[:-1], change, np.nan))
    of_bars, none = rows_by_day(bars.date), np.empty(0, dtype=np.intp)
    return tuple(
        aggregate_day(day, returns[of_bars.get(day, none)], features.values[rows].astype(np.float64))
        for day, rows in rows_by_day(features.date).items()
    )
