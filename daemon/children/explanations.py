"""What a version looks at and how far its probabilities can be trusted, as artifacts beside its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from daemon.layout import EXPLANATION, RELIABILITY
from regime.explain import explain
from regime.fit_jobs import job_seed
from regime.models.ensemble import ENSEMBLE
from regime.reliability import measure_reliability
from registry.types import canonical_json

if TYPE_CHECKING:
    from regime.predictions import Predictions
    from regime.training import TrainingResult
    from regime.training_set import TrainingSet

EXPLAINED: Final = ("lightgbm", "xgboost")
"""The members that can be explained; the first that was fitted is."""

SEED: Final = 1
"""Of the sample of rows, the same in every run: it decides which rows are looked at, not what is learnt."""


def explanations(rows: TrainingSet, result: TrainingResult) -> dict[str, bytes]:
    """Give the artifacts ``explanation`` and ``reliability`` as JSON.

    The explanation is of the final fit on its training rows, and is left out if neither booster was fitted.
    Reliability is out of fold, of the ensemble and of every baseline.
    """
    artifacts = {RELIABILITY: _reliability(result.predictions)}
    if name := next((name for name in EXPLAINED if name in result.ensemble.models), None):
        columns = result.ensemble.columns
        found = explain(
            result.ensemble.models[name],
            rows.X[:, columns],
            rows.regime,
            tuple(rows.feature_names[column] for column in columns),
            rows.target.classes,
            rng=np.random.default_rng(job_seed(SEED, name, EXPLANATION)),
        )
        artifacts[EXPLANATION] = canonical_json(found.to_json()).encode()
    return artifacts


def _reliability(predictions: Predictions) -> bytes:
    found = measure_reliability(
        predictions.date,
        predictions.regime,
        predictions.truth,
        {ENSEMBLE: predictions.ensemble, **predictions.baselines},
        predictions.classes,
    )
    return canonical_json(found.to_json()).encode()
