"""Multi-layer perceptron whose number of epochs is chosen on the latest rows.

``MLPClassifier(early_stopping=True)`` holds out a random slice, which overlapping targets leak into, so
that it stops far too late. Here the epochs are counted on the last rows in time, then all rows are used.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
from sklearn.neural_network import MLPClassifier

from regime.models.fitted import ModelRecipe
from regime.models.inputs import beside, learn_scale, split_in_time, standardise
from regime.models.parameters import (
    GAP_SHARE,
    HOLDOUT_SHARE,
    MLP,
    MLP_BATCH_ROWS,
    MLP_EPOCHS_MAX,
    MLP_PATIENCE,
)
from regime.models.trees import predict_standardised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from regime.models.fitted import TrainingRows

PROBABILITY_MIN: Final = 1e-9
"""Keeps one sure mistake from making the loss of an epoch infinite."""


def _learn(rows: TrainingRows) -> Mapping[str, object]:
    scale = learn_scale(rows.X)
    inputs = beside(standardise(rows.X, **scale), rows.margin)
    everything = _train(inputs, rows, slice(None))
    network = next(islice(everything, _best_epoch(inputs, rows), None))
    return {"estimator": network, **scale}


def _best_epoch(inputs: NDArray[np.float32], rows: TrainingRows) -> int:
    """Give the epoch, counted from 0, after which a network of the early rows served the late ones best."""
    early, late = split_in_time(len(inputs), HOLDOUT_SHARE, GAP_SHARE)
    losses: list[float] = []
    for network in _train(inputs, rows, early):
        losses.append(_log_loss(network, inputs[late], rows.y[late], rows.sample_weight[late]))
        if len(losses) - int(np.argmin(losses)) > MLP_PATIENCE:
            break
    return int(np.argmin(losses))


def _train(inputs: NDArray[np.float32], rows: TrainingRows, part: slice) -> Iterator[MLPClassifier]:
    """Yield one and the same network after each epoch over a part of the rows."""
    chosen, y, sample_weight = inputs[part], rows.y[part], rows.sample_weight[part]
    batch_size = min(MLP_BATCH_ROWS, len(chosen))
    network = MLPClassifier(**MLP, batch_size=batch_size, random_state=rows.seed)
    for _ in range(MLP_EPOCHS_MAX):
        yield network.partial_fit(chosen, y, sample_weight=sample_weight, classes=np.unique(rows.y))


def _log_loss(
    network: MLPClassifier,
    inputs: NDArray[np.float32],
    y: NDArray[np.int64],
    sample_weight: NDArray[np.float64],
) -> float:
    proba = np.asarray(network.predict_proba(inputs), dtype=np.float64)
    true = np.maximum(proba[np.arange(len(y)), y], PROBABILITY_MIN)
    return float(np.average(-np.log(true), weights=sample_weight))


mlp = ModelRecipe(
    title="Multi-layer perceptron",
    parts=("estimator", "center", "scale"),
    learn=_learn,
    predict=predict_standardised,
)
