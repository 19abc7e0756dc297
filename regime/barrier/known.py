"""The volatility barrier as a baseline day by day: what it would have said with what was known then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regime.barrier.forecast import log_fear_variance
from regime.barrier.members import correct_series, learnable_rows, raw_log_probabilities
from regime.calendar_blocks import QUARTER, calendar_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from regime.types import TargetSpec

    Values = NDArray[np.float32]


def known_barrier(
    date: NDArray[np.datetime64],
    values: Values,
    truth: NDArray[np.int64],
    horizon_end: NDArray[np.datetime64],
    target: TargetSpec,
    *,
    since: np.datetime64,
) -> NDArray[np.float64]:
    """Give probabilities of rows, shape (n_rows, 3): scaled fear in the closed formula, recalibrated.

    Each quarter corrects with each fifth session's rows whose full horizon had ended before its first day, so
    that no outcome changes what is said of an earlier day. Rows before ``since`` are learnt from and not
    answered, rows without volatility neither: both are NaN.

    Parameters
    ----------
    date, values
        Shape (n_rows,) in date order, and (n_rows, len(COLUMNS)) of ``regime.barrier.inputs``.
    truth, horizon_end
        Shape (n_rows,): class id that came true by the day; NaT while it is not known.
    target
        What was asked.
    since
        The first day that is answered.
    """
    raw = raw_log_probabilities(np.exp(log_fear_variance(values) / 2), values, target)
    is_known = np.asarray(np.isfinite(raw).all(axis=1))
    learnable = np.zeros(len(date), dtype=bool)
    learnable[learnable_rows(date)] = True
    learnable &= is_known & ~np.isnat(horizon_end)
    found = np.full(raw.shape, np.nan)
    for start, block in calendar_blocks(date, QUARTER):
        asked = np.flatnonzero(is_known[block] & (date[block] >= since)) + block.start
        if len(asked):
            learnt = learnable & (horizon_end < start)
            found[asked] = np.exp(correct_series(raw[learnt], truth[learnt], raw[asked]))
    return np.asarray(found / found.sum(axis=1, keepdims=True))
