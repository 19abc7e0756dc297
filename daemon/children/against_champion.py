"""How a new version did beside the champion, out of sample, on the rows that both predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.children.stored import CANDIDATE, common_rows, evidence_of_bytes
from regime.fit_jobs import job_seed
from regime.scoring import score
from regime.types import REGIMES

if TYPE_CHECKING:
    from regime.predictions import Predictions
    from registry.store import Registry

CHAMPION: Final = "champion"
SEED: Final = 1


def against_champion(
    registry: Registry, predictions: Predictions, target: dict[str, Any]
) -> dict[str, object] | None:
    """Give the skill against the champion by regime, with its interval overall.

    ``None`` if there is no champion, it predicts another target, or both have no row in common.
    """
    champion = registry.champion()
    if champion is None or dict(champion.manifest.target) != target:
        return None
    stored = evidence_of_bytes(registry.get_blob(registry.artifacts(champion.name)["evidence"].sha256))
    rows = {"date": predictions.date, "symbol": predictions.symbol, "truth": predictions.truth}
    own, other = common_rows(rows, stored)
    if not len(own):
        return None
    names = [f"{CANDIDATE}_{name}" for name in predictions.classes]
    card = score(
        predictions.date[own],
        predictions.symbol[own],
        predictions.regime[own],
        predictions.truth[own],
        predictions.ensemble[own],
        {CHAMPION: np.column_stack([stored[name][other] for name in names])},
        predictions.classes,
        rng=np.random.default_rng(job_seed(SEED, CHAMPION, champion.name)),
    )
    interval = card.interval(None, CHAMPION)
    return {
        "version": champion.name,
        "rows": len(own),
        "overall_skill": card.skill(None, CHAMPION),
        "interval": None if interval is None else [interval.low, interval.high],
        "skill": {regime.value: card.skill(regime, CHAMPION) for regime in REGIMES},
    }
