"""The models behind one small protocol: the eight, and those of the user's own, by their paths."""

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
from regime.models.own import own_classifier, own_facts, own_recipe
from regime.models.trees import extra_trees, gradient_boosting, random_forest
from regime.own import is_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "MODELS",
    "FittedModel",
    "ModelPartsError",
    "ModelRecipe",
    "assemble",
    "check_models",
    "fit",
    "is_model_name",
    "own_facts_of",
]

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
    """Fit one of ``MODELS``, or the classifier that a path names, to rows in date order, on one thread.

    ``X`` has shape (n_rows, n_features), NaN where unknown; ``y`` (n_rows,) holds class ids from 0 to
    ``n_classes - 1``, not all of which need occur; ``sample_weight`` (n_rows,) is positive and used up to
    a factor. ``margin``, shape (n_rows, n_classes), are log-probabilities that are known already and that
    the model corrects: boosters start from them, the others have them among their inputs. The same
    arguments give the same model.

    Raises
    ------
    SettingInvalidError
        If there is no model of that name, or its path gives no classifier that can be used.
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

    A path is not imported: what it gave is among the parts.

    Raises
    ------
    SettingInvalidError
        If there is no model of that name.
    ModelPartsError
        If the parts are not those that its recipe makes.
    """
    return assemble_recipe(name, _recipe(name), parts, n_classes)


def is_model_name(name: str) -> bool:
    """Tell whether a name can be that of a model: one of ``MODELS``, or a path of the user's own.

    >>> is_model_name("svm"), is_model_name("own_parts:bayes"), is_model_name("catboost")
    (True, True, False)
    """
    return name in MODELS or is_path(name)


def check_models(names: Sequence[str]) -> None:
    """Refuse names of which one is no model, or a path that gives no classifier that can be used.

    Imports what the paths name; the built-in models cost nothing.

    Raises
    ------
    SettingInvalidError
        With one sentence on the first such name.

    >>> check_models(["svm", "sklearn.naive_bayes:GaussianNB"])
    """
    for name in names:
        _recipe(name)
        if name not in MODELS:
            own_classifier(name, 0)


def own_facts_of(names: Sequence[str]) -> dict[str, str]:
    """Give a hash of what each path among the names stands for now; nothing for the built-in models.

    >>> own_facts_of(["svm", "mlp"])
    {}
    """
    return own_facts(tuple(name for name in names if name not in MODELS))


def _recipe(name: str) -> ModelRecipe:
    if name in MODELS:
        return MODELS[name]
    if is_path(name):
        return own_recipe(name)
    raise SettingInvalidError(
        f"there is no model {name!r}; there are {', '.join(MODELS)}, and your own as package.module:attribute"
    )
