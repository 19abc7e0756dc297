"""The eight models as most people write them first: what the libraries choose by themselves.

Missing values are imputed and inputs scaled, and nothing else is set but seeds, 1,000 iterations for the
logistic regression, without which it complains, and ``probability=True``, without which a support vector
machine has no probabilities.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

from lightgbm import LGBMClassifier
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

PLAIN: Final[dict[str, Callable[[], Any]]] = {
    "random_forest": lambda: RandomForestClassifier(random_state=1),
    "xgboost": lambda: XGBClassifier(random_state=1),
    "lightgbm": lambda: LGBMClassifier(random_state=1, verbosity=-1),
    "extra_trees": lambda: ExtraTreesClassifier(random_state=1),
    "gradient_boosting": lambda: GradientBoostingClassifier(random_state=1),
    "logistic_regression": lambda: LogisticRegression(max_iter=1000),
    "svm": lambda: SVC(probability=True, random_state=1),
    "mlp": lambda: MLPClassifier(random_state=1),
}


def fit_plain(model: str, X: NDArray[np.float32], y: NDArray[np.int64]) -> Any:
    """Give the fitted pipeline of a model; what the libraries complain of is not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), PLAIN[model]()).fit(
            X, y
        )
