"""The members' out-of-sample predictions made one, in time order, and the pool that goes on tomorrow."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
from threadpoolctl import threadpool_limits

from regime.calendar_blocks import QUARTER, YEAR, calendar_blocks, matured_sessions
from regime.memo import no_memo
from regime.models.hedge import Judged, hedge
from regime.models.pool import (
    BARRIER_PLUS,
    BY_REGIME,
    MEAN,
    STACKING,
    Pool,
    calibrate,
    equal_weights,
    fit_calibration,
)
from regime.models.stacking import Stack, fit_stack, geometric_mean
from regime.scoring import log_losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.memo import Memo

    LogProba = NDArray[np.float64]

LEARN_ROWS_MIN: Final = 500
"""Matured rows below which stacking is the geometric mean and nothing is calibrated."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolRows:
    """Out-of-sample rows in date order; one entry a row.

    ``models`` and ``barriers`` have log-probabilities by member, shape (n_rows, n_classes), NaN where a model
    failed in the row's fold. ``prior`` is the regime prior's, ``barrier`` the volatility barrier's (or the
    prior's where there is none).
    """

    date: NDArray[np.datetime64]
    horizon_end: NDArray[np.datetime64]
    regime: NDArray[np.str_]
    y: NDArray[np.int64]
    models: Mapping[str, LogProba]
    barriers: Mapping[str, LogProba]
    prior: NDArray[np.float64]
    barrier: NDArray[np.float64]
    embargo_days: int

    def members(self) -> dict[str, LogProba]:
        """Give all members by name."""
        return {**self.models, **self.barriers}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooled:
    """Probabilities of the rows as they would have been said, and tomorrow's pool.

    ``proba`` has shape (n_rows, n_classes).
    """

    proba: NDArray[np.float64]
    pool: Pool


def pool_rows(rows: PoolRows, kind: str, calibration: str, memo: Memo = no_memo) -> Pooled:
    """Combine members by ``kind``, and calibrate by regime if asked, from what had matured on each day.

    ``memo`` is asked for the stacks of years that an earlier run has seen.
    """
    with threadpool_limits(limits=1):  # sums must not depend on how many cores there are
        pooled = (
            _stacked(rows, memo) if kind == STACKING else {MEAN: _mean, BARRIER_PLUS: _hedged}[kind](rows)
        )
        return _calibrated(rows, pooled) if calibration == BY_REGIME else pooled


def _mean(rows: PoolRows) -> Pooled:
    """Give the plain mean of the models; without one, of the barrier members."""
    members = rows.models or rows.barriers
    proba = np.nanmean(np.exp(np.stack(list(members.values()))), axis=0)
    return Pooled(proba=proba, pool=Pool(kind=MEAN, weights=equal_weights(list(members))))


def _hedged(rows: PoolRows) -> Pooled:
    members = rows.members()
    judged = Judged(
        date=rows.date,
        horizon_end=rows.horizon_end,
        loss={name: _losses(rows.y, log_proba) for name, log_proba in members.items()},
        prior_loss=log_losses(rows.y, rows.prior),
        barrier_loss=log_losses(rows.y, rows.barrier),
    )
    found = hedge(judged, admitted_first=frozenset(rows.barriers))
    of_rows = found.weights[np.searchsorted(found.days, rows.date)]
    weighted, total = np.zeros_like(rows.prior), np.zeros(len(rows.date))
    for weight, log_proba in zip(of_rows.T, members.values(), strict=True):
        there = ~np.isnan(log_proba).any(axis=1)
        weighted[there] += weight[there, np.newaxis] * np.exp(log_proba[there])
        total[there] += weight[there]
    spare = np.nanmean(np.exp(np.stack(list(members.values()))), axis=0)
    proba = np.where(total[:, np.newaxis] > 0, weighted / np.maximum(total, 1e-12)[:, np.newaxis], spare)
    return Pooled(proba=proba, pool=Pool(kind=BARRIER_PLUS, weights=found.latest()))


def _losses(y: NDArray[np.int64], log_proba: LogProba) -> NDArray[np.float64]:
    there = ~np.isnan(log_proba).any(axis=1)
    losses = np.full(len(y), np.nan)
    losses[there] = log_losses(y[there], np.exp(log_proba[there]))
    return losses


def _stacked(rows: PoolRows, memo: Memo) -> Pooled:
    """Refit the stack each year on what has matured; a member that failed in any fold is left out."""
    complete = {name: each for name, each in rows.members().items() if not np.isnan(each).any()}
    if not complete:
        return _mean(rows)
    members = list(complete.values())
    sessions, learnable = matured_sessions(rows.date, rows.horizon_end, rows.embargo_days)
    proba = np.empty_like(rows.prior)
    for start, block in calendar_blocks(rows.date, YEAR):
        known = np.flatnonzero(learnable < np.searchsorted(sessions, start))
        said, y = [each[known] for each in members], rows.y[known]
        stack = Stack(**memo("stack", (*said, y), partial(_stack_arrays, said, y)))
        proba[block] = np.exp(stack.log_probabilities([each[block] for each in members]))
    last = _stack_of(members, rows.y)
    pool = Pool(kind=STACKING, weights=equal_weights(list(complete)), stack=last)
    return Pooled(proba=proba, pool=pool)


def _stack_arrays(members: list[LogProba], y: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    return asdict(_stack_of(members, y))


def _stack_of(members: list[LogProba], y: NDArray[np.int64]) -> Stack:
    if len(y) < LEARN_ROWS_MIN:
        return geometric_mean(len(members), members[0].shape[1])
    return fit_stack(members, y)


def _calibrated(rows: PoolRows, pooled: Pooled) -> Pooled:
    """Recalibrate by regime each quarter."""
    log_proba = np.log(pooled.proba)
    proba = pooled.proba.copy()
    sessions, learnable = matured_sessions(rows.date, rows.horizon_end, rows.embargo_days)
    for start, block in calendar_blocks(rows.date, QUARTER):
        known = np.flatnonzero(learnable < np.searchsorted(sessions, start))
        if len(known) >= LEARN_ROWS_MIN:
            correction = fit_calibration(log_proba[known], rows.regime[known], rows.y[known])
            proba[block] = np.exp(calibrate(correction, log_proba[block], rows.regime[block]))
    last = None
    if len(rows.y) >= LEARN_ROWS_MIN:
        last = fit_calibration(log_proba, rows.regime, rows.y)
    pool = pooled.pool
    return Pooled(
        proba=proba,
        pool=Pool(kind=pool.kind, weights=pool.weights, stack=pool.stack, calibration=last),
    )
