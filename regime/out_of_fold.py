"""What everyone said of the rows of each fold, put together: members, pools and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regime.barrier.forecast import FEAR
from regime.barrier.members import correct_series, learnable_rows
from regime.memo import no_memo
from regime.models.pool import NO_CALIBRATION, POOLS
from regime.pooling import PoolRows, pool_rows
from regime.predictions import Predictions
from regime.scorecard import REGIME_PRIOR, VOLATILITY_BARRIER
from regime.scoring import baseline_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.barrier.members import BarrierHistory
    from regime.fitting import Results
    from regime.memo import Memo
    from regime.models.pool import Pool
    from regime.recipe import TrainingSettings
    from regime.training_set import TrainingSet
    from regime.validation import Fold


def out_of_fold(
    training_set: TrainingSet,
    settings: TrainingSettings,
    folds: Sequence[Fold],
    results: Results,
    barrier: BarrierHistory | None,
    memo: Memo = no_memo,
) -> tuple[Predictions, Pool]:
    """Give the predictions of all folds in date order, and the pool of tomorrow."""
    rows = np.concatenate([fold.validate for fold in folds])
    n_classes = len(training_set.target.classes)

    def of_fold(model: str, fold: Fold) -> NDArray[np.float64]:
        proba = results[model, fold.name].proba
        return np.full((len(fold.validate), n_classes), np.nan) if proba is None else proba

    models = {model: np.concatenate([of_fold(model, fold) for fold in folds]) for model in settings.models}
    barriers = {} if barrier is None else {name: each[rows] for name, each in barrier.log_proba.items()}
    by_fold = [baselines_of(training_set, fold, barrier) for fold in folds]
    baselines = {name: np.concatenate([each[name] for each in by_fold]) for name in by_fold[0]}
    pool_input = PoolRows(
        date=training_set.date[rows],
        horizon_end=training_set.horizon_end[rows],
        regime=training_set.regime[rows],
        y=training_set.y[rows],
        models={name: np.log(proba) for name, proba in models.items()},
        barriers=barriers,
        prior=baselines[REGIME_PRIOR],
        barrier=baselines.get(VOLATILITY_BARRIER, baselines[REGIME_PRIOR]),
        embargo_days=settings.walk_forward.embargo_days,
    )
    pools = {kind: pool_rows(pool_input, kind, NO_CALIBRATION, memo) for kind in POOLS}
    chosen = pools[settings.ensemble]
    if settings.calibration != NO_CALIBRATION:
        chosen = pool_rows(pool_input, settings.ensemble, settings.calibration, memo)
    predictions = Predictions(
        date=pool_input.date,
        symbol=training_set.symbol[rows],
        regime=pool_input.regime,
        truth=pool_input.y,
        fold=np.repeat([fold.name for fold in folds], [len(fold.validate) for fold in folds]),
        members={**models, **{name: np.exp(each) for name, each in barriers.items()}},
        pools={kind: pools[kind].proba for kind in POOLS},
        ensemble=chosen.proba,
        baselines=baselines,
        classes=training_set.target.classes,
    )
    return predictions, chosen.pool


def baselines_of(
    training_set: TrainingSet, fold: Fold, barrier: BarrierHistory | None
) -> dict[str, NDArray[np.float64]]:
    """Give all baselines of a fold's validation rows by name, from its training rows only."""
    found = baseline_probabilities(
        training_set.y[fold.train],
        training_set.regime[fold.train],
        training_set.regime[fold.validate],
        len(training_set.target.classes),
    )
    if barrier is not None:
        learnt = fold.train[learnable_rows(training_set.date[fold.train])]
        raw = barrier.raw[FEAR]
        corrected = correct_series(raw[learnt], training_set.y[learnt], raw[fold.validate])
        found[VOLATILITY_BARRIER] = np.exp(corrected)
    return found
