"""The fits of a run as jobs, and their results in order whatever the order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regime.fit_jobs import FitJob, FitResult, job_seed
from regime.models.ensemble import check_quorum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from regime.fit_rows import FitRows

    Results = dict[tuple[str, str], FitResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: fits done out of all, and the one done last."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FitFailure:
    """A model that could not be fitted, in which fold (or ``final``), and what it said."""

    model: str
    fold: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannedFits:
    """The models to be fitted on one choice of rows."""

    rows: FitRows
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitter:
    """What all fits of a run share: the features that models see, what they start from, and who runs them.

    ``X`` has shape (n_rows, n_seen), ``margin`` (n_rows, n_classes) or is ``None``, ``y`` shape (n_rows,).
    """

    X: NDArray[np.float32]
    margin: NDArray[np.float64] | None
    y: NDArray[np.int64]
    n_classes: int
    seed: int
    execute: Callable[[Iterable[FitJob]], Iterator[FitResult]]
    report: Callable[[Progress], None]

    def run(self, plan: Sequence[PlannedFits]) -> Results:
        """Run all fits of a plan; one that never came back is a failure."""
        keys = [(model, planned.rows.name) for planned in plan for model in planned.models]
        arrived = {}
        for done, result in enumerate(self.execute(self._jobs(plan)), start=1):
            arrived[result.model, result.fold] = result
            self.report(Progress(done=done, total=len(keys), what=f"{result.model} {result.fold}"))
        lost = "no result came back from where it was run"
        return {key: arrived.get(key, FitResult(model=key[0], fold=key[1], failure=lost)) for key in keys}

    def _jobs(self, plan: Sequence[PlannedFits]) -> Iterator[FitJob]:
        """Yield the fits fold by fold; the models of a fold share its arrays, which are cut when needed."""
        for planned in plan:
            rows = planned.rows
            X, y, margin = self.X[rows.train], self.y[rows.train], self._margin(rows.train)
            X_validate = None if rows.validate is None else self.X[rows.validate]
            margin_validate = self._margin(rows.validate)
            for model in planned.models:
                yield FitJob(
                    model=model,
                    fold=rows.name,
                    X=X,
                    y=y,
                    sample_weight=rows.sample_weight,
                    margin=margin,
                    X_validate=X_validate,
                    margin_validate=margin_validate,
                    n_classes=self.n_classes,
                    seed=self.seed_of(model, rows.name),
                )

    def _margin(self, rows: NDArray[np.intp] | None) -> NDArray[np.float64] | None:
        return None if self.margin is None or rows is None else self.margin[rows]

    def seed_of(self, model: str, name: str) -> int:
        """Give a fit's seed; a control has that of the fit beside it, so that they differ in one thing."""
        return job_seed(self.seed, model, name.partition("/")[0])


def fitted_models(name: str, models: Sequence[str], quorum: int, results: Results) -> list[FitResult]:
    """Give the fits of a fold that succeeded.

    Raises
    ------
    FitFailedError
        If they are fewer than the quorum.
    """
    of_fold = [results[model, name] for model in models]
    fitted = [result for result in of_fold if result.failure is None]
    check_quorum([result.model for result in fitted], models, quorum, name)
    return fitted


def failures_of(results: Results) -> tuple[FitFailure, ...]:
    """Give the fits that failed, in the order of the plan."""
    return tuple(
        FitFailure(model=result.model, fold=result.fold, sentence=result.failure)
        for result in results.values()
        if result.failure is not None
    )
