"""A training run as a pure function: barrier members, purged walk-forward of every model, the final fit.

Nothing here knows of processes, files or time. ``execute`` runs the fits, in order or side by side;
``report`` hears of each that is done. The same rows, settings and seed give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.barrier.members import BARRIER, BarrierRows, learn_barrier
from regime.controls import chosen_weights, measure_controls, plan_choice, plan_controls
from regime.crisis_cards import crisis_cards
from regime.crisis_exam import LeaveOneEventOut
from regime.errors import HistoryTooShortError
from regime.events import RARE_EVENTS
from regime.features.catalogue import market_wide
from regime.fit_jobs import FINAL, job_seed
from regime.fit_rows import choose_rows
from regime.fitting import Fitter, PlannedFits, Progress, failures_of, fitted_models
from regime.memo import no_memo
from regime.models.ensemble import Ensemble
from regime.out_of_fold import out_of_fold
from regime.recipe import FROM_BARRIER, recipe_hash
from regime.scoring import score

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from regime.ablation import Ablation
    from regime.barrier.members import BarrierHistory
    from regime.events import RareEvent
    from regime.fit_jobs import FitJob, FitResult
    from regime.fit_rows import FitAccount
    from regime.fitting import FitFailure
    from regime.memo import Memo
    from regime.predictions import Predictions
    from regime.recipe import TrainingSettings
    from regime.scorecard import Scorecard
    from regime.training_set import TrainingSet
    from regime.validation import Fold

INTERVALS: Final = "intervals"
"""Stands where a fold's name stands in the seed of the bootstrap intervals."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingResult:
    """Everything a training run found out.

    Parameters
    ----------
    ensemble
        The members fitted on all rows, and their pool.
    predictions
        Out-of-fold predictions of every member, every pool and the baselines.
    scorecards
        By member and pool and for ``ensemble``, on the rows that it predicted, beside the baselines there.
    ablations
        By choice of the recipe (``weights``, ``archive``, ``sampling``), what it did.
    crisis
        By rare event, the scorecards of models that never saw it; empty unless asked for.
    failures
        The fits that failed, in the order of folds and models.
    account
        Rows and weights of each fold, and last of the final fit.
    seeds
        Seed of each fit by (model, fold).
    data_hash, recipe_hash
        Hashes of the rows, and of everything else that decides the result except library versions.
    """

    ensemble: Ensemble
    predictions: Predictions
    scorecards: Mapping[str, Scorecard]
    ablations: Mapping[str, Ablation]
    crisis: Mapping[str, Mapping[str, Scorecard]]
    failures: tuple[FitFailure, ...]
    account: tuple[FitAccount, ...]
    seeds: Mapping[tuple[str, str], int]
    data_hash: str
    recipe_hash: str


