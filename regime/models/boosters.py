"""XGBoost and LightGBM as native boosters, whose own file formats the registry stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import lightgbm
import numpy as np
import xgboost
from scipy.special import softmax

from regime.models.fitted import ModelRecipe
from regime.models.parameters import (
    LIGHTGBM,
    LIGHTGBM_LEAF_SHARE,
    LIGHTGBM_ROUNDS,
    STARTED_ROUNDS,
    XGBOOST,
    XGBOOST_LEAF_SHARE,
    XGBOOST_ROUNDS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.models.fitted import Margin, TrainingRows

SEED_MAX: Final = 2**31 - 1
"""Both libraries keep the seed in a signed 32-bit integer."""


def _learn_xgboost(rows: TrainingRows) -> Mapping[str, object]:
    """Boost from the margin, or from the weighted class prior: few rounds from a uniform start stay near it.

    A leaf's sum of Hessians is at most rows * p (1 - p); the spread of the prior turns the least share of
    rows in a leaf into that unit.
    """
    prior = rows.weighted_prior()
    spread = float((prior * (1 - prior)).mean())
    log_prior = np.log(prior).astype(np.float32)
    settings = {
        **XGBOOST,
        "objective": "multi:softprob",
        "num_class": len(prior),
        "min_child_weight": XGBOOST_LEAF_SHARE * len(rows.y) * spread,
        "nthread": 1,
        "seed": rows.seed % SEED_MAX,
    }
    matrix = xgboost.DMatrix(
        rows.X,
        label=rows.y,
        weight=rows.sample_weight,
        base_margin=_start(log_prior, rows.margin, len(rows.y)),
        nthread=1,
    )
    return {
        "booster": xgboost.train(settings, matrix, num_boost_round=_rounds(rows, XGBOOST_ROUNDS)),
        "log_prior": log_prior,
    }


def _rounds(rows: TrainingRows, from_prior: int) -> int:
    return from_prior if rows.margin is None else STARTED_ROUNDS


def _start(log_prior: NDArray[np.float32], margin: Margin, n_rows: int) -> NDArray[np.float32]:
    return np.tile(log_prior, (n_rows, 1)) if margin is None else margin.astype(np.float32)


def _predict_xgboost(
    parts: Mapping[str, object], X: NDArray[np.float32], margin: Margin
) -> NDArray[np.float32]:
    log_prior = cast("NDArray[np.float32]", parts["log_prior"])
    matrix = xgboost.DMatrix(X, base_margin=_start(log_prior, margin, len(X)), nthread=1)
    return cast("xgboost.Booster", parts["booster"]).predict(matrix)


def _learn_lightgbm(rows: TrainingRows) -> Mapping[str, object]:
    settings = {
        **LIGHTGBM,
        "objective": "multiclass",
        "num_class": int(rows.y.max()) + 1,
        "min_data_in_leaf": max(1, round(LIGHTGBM_LEAF_SHARE * len(rows.y))),
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": rows.seed % SEED_MAX,
        "verbosity": -1,
    }
    start = None if rows.margin is None else rows.margin.ravel(order="F")
    data = lightgbm.Dataset(
        rows.X, label=rows.y, weight=rows.sample_weight, init_score=start, params=settings
    )
    return {"booster": lightgbm.train(settings, data, num_boost_round=_rounds(rows, LIGHTGBM_ROUNDS))}


def _predict_lightgbm(
    parts: Mapping[str, object], X: NDArray[np.float32], margin: Margin
) -> NDArray[np.float64]:
    booster = cast("lightgbm.Booster", parts["booster"])
    if margin is None:
        return np.asarray(booster.predict(X, num_threads=1))
    return np.asarray(softmax(margin + booster.predict(X, raw_score=True, num_threads=1), axis=1))


xgboost_trees = ModelRecipe(
    title="XGBoost", parts=("booster", "log_prior"), learn=_learn_xgboost, predict=_predict_xgboost
)
lightgbm_trees = ModelRecipe(
    title="LightGBM", parts=("booster",), learn=_learn_lightgbm, predict=_predict_lightgbm
)
