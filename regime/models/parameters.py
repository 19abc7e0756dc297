"""Every number that shapes the eight models, in one place.

Daily targets are noisy, overlap within their horizon and move together across symbols: ten thousand rows
are worth a few hundred. A flexible model then learns past paths by heart, becomes sure of itself and loses
to the climatology of the regime. So everything here leans to the simple side: shallow trees, leaves that
hold a share of all rows, few rounds, strong ridges. Limits that depend on the amount of data are shares of
the rows, so that they mean the same for a small archive and for a large one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_DEVIATIONS_MAX: Final = 4.0
"""Standardised inputs are clipped here: one crash day must not steer a linear model alone."""

MARGIN_SCALE: Final = 3.0
"""By how much the columns of a margin outweigh a standardised feature."""
MARGIN_SCALE_LINEAR: Final = 50.0
"""The same beside a ridge of 1: a coefficient of 1 / 50 costs .0002 nats, one of 1 / 3 would cost .06."""

STARTED_ROUNDS: Final = 25
"""Rounds of a booster that starts from the barrier: little is left to learn, and 100 rounds cost 6e-3 nats on
2009-2019."""

HOLDOUT_SHARE: Final = 0.2
"""The latest share of the rows on which the SVM is calibrated and the MLP's epochs are chosen."""

GAP_SHARE: Final = 0.02
"""Rows left out before that slice, because targets overlap: 14 sessions in a history of three years."""

RANDOM_FOREST: Final[Mapping[str, object]] = {
    "n_estimators": 150,
    "max_depth": 6,
    "min_samples_leaf": 0.02,
    "max_features": "sqrt",
    "max_samples": 0.3,
    "criterion": "entropy",
}

EXTRA_TREES: Final[Mapping[str, object]] = {
    "n_estimators": 50,
    "max_depth": 8,
    "min_samples_leaf": 0.01,
    "max_features": 0.3,
    "criterion": "entropy",
}

GRADIENT_BOOSTING: Final[Mapping[str, object]] = {
    "n_estimators": 60,
    "learning_rate": 0.05,
    "max_depth": 2,
    "min_samples_leaf": 0.02,
    "subsample": 0.3,
    "max_features": "sqrt",
}

XGBOOST_ROUNDS: Final = 100
XGBOOST_LEAF_SHARE: Final = 0.02
"""Least share of all rows in a leaf, turned into a least sum of Hessians."""
XGBOOST: Final[Mapping[str, object]] = {
    "eta": 0.05,
    "max_depth": 2,
    "lambda": 100.0,
    "subsample": 0.3,
    "colsample_bytree": 0.3,
    "max_bin": 63,
    "tree_method": "hist",
}

LIGHTGBM_ROUNDS: Final = 100
LIGHTGBM_LEAF_SHARE: Final = 0.02
LIGHTGBM: Final[Mapping[str, object]] = {
    "learning_rate": 0.05,
    "num_leaves": 4,
    "lambda_l2": 100.0,
    "bagging_fraction": 0.3,
    "bagging_freq": 1,
    "feature_fraction": 0.3,
    "max_bin": 63,
}

LOGISTIC_RIDGE: Final = 0.3
"""Penalty on half the squared coefficients beside the mean (not the sum) of the log-loss over rows."""

SVM_EXACT_ROWS_MAX: Final = 3000
"""Above it the kernel is approximated: an exact fit costs the square of the rows."""
SVM_PENALTY: Final = 0.05
SVM_SCORE_RIDGE: Final = 0.001
"""Ridge of the calibrator on the few scores of the exact machine."""
SVM_WIDTH: Final = 0.3
"""Kernel coefficient times the number of features; 1 would be scikit-learn's ``auto``."""
SVM_COMPONENTS: Final = 200
SVM_RIDGE: Final = 0.0003

MLP_EPOCHS_MAX: Final = 30
MLP_PATIENCE: Final = 5
MLP_BATCH_ROWS: Final = 256
MLP: Final[Mapping[str, object]] = {
    "hidden_layer_sizes": (16,),
    "alpha": 30.0,
    "learning_rate_init": 0.01,
}
