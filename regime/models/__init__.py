"""The eight models behind one small protocol: fit, probabilities, parts, assemble."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from regime.errors import SettingInvalidError
from regime.models.boosters import lightgbm_trees, xgboost_trees
from regime.models.fitted import (
    FittedModel,
    ModelPartsError,
    ModelRecipe,
    assemble_recipe,
    fit_recipe,
)
from regime.models.kernel import svm
from regime.models.linear import logistic_regression
from regime.models.network import mlp
from regime.models.trees import extra_trees, gradient_boosting, random_forest

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MODELS", "FittedModel", "ModelPartsError", "ModelRecipe", "assemble", "fit"]

MODELS: Final[Mapping[str, ModelRecipe]] = MappingProxyType(
    {
        "random_forest": random_forest,
        "xgboost": xgboost_trees,
        "lightgbm": lightgbm_trees,
        "extra_trees": extra_trees,
        "gradient_boosting": gradient_boosting,
        "logistic_regression": logistic_regression,
        "svm": svm,
        "mlp": mlp,
    }
)
"""The eight by name, in the order in which they are reported."""


def fit(
    name: str,
    X: NDArray[np.float32],
    y: NDArray[np.integer],
    *,
    sample_weight: NDArray[np.float64],
    n_classes: int,
    seed: int,
    margin: NDArray[np.float64] | None = None,
) -> FittedModel:
    """Fit one of ``MODELS`` to rows in date order, on one thread.

    ``X`` has shape (n_rows, n_features), NaN where unknown; ``y`` (n_rows,) holds class ids from 0 to
    ``n_classes - 1``, not all of which need occur; ``sample_weight`` (n_rows,) is positive and used up to
    a factor. ``margin``, shape (n_rows, n_classes), are log-probabilities that are known already and that
    the model corrects: boosters start from them, the others have them among their inputs. The same
    arguments give the same model.

    Raises
    ------
    SettingInvalidError
        If there is no model of that name.
    FitFailedError
        If the rows cannot be fitted: no rows, one class only, wrong lengths or weights.
    FeatureMismatchError
        If a feature is infinite.

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 300, dtype=np.float32)[:, np.newaxis]
    >>> model = fit("random_forest", X, (X[:, 0] > 0).astype(int), sample_weight=np.ones(300),
    ...             n_classes=3, seed=7)
    >>> model.predict_proba(X[-1:]).round(2).tolist()
    [[0.0, 0.99, 0.0]]
    """
    recipe = _recipe(name)
    return fit_recipe(
        name,
        recipe,
        X,
        y,
        sample_weight=sample_weight,
        n_classes=n_classes,
        seed=seed,
        margin=margin,
    )


def assemble(name: str, parts: Mapping[str, object], n_classes: int) -> FittedModel:
    """Put a model together from the ``parts()`` of a fitted one; both predict exactly the same.

    Raises
    ------
    SettingInvalidError
        If there is no model of that name.
    ModelPartsError
        If the parts are not those that its recipe makes.
    """
    return assemble_recipe(name, _recipe(name), parts, n_classes)


def _recipe(name: str) -> ModelRecipe:
    if name not in MODELS:
        raise SettingInvalidError(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]
