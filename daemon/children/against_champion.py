"""How a new version did beside the champion, out of sample, on the rows that both predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from daemon.children.stored import CANDIDATE, evidence_of_bytes
from regime.fit_jobs import job_seed
from regime.scoring import score
from regime.types import REGIMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    own, other = common_rows(predictions.date, predictions.symbol, stored)
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


def common_rows(
    date: NDArray[np.datetime64], symbol: NDArray[np.str_], stored: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the positions of the (date, symbol) that both have, in our order."""
    places = {key: at for at, key in enumerate(zip(stored["date"], stored["symbol"], strict=True))}
    found = [(at, places.get(key)) for at, key in enumerate(zip(date, symbol, strict=True))]
    pairs = np.array([pair for pair in found if pair[1] is not None], dtype=np.intp).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]
