"""Monitors are shown the days that they have not seen, and say the same as if they were shown all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from daemon.children.data import Market, market_of_bars
from daemon.children.references import WINDOW_DAYS, drift_references, unseen_days, update_drift
from daemon.settings import MarketSettings, Settings
from regime.simulator import SimulationSettings, simulate
from regime.targets import compute_targets, target_named
from regime.training_set import build_training_set

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from regime.drift import Reading

TRAINED_TO = 620
"""Sessions that are trained on; forty more arrive one by one."""


@pytest.fixture(scope="module")
def market() -> Market:
    bars = simulate(SimulationSettings(symbols=3, days=660), np.random.default_rng(7)).bars
    settings = Settings(markets={"sim": MarketSettings(index="^SIM", fear="^SIMVIX", calendar="weekdays")})
    return market_of_bars(bars, settings)


@pytest.fixture(scope="module")
def references(market: Market) -> Mapping[str, bytes]:
    known = _until(market, TRAINED_TO)
    features = known.features()
    targets = compute_targets(known.bars, target_named("reference"))
    rows, _ = build_training_set(
        features, known.bars, targets, known.labels, feature_hash=features.catalogue_hash
    )
    return drift_references(known, rows, features)


def _until(market: Market, sessions: int) -> Market:
    last = market.index.date[sessions - 1]
    parts = {name: getattr(market, name) for name in ("bars", "index", "fear")}
    cut = {name: bars.take(bars.date <= last) for name, bars in parts.items()}
    return Market(
        name=market.name,
        **cut,
        labels=market.labels.through(last),
    )


def test_one_day_at_a_time_the_readings_are_those_of_all_days_at_once(
    market: Market, references: Mapping[str, bytes]
) -> None:
    trained_to: date = market.index.date[TRAINED_TO - 1].item()
    whole = update_drift(market, references, {}, market.features(last_days=40 + WINDOW_DAYS), trained_to)
    states: Mapping[str, str] = {}
    readings: list[Reading] = []
    shown: list[int] = []
    for sessions in range(TRAINED_TO + 1, len(market.index.date) + 1):
        then = _until(market, sessions)
        shown.append(unseen_days(references, states, then.index.date, trained_to))
        drift = update_drift(then, references, states, then.features(last_days=shown[-1]), trained_to)
        readings += drift.readings
        states = drift.states
    assert shown == [1 + WINDOW_DAYS] + [1] * 39
    assert len(readings) == len(whole.readings) >= 40
    key = lambda reading: (reading.monitor, reading.date)  # noqa: E731 - the same for both
    assert [r.facts() for r in sorted(readings, key=key)] == [
        r.facts() for r in sorted(whole.readings, key=key)
    ]
    assert {name: states[name] for name in whole.states} == dict(whole.states)
