"""Support vector machine with an RBF kernel: exact for few rows, by Nystroem features for many.

Both end in a softmax regression that turns scores into probabilities. ``SVC(probability=True)`` calibrates
on random folds, in which overlapping targets leak; here the scores of the exact machine are calibrated
only on rows that come after those it was fitted on. Above the row limit (Williams and Seeger 2001) the
softmax regression itself is the linear machine in kernel space, and needs no further calibration; so it
serves as well where a rare class occurs only early or only late, and nothing could be calibrated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from sklearn.kernel_approximation import Nystroem
from sklearn.svm import SVC

from regime.models.fitted import ModelRecipe
from regime.models.inputs import beside, learn_scale, split_in_time, standardise
from regime.models.linear import ridge_logistic
from regime.models.parameters import (
    GAP_SHARE,
    HOLDOUT_SHARE,
    SVM_COMPONENTS,
    SVM_EXACT_ROWS_MAX,
    SVM_PENALTY,
    SVM_RIDGE,
    SVM_SCORE_RIDGE,
    SVM_WIDTH,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from sklearn.linear_model import LogisticRegression

    from regime.models.fitted import Margin, TrainingRows

    Learnt = tuple[SVC | Nystroem, LogisticRegression]


def _learn(rows: TrainingRows) -> Mapping[str, object]:
    scale = learn_scale(rows.X)
    inputs = standardise(rows.X, **scale)
    learn = _learn_exact if _exact_is_possible(rows) else _learn_approximate
    kernel, softmax = learn(inputs, rows)
    return {"kernel": kernel, "softmax": softmax, **scale}


def _exact_is_possible(rows: TrainingRows) -> bool:
    """Tell whether the rows are few, and every class occurs both before and after the cut."""
    early, late = split_in_time(len(rows.y), HOLDOUT_SHARE, GAP_SHARE)
    n_classes = len(np.unique(rows.y))
    complete = len(np.unique(rows.y[early])) == len(np.unique(rows.y[late])) == n_classes
    return complete and len(rows.y) <= SVM_EXACT_ROWS_MAX


def _learn_exact(inputs: NDArray[np.float32], rows: TrainingRows) -> Learnt:
    """Calibrate on the late rows with a machine of the early rows; then fit the machine to all."""
    early, late = split_in_time(len(inputs), HOLDOUT_SHARE, GAP_SHARE)
    judged = _machine(inputs).fit(inputs[early], rows.y[early], sample_weight=rows.sample_weight[early])
    softmax = ridge_logistic(
        _scores(judged, inputs[late], _part(rows.margin, late)),
        rows.y[late],
        rows.sample_weight[late],
        SVM_SCORE_RIDGE,
    )
    return _machine(inputs).fit(inputs, rows.y, sample_weight=rows.sample_weight), softmax


def _machine(inputs: NDArray[np.float32]) -> SVC:
    gamma = SVM_WIDTH / inputs.shape[1]
    return SVC(C=SVM_PENALTY, kernel="rbf", gamma=gamma, decision_function_shape="ovo")


def _learn_approximate(inputs: NDArray[np.float32], rows: TrainingRows) -> Learnt:
    kernel = Nystroem(
        gamma=SVM_WIDTH / inputs.shape[1], n_components=SVM_COMPONENTS, random_state=rows.seed
    ).fit(inputs)
    return kernel, ridge_logistic(_scores(kernel, inputs, rows.margin), rows.y, rows.sample_weight, SVM_RIDGE)


def _scores(kernel: SVC | Nystroem, inputs: NDArray[np.float32], margin: Margin) -> NDArray[np.float64]:
    """Give pairwise distances or kernel features beside the margin, shape (n_rows, n_scores)."""
    scores = kernel.decision_function(inputs) if isinstance(kernel, SVC) else kernel.transform(inputs)
    given = np.asarray(scores, dtype=np.float32).reshape(len(inputs), -1)
    return beside(given, margin).astype(np.float64)


def _part(margin: Margin, rows: slice) -> Margin:
    return None if margin is None else margin[rows]


def _predict(parts: Mapping[str, object], X: NDArray[np.float32], margin: Margin) -> NDArray[np.float64]:
    center = cast("NDArray[np.float32]", parts["center"])
    scale = cast("NDArray[np.float32]", parts["scale"])
    inputs = standardise(X, center, scale)
    softmax = cast("LogisticRegression", parts["softmax"])
    return np.asarray(softmax.predict_proba(_scores(cast("SVC | Nystroem", parts["kernel"]), inputs, margin)))


svm = ModelRecipe(
    title="Support vector machine (RBF)",
    parts=("kernel", "softmax", "center", "scale"),
    learn=_learn,
    predict=_predict,
)
