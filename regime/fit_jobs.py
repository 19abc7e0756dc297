"""One fit of one model as a message: what it needs, and what came of it.

A training run is a list of these. Whoever runs it decides where: in order in one process, or spread over
processes; a job carries all its rows and its seed, so that the place makes no difference to the result.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.models import FittedModel, fit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

FINAL: Final = "final"
"""Stands where a fold's name stands, for the fit on all rows that is kept."""


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
        try:
            fitted = fit(
                self.model,
                self.X,
                self.y,
                sample_weight=self.sample_weight,
                n_classes=self.n_classes,
                seed=self.seed,
                margin=self.margin,
            )
            proba = (
                None
                if self.X_validate is None
                else fitted.predict_proba(self.X_validate, self.margin_validate)
            )
        except Exception as error:  # noqa: BLE001 - four libraries raise what they like; the quorum decides
            return FitResult(model=self.model, fold=self.fold, failure=f"{type(error).__name__}: {error}")
        kept = fitted if self.X_validate is None else None
        return FitResult(model=self.model, fold=self.fold, proba=proba, fitted=kept)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FitResult:
    """What came of a job: probabilities (n_validate, n_classes) of a fold, a final model, or a failure."""

    model: str
    fold: str
    proba: NDArray[np.float64] | None = None
    fitted: FittedModel | None = None
    failure: str | None = None


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
