"""Every number of the barrier members in one place; chosen on 2009-2019, see docs/results.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERY_DAYS: Final = 5
"""Members learn from each fifth session: neighbouring targets share 13 of 14 returns, and a fifth of the rows
costs a fifth of the time."""

LEARN_ANCHOR: Final = "1970-01-01"
"""The day they are counted from: a Thursday, as in the published figures."""

HAR_RIDGE: Final = 0.02
"""Penalty beside the mean squared error, on standardised log ratios."""

TREES_ROUNDS: Final = 150
TREES_ROWS_MIN: Final = 2000
TREES: Final[Mapping[str, object]] = {
    "learning_rate": 0.05,
    "num_leaves": 8,
    "min_data_in_leaf": 500,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 50.0,
    "max_bin": 63,
}

RECALIBRATION_RIDGE: Final = 1e-5
OFFSET_RIDGE: Final = 0.3
STANDARD_DEVIATIONS_MAX: Final = 4.0
CALIBRATION_ROWS_MIN: Final = 500
"""Rows (of each fifth session) below which the series is taken as it is."""
