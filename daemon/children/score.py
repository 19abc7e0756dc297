"""Predicts the last day with the champion and shows new days to the drift monitors.

Result: ``{"day", "predictions", "readings", "alarms", "states"}``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.adapters.ledger import Ledger
from daemon.children.champion import LoadedVersion, load_proven
from daemon.children.data import Market, first_market, settings_of
from daemon.children.references import PREFIX, unseen_days, update_drift
from daemon.layout import Layout
from registry.readonly import open_read_only
from registry.store import Registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from daemon.settings import Settings
    from regime.drift import Alarm, Reading
    from regime.types import FeatureTable

    Load = Callable[..., LoadedVersion]
    See = Callable[[str, int, Settings], Market]

FINDINGS_MAX: Final = 5


def run(job: dict[str, Any], *, load: Load = load_proven, see: See = first_market) -> dict[str, Any]:
    """Score a data version; ``load`` gives the champion, loaded and proven, and ``see`` its market."""
    layout = Layout(Path(job["root"]))
    settings = settings_of(job)
    market = see(job["root"], job["data_version"], settings)
    with closing(open_read_only(layout.journal)) as connection:
        states = Ledger(connection).monitor_states()
    with Registry.open_read_only(layout.registry) as registry:
        version = registry.version(job["champion"])
        champion = load(registry, version, trusted=settings.training.trusted_types)
        references = {
            name: registry.get_blob(stored.sha256)
            for name, stored in registry.artifacts(version.name).items()
            if name.startswith(PREFIX)
        }
    unseen = unseen_days(references, states, market.index.date, version.manifest.trained_to)
    features = market.features(last_days=unseen)
    drift = update_drift(market, references, states, features, version.manifest.trained_to)
    day = market.index.date[-1]
    return {
        "day": str(day),
        "predictions": predict_day(champion, market, features, day),
        "readings": [_reading(reading) for reading in drift.readings],
        "alarms": [_alarm(alarm) for alarm in drift.alarms],
        "states": drift.states,
    }


def predict_day(
    champion: LoadedVersion, market: Market, features: FeatureTable, day: np.datetime64
) -> list[dict[str, Any]]:
    """Give the champion's probabilities of every symbol that has a bar on ``day``."""
    at = np.flatnonzero(features.date == day)
    rows = features.take(at)
    regime = market.labels.regime[int(np.searchsorted(market.labels.date, day))]
    classes = champion.version.manifest.classes
    inputs = champion.inputs_of(rows, market, np.full(len(at), regime.value))
    return [
        {
            "version": champion.version.name,
            "symbol": str(symbol),
            "day": str(day),
            "regime": regime.value,
            "probabilities": dict(zip(classes, proba.round(6).tolist(), strict=True)),
        }
        for symbol, proba in zip(rows.symbol, champion.ensemble.predict_proba(inputs), strict=True)
    ]


def _reading(reading: Reading) -> dict[str, Any]:
    facts = reading.facts()
    return {
        "monitor": reading.monitor,
        "reference": reading.reference_id[:12],
        "day": reading.date.isoformat(),
        "level": reading.level.value,
        "statistic": reading.statistic,
        "threshold": reading.threshold,
        "effective_n": reading.effective_n,
        "detail": {
            "tested": reading.tested,
            "mix": facts["mix"],
            "findings": facts["findings"][:FINDINGS_MAX],  # type: ignore[index]  # a list, see Reading.facts
        },
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {**_reading(alarm.reading), "level": alarm.level.value}
