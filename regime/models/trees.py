"""Random forest, extremely randomised trees and gradient boosting by scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier

from regime.models.fitted import ModelRecipe
from regime.models.inputs import beside, learn_scale, standardise
from regime.models.parameters import EXTRA_TREES, GRADIENT_BOOSTING, RANDOM_FOREST

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from regime.models.fitted import Margin, TrainingRows


class Classifier(Protocol):
    """The part of a scikit-learn classifier that predictions need."""

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give probabilities, shape (n_rows, n_classes)."""


def _learn_random_forest(rows: TrainingRows) -> Mapping[str, object]:
    forest = RandomForestClassifier(**RANDOM_FOREST, n_jobs=1, random_state=rows.seed)
    inputs = beside(rows.X, rows.margin)
    return {"estimator": forest.fit(inputs, rows.y, sample_weight=rows.sample_weight)}


def _learn_extra_trees(rows: TrainingRows) -> Mapping[str, object]:
    trees = ExtraTreesClassifier(**EXTRA_TREES, n_jobs=1, random_state=rows.seed)
    inputs = beside(rows.X, rows.margin)
    return {"estimator": trees.fit(inputs, rows.y, sample_weight=rows.sample_weight)}


def _predict(parts: Mapping[str, object], X: NDArray[np.float32], margin: Margin) -> NDArray[np.float64]:
    return cast("Classifier", parts["estimator"]).predict_proba(beside(X, margin))


def _learn_gradient_boosting(rows: TrainingRows) -> Mapping[str, object]:
    scale = learn_scale(rows.X)
    boosting = GradientBoostingClassifier(**GRADIENT_BOOSTING, random_state=rows.seed)
    inputs = beside(standardise(rows.X, **scale), rows.margin)
    boosting.fit(inputs, rows.y, sample_weight=rows.sample_weight)
    return {"estimator": boosting, **scale}


def predict_standardised(
    parts: Mapping[str, object], X: NDArray[np.float32], margin: Margin
) -> NDArray[np.float64]:
    """Give the probabilities of the part ``estimator`` on inputs standardised as in training."""
    center = cast("NDArray[np.float32]", parts["center"])
    scale = cast("NDArray[np.float32]", parts["scale"])
    return cast("Classifier", parts["estimator"]).predict_proba(beside(standardise(X, center, scale), margin))


random_forest = ModelRecipe(
    title="Random forest", parts=("estimator",), learn=_learn_random_forest, predict=_predict
)
extra_trees = ModelRecipe(
    title="Extremely randomised trees", parts=("estimator",), learn=_learn_extra_trees, predict=_predict
)
gradient_boosting = ModelRecipe(
    title="Gradient boosting",
    parts=("estimator", "center", "scale"),
    learn=_learn_gradient_boosting,
    predict=predict_standardised,
)
