"""One fit of one model as a message: what it needs, and what came of it.

A training run is a list of these. Whoever runs it decides where: in order in one process, or spread over
processes; a job carries all its rows and its seed, so that the place makes no difference to the result.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import numpy as np

from regime.models import FittedModel, fit, parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]

Made = TypeVar("Made")

FINAL: Final = "final"
"""Stands where a fold's name stands, for the fit on all rows that is kept."""

_HASHED_ROWS: Final = 65_536
"""Rows that are brought into one form and hashed at a time, so that no second copy of all is made."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitJob:
    """A model to be fitted on rows in date order, and rows to predict with it.

    Shapes: ``X`` (n_train, n_features), ``y`` and ``sample_weight`` (n_train,), ``X_validate``
    (n_validate, n_features), which is ``None`` in the final fit: its model is kept, not examined.
    ``margin`` and ``margin_validate``, one column a class, are log-probabilities to start from or ``None``.
    """

    model: str
    fold: str
    X: NDArray[np.float32]
    y: NDArray[np.int64]
    sample_weight: NDArray[np.float64]
    X_validate: NDArray[np.float32] | None
    n_classes: int
    seed: int
    margin: NDArray[np.float64] | None = None
    margin_validate: NDArray[np.float64] | None = None

    def run(self) -> FitResult:
        """Fit and predict; an error of the model becomes a recorded failure, not the end of the run.

        >>> rng = np.random.default_rng(1)
        >>> X = rng.normal(size=(60, 2)).astype(np.float32)
        >>> job = FitJob(model="logistic_regression", fold="2010", X=X, y=(X[:, 0] > 0).astype(np.int64),
        ...              sample_weight=np.ones(60), X_validate=X[:5], n_classes=3, seed=1)
        >>> job.run().proba.shape
        (5, 3)
        """
        return self.attempt()[0]

    def attempt(self) -> tuple[FitResult, FittedModel | None]:
        """Fit and predict like ``run``, and give the model beside the result; ``None`` if it failed."""
        try:
            fitted = self._fit()
            return self.result_of(fitted), fitted
        except Exception as error:  # noqa: BLE001 - four libraries raise what they like; the quorum decides
            return self.failed(f"{type(error).__name__}: {error}"), None

    def _fit(self) -> FittedModel:
        return fit(
            self.model,
            self.X,
            self.y,
            sample_weight=self.sample_weight,
            n_classes=self.n_classes,
            seed=self.seed,
            margin=self.margin,
        )

    def result_of(self, fitted: FittedModel) -> FitResult:
        """Give what this job asks of its fitted model: probabilities, or the model itself if it is kept."""
        if self.X_validate is None:
            return FitResult(model=self.model, fold=self.fold, fitted=fitted)
        return self.predicted(fitted.predict_proba(self.X_validate, self.margin_validate))

    def predicted(self, proba: NDArray[np.float64]) -> FitResult:
        """Give the result that holds these probabilities of ``X_validate``, shape (n_validate, n_classes)."""
        return FitResult(model=self.model, fold=self.fold, proba=proba)

    def failed(self, sentence: str) -> FitResult:
        """Give the result that says why there is no model."""
        return FitResult(model=self.model, fold=self.fold, failure=sentence)

    def key(self, hash_of: Callable[[Array], str], *, salt: str) -> str:
        """Give the SHA-256 of everything that decides the fitted model.

        That is the model's name and every number in ``regime.models.parameters``, the training rows with
        weights and margin, the number of classes, the seed, and ``salt``, which stands for what this
        package does not know: versions of libraries. The rows to predict and the fold's name decide
        nothing. ``hash_of`` is ``hash_array``, or an ``ArrayMemo`` of it where jobs share arrays.

        >>> job = FitJob(model="mlp", fold="2010", X=np.zeros((2, 1), dtype=np.float32), y=np.arange(2),
        ...              sample_weight=np.ones(2), X_validate=None, n_classes=2, seed=1)
        >>> len({job.key(hash_array, salt=salt) for salt in ("numpy 2.3", "numpy 2.4", "numpy 2.4")})
        2
        """
        facts = {
            "model": self.model,
            "parameters": {name: value for name, value in vars(parameters).items() if name.isupper()},
            "X": hash_of(self.X),
            "y": hash_of(self.y),
            "sample_weight": hash_of(self.sample_weight),
            "margin": _hash_or_none(self.margin, hash_of),
            "n_classes": self.n_classes,
            "seed": self.seed,
            "salt": salt,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def validate_key(self, hash_of: Callable[[Array], str]) -> str | None:
        """Give the SHA-256 of the rows to predict and their margin; ``None`` in the final fit."""
        if self.X_validate is None:
            return None
        hashes = [hash_of(self.X_validate), _hash_or_none(self.margin_validate, hash_of)]
        return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitResult:
    """What came of a job: probabilities (n_validate, n_classes) of a fold, a final model, or a failure."""

    model: str
    fold: str
    proba: NDArray[np.float64] | None = None
    fitted: FittedModel | None = None
    failure: str | None = None


class ArrayMemo(Generic[Made]):
    """Makes something of an array once, however many jobs share the array, and forgets it with the array.

    An array is known by identity: whoever changes one in place gets what was made of it before. It holds
    no array alive, so it never knows more of them than there are.

    >>> made = []
    >>> memo = ArrayMemo(lambda array: made.append(len(array)) or len(array))
    >>> array = np.zeros(3)
    >>> memo.of(array), memo.of(array), made
    (3, 3, [3])
    """

    def __init__(
        self, make: Callable[[Array], Made], drop: Callable[[Made], object] = lambda _: None
    ) -> None:
        self._make = make
        self._drop = drop
        self._made: dict[int, tuple[weakref.ref[Array], Made]] = {}

    def __len__(self) -> int:
        return len(self._made)

    def of(self, array: Array) -> Made:
        """Give what is made of the array."""
        at = id(array)
        if at not in self._made:
            self._made[at] = (weakref.ref(array, lambda _: self._forget(at)), self._make(array))
        return self._made[at][1]

    def forget(self, array: Array) -> None:
        """Drop what was made of the array, so that it is made again."""
        self._forget(id(array))

    def _forget(self, at: int) -> None:
        if at in self._made:
            self._drop(self._made.pop(at)[1])


def hash_array(array: Array) -> str:
    """Give the SHA-256 of an array's type, shape and values; all NaN are one, whatever their bits.

    >>> hash_array(np.array([1.0, np.nan])) == hash_array(np.array([1.0, -np.nan]))
    True
    >>> hash_array(np.array([1.0])) == hash_array(np.array([1.0], dtype=np.float32))
    False
    """
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    for start in range(0, len(array), _HASHED_ROWS):
        block = array[start : start + _HASHED_ROWS]
        if block.dtype.kind == "f":
            block = np.where(np.isnan(block), block.dtype.type(np.nan), block)
        digest.update(block.tobytes())
    return digest.hexdigest()


def _hash_or_none(array: Array | None, hash_of: Callable[[Array], str]) -> str | None:
    return None if array is None else hash_of(array)


def run_in_order(jobs: Iterable[FitJob]) -> Iterator[FitResult]:
    """Run jobs one after the other in this process: the plainest way to execute a training run."""
    return (job.run() for job in jobs)


def job_seed(seed: int, model: str, fold: str) -> int:
    """Give the seed of one fit, from 0 to 2**32 - 1, made of the run's seed and the names.

    Names rather than positions: one model more or one fold more changes no other fit.

    >>> job_seed(1, "mlp", "2007-2009") == job_seed(1, "mlp", "2010-2012")
    False
    """
    name = hashlib.sha256(f"{model}/{fold}".encode()).digest()
    sequence = np.random.SeedSequence([seed, *np.frombuffer(name, dtype="<u4").tolist()])
    return int(sequence.generate_state(1)[0])
