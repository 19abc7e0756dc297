"""Predicts the last day with a version that does not serve, and counts how far its trials have matured.

Result: ``{"day", "predictions", "counted": [{"trial", "days"}]}``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.adapters.ledger import Ledger
from daemon.children.champion import load_proven
from daemon.children.data import first_market, settings_of
from daemon.children.fresh import count_days, fresh_rows, target_of
from daemon.children.score import predict_day
from daemon.layout import Layout
from daemon.markets import first_of
from daemon.trials import Trial
from registry.readonly import open_read_only
from registry.store import Registry

if TYPE_CHECKING:
    from daemon.children.score import Load, See


def run(job: dict[str, Any], *, load: Load = load_proven, see: See = first_market) -> dict[str, Any]:
    """Predict with one version; ``load`` gives it, loaded and proven, and ``see`` its market."""
    layout = Layout(Path(job["root"]))
    settings = settings_of(job)
    market = see(job["root"], job["data_version"], settings)
    with Registry.open_read_only(layout.registry) as registry:
        version = load(registry, registry.version(job["version"]), trusted=settings.training.trusted_types)
    day = market.index.date[-1]
    target = target_of(version.version.manifest.target)
    calendar = first_of(settings.markets)[1].calendar
    counted = []
    with closing(open_read_only(layout.journal)) as connection:
        for facts in job["trials"]:
            own, _ = fresh_rows(
                Trial.of_facts(facts),
                Ledger(connection),
                market.bars,
                target,
                data_version=job["data_version"],
                calendar=calendar,
            )
            counted.append({"trial": facts, "days": count_days(own)})
    return {
        "day": str(day),
        "predictions": predict_day(version, market, market.features(last_days=1), day),
        "counted": counted,
    }
