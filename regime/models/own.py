"""A classifier of the user's own, by its path: any that scikit-learn's conventions describe.

It gets what the built-in models get: the same rows, weights, seed and margin, on one thread. Inputs are
standardised, and what is not known becomes the training median, unless the classifier says that it takes
NaN. What is stored is the fitted estimator; its path is needed to fit, never to predict.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import lightgbm
import numpy as np
import xgboost
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from regime.errors import FitFailedError, SettingInvalidError
from regime.models.fitted import ModelRecipe
from regime.models.inputs import beside, learn_scale, standardise
from regime.own import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from regime.models.fitted import Margin, TrainingRows

SETTING: Final = "training.models"


def own_recipe(path: str) -> ModelRecipe:
    """Give the recipe of the classifier that a path names; the path is imported when it is fitted.

    >>> own_recipe("sklearn.naive_bayes:GaussianNB").parts
    ('estimator', 'center', 'scale')
    """
    return ModelRecipe(
        title=path,
        parts=("estimator", "center", "scale"),
        learn=partial(_learn, path),
        predict=_predict,
    )


def own_classifier(path: str, seed: int) -> Any:
    """Give an unfitted classifier of one thread, with ``seed`` wherever it takes a ``random_state``.

    Raises
    ------
    SettingInvalidError
        If the path gives something else, or a classifier that weights of rows do not reach.

    >>> own_classifier("sklearn.tree:DecisionTreeClassifier", 7).random_state
    7
    """
    classifier: Any = made(path, SETTING, seed=seed, random_state=seed)
    for method in ("fit", "predict_proba"):
        if not callable(getattr(classifier, method, None)):
            raise SettingInvalidError(
                f"{SETTING}: {path!r} gives {_kind(classifier)}, which has no {method};"
                " name a classifier with probabilities, as scikit-learn describes it"
            )
    deaf = next(_deaf_to_weights(classifier), None)
    if deaf is not None:
        raise SettingInvalidError(
            f"{SETTING}: {path!r} uses {deaf}, whose fit takes no sample_weight; the weights of regimes must"
            " reach every model, so give it a fit that uses them"
        )
    if hasattr(classifier, "set_params"):
        classifier.set_params(**_determined(classifier, seed))
    return classifier


def own_facts(names: tuple[str, ...]) -> dict[str, str]:
    """Give a hash of the classifier behind each path: its type and all its parameters.

    It belongs into the hash of a training recipe, where a path alone would hide what it gives today.

    >>> len(own_facts(("sklearn.naive_bayes:GaussianNB",))["sklearn.naive_bayes:GaussianNB"])
    64
    """
    return {name: _digest(own_classifier(name, 0)) for name in names}


def _digest(classifier: Any) -> str:
    parameters = classifier.get_params(deep=True) if hasattr(classifier, "get_params") else {}
    # An estimator among the parameters is told by its type here, and by its own parameters beside it.
    told = {key: _kind(value) if hasattr(value, "fit") else repr(value) for key, value in parameters.items()}
    steps = {key: value for key, value in told.items() if " at 0x" not in value}
    return hashlib.sha256(repr((_kind(classifier), sorted(steps.items()))).encode()).hexdigest()


def _kind(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _determined(classifier: Any, seed: int) -> dict[str, int]:
    """Give the parameters that make a fit one of this seed and one thread, also of estimators inside."""
    determined = {}
    for key, value in classifier.get_params(deep=True).items():
        last = key.rpartition("__")[2]
        if last == "random_state":
            determined[key] = seed
        elif last == "n_jobs" and value is not None:  # none given is one, and said to be so by some
            determined[key] = 1
    return determined


def _deaf_to_weights(classifier: Any) -> Iterator[str]:
    """Give the classifiers that weights do not reach: itself, or one inside that would ignore them."""
    if isinstance(classifier, Pipeline):
        classifier = classifier.steps[-1][1]
    inner = list(_inner(classifier))
    if not has_fit_parameter(classifier, "sample_weight") and not inner:
        yield _kind(classifier)
    for estimator in inner:
        if not has_fit_parameter(estimator, "sample_weight"):
            yield _kind(estimator)


def _inner(classifier: Any) -> Iterator[Any]:
    """Give the predictors among a classifier's parameters, such as the members of a vote."""
    if not hasattr(classifier, "get_params"):
        return
    for value in classifier.get_params(deep=False).values():
        listed = value if isinstance(value, list) else [value]
        for item in listed:
            estimator = item[1] if isinstance(item, tuple) and len(item) > 1 else item
            if hasattr(estimator, "fit") and hasattr(estimator, "predict"):
                yield estimator


def _learn(path: str, rows: TrainingRows) -> Mapping[str, object]:
    classifier = own_classifier(path, rows.seed)
    scale = _as_it_is() if _takes_unknown(classifier) else learn_scale(rows.X)
    weights = {_weights_of(classifier): rows.sample_weight}
    classifier.fit(_inputs(rows.X, rows.margin, scale), rows.y, **weights)
    expected = list(range(int(rows.y.max()) + 1))
    if list(getattr(classifier, "classes_", expected)) != expected:
        raise FitFailedError(
            f"{path}: its classes_ are {list(classifier.classes_)} after a fit on {expected};"
            " keep the classes that it is given"
        )
    return {"estimator": _stored(classifier), **scale}


def _weights_of(classifier: Any) -> str:
    if isinstance(classifier, Pipeline):
        return f"{classifier.steps[-1][0]}__sample_weight"
    return "sample_weight"


def _takes_unknown(classifier: Any) -> bool:
    try:
        return bool(get_tags(classifier).input_tags.allow_nan)
    except AttributeError:  # follows the conventions, but is none of scikit-learn's
        return False


def _as_it_is() -> dict[str, NDArray[np.float32]]:
    """Give the scale that stands for none."""
    return {"center": np.empty(0, dtype=np.float32), "scale": np.empty(0, dtype=np.float32)}


def _inputs(
    X: NDArray[np.float32], margin: Margin, scale: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    return beside(standardise(X, **scale) if len(scale["center"]) else X, margin)


def _stored(classifier: Any) -> object:
    """Give what is kept: of classifiers that wrap a booster the booster, in its library's own format."""
    if isinstance(classifier, xgboost.XGBClassifier):
        return classifier.get_booster()
    return classifier.booster_ if isinstance(classifier, lightgbm.LGBMClassifier) else classifier


def _predict(parts: Mapping[str, object], X: NDArray[np.float32], margin: Margin) -> NDArray[np.floating]:
    scale = {name: cast("NDArray[np.float32]", parts[name]) for name in ("center", "scale")}
    estimator: Any = parts["estimator"]
    inputs = _inputs(X, margin, scale)
    if isinstance(estimator, xgboost.Booster):
        proba = np.asarray(estimator.predict(xgboost.DMatrix(inputs, nthread=1)))
    elif isinstance(estimator, lightgbm.Booster):
        proba = np.asarray(estimator.predict(inputs, num_threads=1))
    else:
        return np.asarray(estimator.predict_proba(inputs))
    return proba if proba.ndim > 1 else np.column_stack([1.0 - proba, proba])
