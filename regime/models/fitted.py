"""What a fitted model is, and how a recipe makes one: the protocol all eight share.

Everything runs on one thread. Sums of floating-point numbers depend on how many threads share them, so
that more of them would make a model, and its predictions, depend on the machine; and the fits of a run
fill the cores side by side, about twice as fast as threads inside the models do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from threadpoolctl import threadpool_limits  # ships no types

from regime.errors import FeatureMismatchError, FitFailedError, RegimeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Margin = NDArray[np.float64] | None

SHARED_PARTS: Final = ("classes", "fitted_on")
PROBED_ROWS: Final = 100
"""The latest training rows that a fresh model must have finite probabilities for."""


class ModelPartsError(RegimeError):
    """The stored parts of a model are not those that its recipe makes."""


class FittedModel(Protocol):
    """A model that gives probabilities, and the parts that it can be put together from again."""

    @property
    def name(self) -> str:
        """The name under which its recipe stands in ``MODELS``."""

    def predict_proba(self, X: NDArray[np.float32], margin: Margin = None) -> NDArray[np.float64]:
        """Give probabilities of shape (n_rows, n_classes); every one is above 0, rows sum to 1.

        ``margin``, of the same shape, is needed exactly if the model was fitted with one.
        """

    def parts(self) -> Mapping[str, object]:
        """Give boosters, scikit-learn estimators and arrays that ``assemble`` makes an equal model of."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingRows:
    """Checked rows in date order, as a recipe sees them.

    ``X`` has shape (n_rows, n_features), NaN where unknown. ``y`` has shape (n_rows,) and numbers the
    classes that occur from 0 without gaps. ``sample_weight`` has shape (n_rows,) and averages 1. ``margin``
    has shape (n_rows, n_classes_that_occur): log-probabilities to start from, or ``None``.
    """

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    sample_weight: NDArray[np.float64]
    seed: int
    margin: Margin = None

    def weighted_prior(self) -> NDArray[np.float64]:
        """Give the weighted share of each class, shape (n_classes_that_occur,)."""
        mass = np.bincount(self.y, weights=self.sample_weight)
        return np.asarray(mass / mass.sum(), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRecipe:
    """How one kind of model learns its parts from rows, and predicts from them.

    Both are pure functions; ``predict`` takes parts, features and margin, and gives shape (n_rows,
    n_classes_that_occurred). ``parts`` names what ``learn`` returns.
    """

    title: str
    parts: tuple[str, ...]
    learn: Callable[[TrainingRows], Mapping[str, object]]
    predict: Callable[[Mapping[str, object], NDArray[np.float32], Margin], NDArray[np.floating]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecipeModel:
    """A fitted model made by a recipe: the recipe's parts, and what all recipes have in common."""

    name: str
    recipe: ModelRecipe
    n_classes: int
    classes: NDArray[np.int64]
    fitted_on: NDArray[np.int64]
    learnt: Mapping[str, object]

    def predict_proba(self, X: NDArray[np.float32], margin: Margin = None) -> NDArray[np.float64]:
        """Give probabilities of all classes, shape (n_rows, n_classes).

        Laplace's rule of succession (1774) keeps every probability above 0: n rows cannot show that a
        class is impossible, and a class that did not occur among them gets 1 / (n + n_classes).

        Raises
        ------
        FeatureMismatchError
            If the rows have another number of features than the model was fitted on, infinite values, or
            a margin where it was fitted without one (and the other way round).
        """
        n_rows, n_features, n_margin = (int(count) for count in self.fitted_on)
        if X.ndim != 2 or X.shape[1] != n_features:  # noqa: PLR2004 - a matrix
            raise FeatureMismatchError(
                f"{self.name} was fitted on {n_features} features and is given {X.shape[1:]};"
                " compute the features with the catalogue of its version"
            )
        if (margin is not None) != (n_margin > 0):
            raise FeatureMismatchError(
                f"{self.name} was fitted {'with' if n_margin else 'without'} a margin;"
                " predict with the same inputs"
            )
        check_finite(X)
        proba = np.zeros((len(X), self.n_classes))
        if len(X):
            of_classes = None if margin is None else margin[:, self.classes]
            with threadpool_limits(limits=1):
                occurred = np.asarray(
                    self.recipe.predict(self.learnt, as_float32(X), of_classes), dtype=np.float64
                )
            proba[:, self.classes] = occurred / occurred.sum(axis=1, keepdims=True)
        return (n_rows * proba + 1.0) / (n_rows + self.n_classes)

    def parts(self) -> Mapping[str, object]:
        """Give the recipe's parts, the class ids that occurred and the shape of the training rows."""
        return {**self.learnt, "classes": self.classes, "fitted_on": self.fitted_on}


def as_float32(X: NDArray[np.floating]) -> NDArray[np.float32]:
    """Give ``X`` as contiguous, writeable float32, the form all models are fitted on.

    Rows that another process shares are read-only, which scikit-learn's trees refuse: those are copied.
    """
    return np.require(X, dtype=np.float32, requirements=["C", "A", "W", "E"])


def check_finite(X: NDArray[np.floating]) -> None:
    """Refuse infinite values; NaN is allowed and means not known.

    Raises
    ------
    FeatureMismatchError
        If a value is infinite.
    """
    if np.isinf(X).any():
        row, column = (int(at) for at in np.argwhere(np.isinf(X))[0])
        raise FeatureMismatchError(
            f"row {row}, feature {column} is infinite; a value that is not known must be NaN"
        )


def fit_recipe(
    name: str,
    recipe: ModelRecipe,
    X: NDArray[np.float32],
    y: NDArray[np.integer],
    *,
    sample_weight: NDArray[np.float64],
    n_classes: int,
    seed: int,
    margin: Margin = None,
) -> RecipeModel:
    """Fit one recipe to rows in date order; see ``regime.models.fit``."""
    _check_rows(name, X, y, sample_weight, n_classes)
    classes, numbered = np.unique(y, return_inverse=True)
    if len(classes) < 2:  # noqa: PLR2004 - one class is nothing to tell apart
        raise FitFailedError(f"{name}: all {len(y)} rows are of one class; widen the window or the target")
    rows = TrainingRows(
        X=as_float32(X),
        y=numbered.astype(np.int64),
        sample_weight=np.asarray(sample_weight / sample_weight.mean(), dtype=np.float64),
        seed=seed,
        margin=None if margin is None else margin[:, classes],
    )
    with threadpool_limits(limits=1):
        learnt = recipe.learn(rows)
    model = RecipeModel(
        name=name,
        recipe=recipe,
        n_classes=n_classes,
        classes=classes.astype(np.int64),
        fitted_on=np.array([*X.shape, 0 if margin is None else n_classes], dtype=np.int64),
        learnt=learnt,
    )
    latest = None if margin is None else margin[-PROBED_ROWS:]
    if not np.isfinite(model.predict_proba(X[-PROBED_ROWS:], latest)).all():
        raise FitFailedError(f"{name}: the fit diverged, its probabilities are not finite")
    return model


def _check_rows(
    name: str,
    X: NDArray[np.float32],
    y: NDArray[np.integer],
    sample_weight: NDArray[np.float64],
    n_classes: int,
) -> None:
    if X.ndim != 2 or len({len(X), len(y), len(sample_weight)}) != 1 or not len(y):  # noqa: PLR2004
        raise FitFailedError(
            f"{name}: X, y and sample_weight have shapes {X.shape}, {y.shape}, {sample_weight.shape};"
            " give one target and one weight for each of at least one row"
        )
    if y.min() < 0 or y.max() >= n_classes:
        raise FitFailedError(
            f"{name}: targets run from {y.min()} to {y.max()}; class ids are 0 to {n_classes - 1}"
        )
    if not (np.isfinite(sample_weight).all() and (sample_weight > 0).all()):
        raise FitFailedError(f"{name}: sample weights must be positive and finite; leave a row out instead")
    check_finite(X)


def assemble_recipe(
    name: str, recipe: ModelRecipe, parts: Mapping[str, object], n_classes: int
) -> RecipeModel:
    """Put a model together from its parts; see ``regime.models.assemble``."""
    expected = {*recipe.parts, *SHARED_PARTS}
    if set(parts) != expected:
        raise ModelPartsError(
            f"{name} is made of {sorted(expected)}, the store gives {sorted(parts)};"
            " read it with the version of regimed that wrote it, or train again"
        )
    classes = np.asarray(parts["classes"], dtype=np.int64)
    if not ((classes >= 0) & (classes < n_classes)).all():
        raise ModelPartsError(
            f"{name} knows the class ids {classes.tolist()}, the target has {n_classes} classes;"
            " assemble it with the target it was trained for"
        )
    return RecipeModel(
        name=name,
        recipe=recipe,
        n_classes=n_classes,
        classes=classes,
        fitted_on=np.asarray(parts["fitted_on"], dtype=np.int64),
        learnt={part: parts[part] for part in recipe.parts},
    )
