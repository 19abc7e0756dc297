"""The barrier members: a closed formula on forecast volatilities, corrected by what came of it so far.

They need no folds. Each year forecasts with what had matured before it, and each quarter corrects with what
had matured before it, so that every row has a probability that could have been said on its day.
Year and quarter are those of the calendar: a later day moves nothing that was said before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from threadpoolctl import threadpool_limits

from regime.barrier.forecast import FEAR, MEAN, SOURCES, TREES_SOURCE, fit_forecaster, pick
from regime.barrier.inputs import RANKS, SEASONS, SHAPES
from regime.barrier.parameters import (
    CALIBRATION_ROWS_MIN,
    EVERY_DAYS,
    LEARN_ANCHOR,
    OFFSET_RIDGE,
    RECALIBRATION_RIDGE,
    STANDARD_DEVIATIONS_MAX,
)
from regime.barrier.series import barrier_log_probabilities
from regime.barrier.softmax import Correction, centred, fit_correction
from regime.calendar_blocks import QUARTER, YEAR, calendar_blocks, matured_sessions
from regime.memo import no_memo
from regime.sampling import thin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from regime.barrier.forecast import VolatilityForecaster
    from regime.memo import Memo
    from regime.types import TargetSpec

    Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarrierMember:
    """Which forecast a member feeds to the series, and which inputs may correct the outcome, how hard."""

    source: str
    inputs: tuple[str, ...] = ()
    ridge: float = OFFSET_RIDGE


BARRIER: Final = "barrier"
BARRIER_MEMBERS: Final[Mapping[str, BarrierMember]] = {
    "barrier_fear": BarrierMember(source=FEAR),
    BARRIER: BarrierMember(source=MEAN),
    "barrier_offset": BarrierMember(source=MEAN, inputs=(*SEASONS, *SHAPES, *RANKS)),
    "barrier_trees": BarrierMember(source=TREES_SOURCE, inputs=(*SHAPES, *RANKS), ridge=0.03),
}
"""By name. ``barrier`` is the margin that the eight models start from."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarrierRows:
    """Matured rows sorted by date; all arrays have one entry a row.

    ``values`` are ``regime.barrier.inputs``, known on ``date``; ``forward_variance`` and ``y`` are known at
    ``horizon_end``.
    """

    date: NDArray[np.datetime64]
    horizon_end: NDArray[np.datetime64]
    y: NDArray[np.int64]
    values: Values
    forward_variance: NDArray[np.float64]
    target: TargetSpec

    def raw(self, sigma: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the series' log-probabilities for forecasts of the rows."""
        return raw_log_probabilities(sigma, self.values, self.target)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MemberFit:
    """A member's correction with the standardisation of its inputs, each of shape (n_inputs,)."""

    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    correction: Correction

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Give everything that it holds."""
        return {"center": self.center, "scale": self.scale, **asdict(self.correction)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Self:
        """Give the fit that holds these."""
        correction = Correction(coefficients=arrays["coefficients"], intercepts=arrays["intercepts"])
        return cls(center=arrays["center"], scale=arrays["scale"], correction=correction)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarrierModel:
    """What forecasts tomorrow: the forecaster and each member's correction, fitted on all matured rows."""

    forecaster: VolatilityForecaster
    fits: Mapping[str, MemberFit]
    target: TargetSpec

    def log_probabilities(self, values: Values) -> dict[str, NDArray[np.float64]]:
        """Give each member's log-probabilities of rows, shape (n_rows, 3) each."""
        sigmas = self.forecaster.sigmas(values)
        return {
            name: _corrected(
                self.fits[name],
                raw_log_probabilities(sigmas[member.source], values, self.target),
                pick(values, member.inputs),
            )
            for name, member in BARRIER_MEMBERS.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarrierHistory:
    """What was said of every row on its day, and the model for tomorrow.

    ``log_proba`` is by member, shape (n_rows, 3); ``sigma``, shape (n_rows,), and ``raw``, shape (n_rows, 3),
    are by source: the volatility forecast, and the series' log-probabilities of it.
    """

    log_proba: Mapping[str, NDArray[np.float64]]
    sigma: Mapping[str, NDArray[np.float64]]
    raw: Mapping[str, NDArray[np.float64]]
    model: BarrierModel


def learn_barrier(
    rows: BarrierRows,
    *,
    embargo_days: int,
    seed: int,
    report: Callable[[str], None] = lambda _: None,
    memo: Memo = no_memo,
) -> BarrierHistory:
    """Let the members forecast the whole history as they would have, then fit them on all of it.

    Parameters
    ----------
    rows
        Matured rows, sorted by date.
    embargo_days
        Sessions between the end of a learnt horizon and the year or quarter that it is used in.
    seed
        Of the trees.
    report
        Hears what is being fitted.
    memo
        Asked for what was forecast and corrected in years and quarters that an earlier run has seen.
    """
    with threadpool_limits(limits=1):  # sums must not depend on how many cores there are
        return _learn(rows, embargo_days, seed, report, memo)


def _learn(
    rows: BarrierRows, embargo_days: int, seed: int, report: Callable[[str], None], memo: Memo
) -> BarrierHistory:
    sessions, matured = matured_sessions(rows.date, rows.horizon_end, embargo_days)
    learnable = np.zeros(len(rows.date), dtype=bool)
    learnable[learnable_rows(rows.date)] = True
    sigma, forecaster = _forecasts(rows, sessions, matured, learnable, seed, report, memo)
    raw = {source: rows.raw(sigma[source]) for source in SOURCES}
    log_proba, fits = {}, {}
    for name, member in BARRIER_MEMBERS.items():
        report(name)
        log_proba[name], fits[name] = _history(
            rows, name, raw[member.source], sessions, matured, learnable, memo
        )
    model = BarrierModel(forecaster=forecaster, fits=fits, target=rows.target)
    return BarrierHistory(log_proba=log_proba, sigma=sigma, raw=raw, model=model)


def raw_log_probabilities(
    sigma: NDArray[np.float64], values: Values, target: TargetSpec
) -> NDArray[np.float64]:
    """Give the series' log-probabilities, shape (n_rows, 3)."""
    ewma_sigma = np.exp(pick(values, ("log_ewma",))[:, 0].astype(np.float64) / 2)
    return barrier_log_probabilities(sigma, ewma_sigma, target)


def correct_series(
    raw: NDArray[np.float64], y: NDArray[np.int64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Recalibrate the series on past rows, and give the log-probabilities of others, shape (n_asked, 3).

    With too few past rows the series is taken as it is.
    """
    if len(y) < CALIBRATION_ROWS_MIN:
        return asked
    ridge = np.full(raw.shape[1] - 1, RECALIBRATION_RIDGE)
    with threadpool_limits(limits=1):
        return fit_correction(centred(raw), raw, y, ridge).correct(centred(asked), asked)


def learnable_rows(date: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Give the positions of the rows that members learn from: those of each fifth session."""
    return thin(date, EVERY_DAYS, anchor=np.datetime64(LEARN_ANCHOR, "D"))


def _forecasts(
    rows: BarrierRows,
    sessions: NDArray[np.datetime64],
    matured: NDArray[np.intp],
    learnable: NDArray[np.bool_],
    seed: int,
    report: Callable[[str], None],
    memo: Memo,
) -> tuple[dict[str, NDArray[np.float64]], VolatilityForecaster]:
    sigma = {source: np.empty(len(rows.date)) for source in SOURCES}
    for start, block in calendar_blocks(rows.date, YEAR):
        report(f"volatility {start.astype('datetime64[Y]')}")
        known = learnable & (matured < np.searchsorted(sessions, start))
        made_of = (rows.values[known], rows.forward_variance[known], rows.values[block])
        forecasts = memo(f"volatility {seed}", made_of, partial(_forecast, *made_of, seed))
        for source, forecast in forecasts.items():
            sigma[source][block] = forecast
    last = fit_forecaster(rows.values[learnable], rows.forward_variance[learnable], seed=seed)
    return sigma, last


def _forecast(
    values: Values, forward_variance: NDArray[np.float64], asked: Values, seed: int
) -> Mapping[str, NDArray[np.float64]]:
    return fit_forecaster(values, forward_variance, seed=seed).sigmas(asked)


def _history(
    rows: BarrierRows,
    name: str,
    raw: NDArray[np.float64],
    sessions: NDArray[np.datetime64],
    matured: NDArray[np.intp],
    learnable: NDArray[np.bool_],
    memo: Memo,
) -> tuple[NDArray[np.float64], MemberFit]:
    member = BARRIER_MEMBERS[name]
    inputs = pick(rows.values, member.inputs)
    log_proba = raw.copy()

    def fitted(known: NDArray[np.intp], before: MemberFit | None) -> MemberFit:
        learnt = (raw[known], inputs[known], rows.y[known])
        made_of = (*learnt, *(before.arrays().values() if before else ()))
        return MemberFit.of_arrays(memo(name, made_of, lambda: _fit(member, *learnt, before).arrays()))

    fit = None
    for start, block in calendar_blocks(rows.date, QUARTER):
        known = np.flatnonzero(learnable & (matured < np.searchsorted(sessions, start)))
        if len(known) >= CALIBRATION_ROWS_MIN:
            fit = fitted(known, fit)
            log_proba[block] = _corrected(fit, raw[block], inputs[block])
    everything = np.flatnonzero(learnable)
    return log_proba, _fit(member, raw[everything], inputs[everything], rows.y[everything], fit)


def _fit(
    member: BarrierMember,
    raw: NDArray[np.float64],
    inputs: Values,
    y: NDArray[np.int64],
    before: MemberFit | None,
) -> MemberFit:
    known = np.where(np.isnan(inputs), 0.0, inputs.astype(np.float64))
    count = np.maximum((~np.isnan(inputs)).sum(axis=0), 1)
    center = known.sum(axis=0) / count
    spread = np.where(np.isnan(inputs), 0.0, known - center)
    scale = np.sqrt((spread**2).sum(axis=0) / count) + 1e-9
    ridge = np.array([RECALIBRATION_RIDGE] * (raw.shape[1] - 1) + [member.ridge] * inputs.shape[1])
    correction = fit_correction(
        _design(raw, inputs, center, scale),
        raw,
        y,
        ridge,
        start=None if before is None else before.correction,
    )
    return MemberFit(center=center, scale=scale, correction=correction)


def _corrected(fit: MemberFit, raw: NDArray[np.float64], inputs: Values) -> NDArray[np.float64]:
    return fit.correction.correct(_design(raw, inputs, fit.center, fit.scale), raw)


def _design(
    raw: NDArray[np.float64], inputs: Values, center: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the series' own log-probabilities and the standardised inputs; what is not known is average."""
    deviations = np.nan_to_num((inputs.astype(np.float64) - center) / scale)
    clipped = np.clip(deviations, -STANDARD_DEVIATIONS_MAX, STANDARD_DEVIATIONS_MAX)
    return np.concatenate([centred(raw), clipped], axis=1)
