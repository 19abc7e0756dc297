"""A training run as a pure function: purged walk-forward of every model, then the fit that is kept.

Nothing here knows of processes, files or time. ``execute`` runs the fits, in order or side by side;
``report`` hears of each that is done. The same rows, settings and seed give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import HistoryTooShortError, SettingInvalidError
from regime.fit_jobs import FINAL, FitJob, FitResult, job_seed
from regime.models import MODELS, is_model_name, own_facts_of, parameters
from regime.models.ensemble import ENSEMBLE, MeanEnsemble, check_quorum, mean_probability
from regime.predictions import Predictions
from regime.scoring import baseline_probabilities, score
from regime.validation import WalkForward
from regime.weights import effective_sample_size, regime_weights, weight_share, weights_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from regime.models import FittedModel
    from regime.scorecard import Scorecard
    from regime.training_set import TrainingSet
    from regime.types import Regime
    from regime.validation import Fold

ROWS_MIN: Final = 1000
"""Below this the five folds of five regimes hold a few days each, and nothing can be told apart."""

INTERVALS: Final = "intervals"
"""Stands where a fold's name stands in the seed of the bootstrap intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """What defines a training run beside its rows: the recipe.

    Parameters
    ----------
    models
        Names out of ``MODELS`` or paths (``regime.models.is_model_name``), each once.
    weights
        Weight preset by name; see ``regime.weights.weights_named``.
    walk_forward
        How folds are cut.
    quorum
        Models that must be fitted in each fold and in the final fit.
    rows_min
        Rows below which training is refused.
    seed
        Seed of every fit, not negative.

    Raises
    ------
    SettingInvalidError
        Naming every setting that cannot be.
    """

    models: tuple[str, ...] = tuple(MODELS)
    weights: str = "reference"
    walk_forward: WalkForward = field(default_factory=WalkForward)
    quorum: int = 5
    rows_min: int = ROWS_MIN
    seed: int = 20240106

    def __post_init__(self) -> None:
        unknown = [name for name in self.models if not is_model_name(name)]
        faults = {
            f"models {unknown} do not exist, use {', '.join(MODELS)} or package.module:attribute": (
                bool(unknown)
            ),
            f"models are {self.models}, name each once": len(set(self.models)) != len(self.models),
            f"quorum = {self.quorum}, give 1 to {len(self.models)}, the number of models": (
                not 1 <= self.quorum <= len(self.models)
            ),
            f"rows_min = {self.rows_min}, give at least 1": self.rows_min < 1,
            f"seed = {self.seed}, give 0 or more": self.seed < 0,
        }
        if any(faults.values()):
            raise SettingInvalidError("; ".join(fault for fault, holds in faults.items() if holds))
        weights_named(self.weights, np.array([], dtype=np.str_))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FitAccount:
    """What the models of one fold, or of the final fit, were fitted and judged on.

    ``weight_share`` is the share of the total training weight by regime, ``None`` where a regime has no
    rows; ``rows_effective`` is Kish's sample size under the weights, blind to overlap in time.
    """

    fold: str
    rows_trained: int
    rows_validated: int
    rows_effective: float
    weight_share: Mapping[Regime, float | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingResult:
    """Everything a training run found out.

    Parameters
    ----------
    models
        The models fitted on all rows, by name.
    predictions
        Out-of-fold predictions of every model, the ensemble and the baselines.
    scorecards
        By model and for ``ensemble``, on the rows that it predicted, beside the baselines there.
    failures
        The fits that failed, in the order of folds and models.
    account
        Rows and weights of each fold, and last of the final fit.
    seeds
        Seed of each fit by (model, fold).
    data_hash, recipe_hash
        Hashes of the rows, and of everything else that decides the result except library versions.
    """

    models: Mapping[str, FittedModel]
    predictions: Predictions
    scorecards: Mapping[str, Scorecard]
    failures: tuple[FitFailure, ...]
    account: tuple[FitAccount, ...]
    seeds: Mapping[tuple[str, str], int]
    data_hash: str
    recipe_hash: str

    def ensemble(self) -> MeanEnsemble:
        """Give the mean of the models fitted on all rows."""
        return MeanEnsemble(members=tuple(self.models.values()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    """The rows of one fold with their weights; ``validate`` is ``None`` in the final fit."""

    name: str
    train: NDArray[np.intp]
    validate: NDArray[np.intp] | None
    sample_weight: NDArray[np.float64]


def train(
    training_set: TrainingSet,
    settings: TrainingSettings,
    *,
    execute: Callable[[Iterable[FitJob]], Iterator[FitResult]],
    report: Callable[[Progress], None],
) -> TrainingResult:
    """Examine every model in purged walk-forward, then fit it on all matured rows.

    Weights and baselines of a fold are made of its training rows only. A model that fails is recorded
    and left out of the mean of that fold; too many failures end the run.

    Parameters
    ----------
    training_set
        Matured rows.
    settings
        The recipe.
    execute
        Runs jobs and gives their results in any order, each once; ``run_in_order`` is the plainest.
    report
        Called after each fit.

    Raises
    ------
    HistoryTooShortError
        If there are too few rows, one class only, or no fold can be made.
    FitFailedError
        If fewer models than the quorum were fitted in a fold or in the final fit.
    """
    _check_worth_training(training_set, settings)
    folds = settings.walk_forward.folds(
        training_set.date, training_set.horizon_end, np.unique(training_set.date)
    )
    tasks = _tasks(training_set, settings, folds)
    results = _collect(execute(_jobs(training_set, settings, tasks)), settings, tasks, report)
    fitted = {task.name: _fitted(task.name, settings, results) for task in tasks}
    predictions = _predictions(training_set, settings, folds, results, fitted)
    return TrainingResult(
        models={result.model: result.fitted for result in fitted[FINAL] if result.fitted is not None},
        predictions=predictions,
        scorecards=_scorecards(predictions, settings),
        failures=tuple(
            FitFailure(model=result.model, fold=result.fold, sentence=result.failure)
            for result in results.values()
            if result.failure is not None
        ),
        account=tuple(_account(training_set, task) for task in tasks),
        seeds={key: job_seed(settings.seed, *key) for key in results},
        data_hash=training_set.data_hash(),
        recipe_hash=recipe_hash(training_set, settings),
    )


def recipe_hash(training_set: TrainingSet, settings: TrainingSettings) -> str:
    """Give the SHA-256 of everything but the rows that decides what is learnt.

    Settings, model parameters, feature catalogue, labeler and target. Two runs with the same hash differ
    only in their data, so that the gate may treat one as a refit of the other.
    """
    constants = {name: value for name, value in vars(parameters).items() if name.isupper()}
    facts = {
        "settings": asdict(settings),
        "parameters": constants,
        "features": training_set.feature_hash,
        "labeler": training_set.labeler,
        "target": asdict(training_set.target),
        **({"own": own} if (own := own_facts_of(settings.models)) else {}),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _check_worth_training(training_set: TrainingSet, settings: TrainingSettings) -> None:
    if len(training_set) < settings.rows_min:
        raise HistoryTooShortError(
            f"there are {len(training_set)} training rows, {settings.rows_min} are needed; load more history"
        )
    occurring = np.unique(training_set.y)
    if len(occurring) == 1:
        name = training_set.target.classes[int(occurring[0])]
        raise HistoryTooShortError(
            f"all {len(training_set)} rows are {name!r}, nothing can be told apart;"
            " choose a target with nearer barriers or load more history"
        )


def _tasks(training_set: TrainingSet, settings: TrainingSettings, folds: Sequence[Fold]) -> tuple[_Task, ...]:
    def task(name: str, rows: NDArray[np.intp], validate: NDArray[np.intp] | None) -> _Task:
        regimes = training_set.regime[rows]
        weights = regime_weights(regimes, weights_named(settings.weights, regimes))
        return _Task(name=name, train=rows, validate=validate, sample_weight=weights)

    exams = [task(fold.name, fold.train, fold.validate) for fold in folds]
    return (*exams, task(FINAL, np.arange(len(training_set)), None))


def _jobs(training_set: TrainingSet, settings: TrainingSettings, tasks: Sequence[_Task]) -> Iterator[FitJob]:
    """Yield the fits fold by fold; the models of a fold share its arrays, which are cut when needed."""
    for task in tasks:
        X, y = training_set.X[task.train], training_set.y[task.train]
        X_validate = None if task.validate is None else training_set.X[task.validate]
        for model in settings.models:
            yield FitJob(
                model=model,
                fold=task.name,
                X=X,
                y=y,
                sample_weight=task.sample_weight,
                X_validate=X_validate,
                n_classes=len(training_set.target.classes),
                seed=job_seed(settings.seed, model, task.name),
            )


def _collect(
    results: Iterator[FitResult],
    settings: TrainingSettings,
    tasks: Sequence[_Task],
    report: Callable[[Progress], None],
) -> dict[tuple[str, str], FitResult]:
    """Give the result of every fit, in the order of folds and models whatever the order of arrival."""
    keys = [(model, task.name) for task in tasks for model in settings.models]
    arrived = {}
    for done, result in enumerate(results, start=1):
        arrived[result.model, result.fold] = result
        report(Progress(done=done, total=len(keys), what=f"{result.model} {result.fold}"))
    lost = "no result came back from where it was run"
    return {key: arrived.get(key, FitResult(model=key[0], fold=key[1], failure=lost)) for key in keys}


def _fitted(
    fold: str, settings: TrainingSettings, results: Mapping[tuple[str, str], FitResult]
) -> list[FitResult]:
    """Give the fits of a fold that succeeded, which must be a quorum."""
    of_fold = [results[model, fold] for model in settings.models]
    fitted = [result for result in of_fold if result.failure is None]
    check_quorum([result.model for result in fitted], settings.models, settings.quorum, fold)
    return fitted


def _predictions(
    training_set: TrainingSet,
    settings: TrainingSettings,
    folds: Sequence[Fold],
    results: Mapping[tuple[str, str], FitResult],
    fitted: Mapping[str, Sequence[FitResult]],
) -> Predictions:
    rows = np.concatenate([fold.validate for fold in folds])
    n_classes = len(training_set.target.classes)

    def of_fold(model: str, fold: Fold) -> NDArray[np.float64]:
        proba = results[model, fold.name].proba
        return np.full((len(fold.validate), n_classes), np.nan) if proba is None else proba

    baselines = [
        baseline_probabilities(
            training_set.y[fold.train],
            training_set.regime[fold.train],
            training_set.regime[fold.validate],
            n_classes,
        )
        for fold in folds
    ]
    means = [
        mean_probability([result.proba for result in fitted[fold.name] if result.proba is not None])
        for fold in folds
    ]
    return Predictions(
        date=training_set.date[rows],
        symbol=training_set.symbol[rows],
        regime=training_set.regime[rows],
        truth=training_set.y[rows],
        fold=np.repeat([fold.name for fold in folds], [len(fold.validate) for fold in folds]),
        members={
            model: np.concatenate([of_fold(model, fold) for fold in folds]) for model in settings.models
        },
        ensemble=np.concatenate(means),
        baselines={name: np.concatenate([of_each[name] for of_each in baselines]) for name in baselines[0]},
        classes=training_set.target.classes,
    )


def _scorecards(predictions: Predictions, settings: TrainingSettings) -> dict[str, Scorecard]:
    """Score every model on the rows that it predicted; one that failed in every fold has no scorecard."""
    scorecards = {}
    for name in (ENSEMBLE, *settings.models):
        rows = predictions.predicted(name)
        if rows.any():
            scorecards[name] = score(
                predictions.date[rows],
                predictions.symbol[rows],
                predictions.regime[rows],
                predictions.truth[rows],
                predictions.of(name)[rows],
                {baseline: proba[rows] for baseline, proba in predictions.baselines.items()},
                predictions.classes,
                rng=np.random.default_rng(job_seed(settings.seed, name, INTERVALS)),
            )
    return scorecards


def _account(training_set: TrainingSet, task: _Task) -> FitAccount:
    return FitAccount(
        fold=task.name,
        rows_trained=len(task.train),
        rows_validated=0 if task.validate is None else len(task.validate),
        rows_effective=effective_sample_size(task.sample_weight),
        weight_share=weight_share(training_set.regime[task.train], task.sample_weight),
    )