def train(
    training_set: TrainingSet,
    settings: TrainingSettings,
    *,
    execute: Callable[[Iterable[FitJob]], Iterator[FitResult]],
    report: Callable[[Progress], None],
    events: Sequence[RareEvent] = RARE_EVENTS,
    memo: Memo = no_memo,
) -> TrainingResult:
    """Examine every member in purged walk-forward, then fit it on all matured rows.

    Rows, weights and baselines of a fold are made of its training rows only. A model that fails is recorded
    and left out of that fold; too many failures end the run.

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
    events
        Rare events from which an archive share is drawn.
    memo
        Asked for what an earlier run computed of the same rows.

    Raises
    ------
    HistoryTooShortError
        If there are too few rows, one class only, no fold can be made, or the barrier is asked for and the
        rows have no volatility.
    FitFailedError
        If fewer models than the quorum were fitted in a fold or in the final fit.
    """
    _check_worth_training(training_set, settings)
    folds = settings.walk_forward.folds(
        training_set.date, training_set.horizon_end, np.unique(training_set.date)
    )
    barrier = _barrier(training_set, settings, report, memo)
    columns = seen_columns(training_set.feature_names, market_features=settings.market_features)
    fitter = Fitter(
        X=np.ascontiguousarray(training_set.X[:, columns]),
        margin=barrier.log_proba[BARRIER] if barrier and settings.start_from == FROM_BARRIER else None,
        y=training_set.y,
        n_classes=len(training_set.target.classes),
        seed=settings.seed,
        execute=execute,
        report=report,
    )
    cuts, names = (*folds, None), (*(fold.name for fold in folds), FINAL)
    choice = plan_choice(training_set, settings, cuts, names)
    weights = chosen_weights(training_set, settings, names, choice, fitter.run(choice))
    plan = [
        PlannedFits(
            rows=choose_rows(training_set, settings, cut, weights=weights[name], events=events),
            models=settings.models,
        )
        for cut, name in zip(cuts, names, strict=True)
    ]
    crises = _crises(training_set, settings, events)
    results = fitter.run(
        [
            *plan,
            *plan_controls(training_set, settings, folds, weights, events),
            *_plan_crises(training_set, settings, crises, weights[FINAL]),
        ]
    )
    fitted = {name: fitted_models(name, settings.models, settings.quorum, results) for name in names}
    predictions, pool = out_of_fold(training_set, settings, folds, results, barrier, memo)
    return TrainingResult(
        ensemble=Ensemble(
            models={result.model: result.fitted for result in fitted[FINAL] if result.fitted is not None},
            columns=columns,
            barrier=None if barrier is None else barrier.model,
            starts_from_barrier=fitter.margin is not None,
            pool=pool,
        ),
        predictions=predictions,
        scorecards=_scorecards(predictions, settings),
        ablations=measure_controls(training_set, settings, folds, results),
        crisis=crisis_cards(training_set, settings, crises, results, barrier),
        failures=failures_of(results),
        account=tuple(planned.rows.account for planned in plan),
        seeds={key: fitter.seed_of(*key) for key in results},
        data_hash=training_set.data_hash(),
        recipe_hash=recipe_hash(training_set, settings),
    )


def seen_columns(names: Sequence[str], *, market_features: bool) -> NDArray[np.intp]:
    """Give the positions of the features that models see: without those that all symbols of a day share.

    >>> seen_columns(["return_5", "fear_level"], market_features=False).tolist()
    [0]
    """
    shared = frozenset() if market_features else market_wide()
    return np.array([at for at, name in enumerate(names) if name not in shared], dtype=np.intp)


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
    if training_set.volatility is None and settings.start_from == FROM_BARRIER:
        raise HistoryTooShortError(
            "the rows have no volatility and the models are to start from its barrier;"
            " compute it of the same bars, or set start_from to nothing"
        )


def _crises(
    training_set: TrainingSet, settings: TrainingSettings, events: Sequence[RareEvent]
) -> tuple[Fold, ...]:
    if not settings.crisis_exam:
        return ()
    exam = LeaveOneEventOut(events=tuple(events), embargo_days=settings.walk_forward.embargo_days)
    return exam.plan(training_set.date, training_set.horizon_end, np.unique(training_set.date)).folds


def _plan_crises(
    training_set: TrainingSet, settings: TrainingSettings, crises: Sequence[Fold], weights: str
) -> list[PlannedFits]:
    """Give the fits that leave an event out; a window or an archive would bring it back in."""
    plain = replace(settings, window_years=None, archive_share=0.0)
    return [
        PlannedFits(
            rows=choose_rows(training_set, plain, crisis, weights=weights, events=()), models=settings.models
        )
        for crisis in crises
    ]


def _barrier(
    training_set: TrainingSet,
    settings: TrainingSettings,
    report: Callable[[Progress], None],
    memo: Memo,
) -> BarrierHistory | None:
    if training_set.volatility is None or training_set.forward_variance is None:
        return None
    rows = BarrierRows(
        date=training_set.date,
        horizon_end=training_set.horizon_end,
        y=training_set.y,
        values=training_set.volatility,
        forward_variance=training_set.forward_variance,
        target=training_set.target,
    )
    return learn_barrier(
        rows,
        embargo_days=settings.walk_forward.embargo_days,
        seed=job_seed(settings.seed, BARRIER, FINAL),
        report=lambda what: report(Progress(done=0, total=0, what=what)),
        memo=memo,
    )


def _scorecards(predictions: Predictions, settings: TrainingSettings) -> dict[str, Scorecard]:
    """Score everyone on the rows that it predicted; a model that failed in every fold has no scorecard."""
    scorecards = {}
    for name in predictions.names():
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
