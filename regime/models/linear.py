"""Multinomial logistic regression with a strong ridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from sklearn.linear_model import LogisticRegression

from regime.models.fitted import ModelRecipe
from regime.models.inputs import beside, learn_scale, standardise
from regime.models.parameters import LOGISTIC_RIDGE, MARGIN_SCALE_LINEAR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.models.fitted import Margin, TrainingRows


def ridge_logistic(
    X: NDArray[np.floating],
    y: NDArray[np.int64],
    sample_weight: NDArray[np.float64],
    ridge: float,
) -> LogisticRegression:
    """Fit softmax regression: mean weighted log-loss + ridge / 2 times the squared coefficients.

    scikit-learn's ``C`` stands beside the sum over rows; dividing by the weights makes ``ridge`` mean the
    same for any number of rows.
    """
    logistic = LogisticRegression(C=1.0 / (ridge * float(sample_weight.sum())), max_iter=1000)
    return logistic.fit(X, y, sample_weight=sample_weight)


def _learn(rows: TrainingRows) -> Mapping[str, object]:
    scale = learn_scale(rows.X)
    inputs = beside(standardise(rows.X, **scale), rows.margin, MARGIN_SCALE_LINEAR)
    return {"estimator": ridge_logistic(inputs, rows.y, rows.sample_weight, LOGISTIC_RIDGE), **scale}


def _predict(parts: Mapping[str, object], X: NDArray[np.float32], margin: Margin) -> NDArray[np.float64]:
    center = cast("NDArray[np.float32]", parts["center"])
    scale = cast("NDArray[np.float32]", parts["scale"])
    inputs = beside(standardise(X, center, scale), margin, MARGIN_SCALE_LINEAR)
    return np.asarray(cast("LogisticRegression", parts["estimator"]).predict_proba(inputs))


logistic_regression = ModelRecipe(
    title="Logistic regression",
    parts=("estimator", "center", "scale"),
    learn=_learn,
    predict=_predict,
)
