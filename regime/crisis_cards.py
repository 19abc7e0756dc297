"""The second exam: every rare event predicted by models that never saw it, as scorecards by event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from regime.fit_jobs import job_seed
from regime.models.ensemble import ENSEMBLE
from regime.out_of_fold import baselines_of
from regime.scoring import score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regime.barrier.members import BarrierHistory
    from regime.fitting import Results
    from regime.recipe import TrainingSettings
    from regime.scorecard import Scorecard
    from regime.training_set import TrainingSet
    from regime.validation import Fold

CRISIS: Final = "crisis"


def crisis_cards(
    training_set: TrainingSet,
    settings: TrainingSettings,
    folds: Sequence[Fold],
    results: Results,
    barrier: BarrierHistory | None,
) -> dict[str, dict[str, Scorecard]]:
    """Give the scorecards of each event: of every model, of the barrier members, and of their plain mean.

    The models learnt from what came after the event too: this tells how robust they are, not what they
    would have said. The barrier members say what they said in time order.
    """
    return {fold.name: _cards(training_set, settings, fold, results, barrier) for fold in folds}


def _cards(
    training_set: TrainingSet,
    settings: TrainingSettings,
    fold: Fold,
    results: Results,
    barrier: BarrierHistory | None,
) -> dict[str, Scorecard]:
    probas = {
        model: proba for model in settings.models if (proba := results[model, fold.name].proba) is not None
    }
    if barrier is not None:
        probas |= {name: np.exp(each[fold.validate]) for name, each in barrier.log_proba.items()}
    if not probas:
        return {}
    baselines = baselines_of(training_set, fold, barrier)
    rows = fold.validate
    return {
        name: score(
            training_set.date[rows],
            training_set.symbol[rows],
            training_set.regime[rows],
            training_set.y[rows],
            proba,
            baselines,
            training_set.target.classes,
            rng=np.random.default_rng(job_seed(settings.seed, f"{CRISIS} {name}", fold.name)),
        )
        for name, proba in ((ENSEMBLE, np.mean(list(probas.values()), axis=0)), *probas.items())
    }
