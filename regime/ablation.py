"""What one ingredient of a training run was worth: the same rows predicted with it and without it.

A row's two losses are subtracted before anything is averaged: what both models find hard cancels, and the
interval is that of the difference. A positive difference means that the ingredient helped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypedDict, cast

import numpy as np

from regime.bootstrap import DAYS_MIN, Interval, mean_interval
from regime.codes import regime_codes
from regime.errors import RegimeError
from regime.scorecard import ROWS_MIN
from regime.scoring import SUM_TOLERANCE, PredictionsInvalidError, log_losses
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

JSON_FORMAT: Final = 1
MILLI: Final = 1000.0
INGREDIENTS: Final[Mapping[str, str]] = {
    "weights": "weights",
    "archive": "archive rows",
    "sampling": "over-sampled rows",
}
"""What the sentence of an ablation calls each choice that training takes apart."""


class AblationInvalidError(RegimeError):
    """What was stored is no ablation."""


class EstimateJson(TypedDict):
    """``Estimate`` as plain JSON; without an interval ``low``, ``high`` and ``level`` are null."""

    mean: float
    low: float | None
    high: float | None
    level: float | None


class DifferenceJson(TypedDict):
    """``Difference`` as plain JSON; null where it is not known."""

    rows: int
    days: int
    log_loss: EstimateJson | None
    accuracy_points: EstimateJson | None


class AblationJson(TypedDict):
    """``Ablation`` as plain JSON."""

    format: int
    overall: DifferenceJson
    regimes: dict[str, DifferenceJson]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over rows and its interval by days; ``None`` where the bootstrap has no interval."""

    mean: float
    interval: Interval | None

    @property
    def sign(self) -> int:
        """1 if the whole interval is above 0, -1 if it is below, else 0: which of both is not known."""
        if self.interval is None:
            return 0
        return int(self.interval.low > 0) - int(self.interval.high < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What the ingredient changed on a group of rows.

    Parameters
    ----------
    rows, days
        How many rows, and how many different days they are on.
    log_loss
        Mean log-loss without it less that with it, in nats a row; ``None`` with fewer than 40 days or 200
        rows.
    accuracy_points
        Accuracy with it less that without it, in percentage points; ``None`` likewise.
    """

    rows: int
    days: int
    log_loss: Estimate | None
    accuracy_points: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """What the ingredient changed on all rows, and within each of the five regimes."""

    overall: Difference
    regimes: Mapping[Regime, Difference]

    def said(self, what: str) -> str:
        """Give the finding as a sentence for people; ``what`` names the ingredient as a plural.

        Regimes are named where the interval leaves out 0, and where there is too little to say.
        """
        if self.overall.log_loss is None:
            return (
                f"what {what} did is not known: {self.overall.rows} rows on {self.overall.days} days,"
                f" {ROWS_MIN} on {DAYS_MIN} are needed"
            )
        estimates = {regime: each.log_loss for regime, each in self.regimes.items()}
        parts = [f"{what} {_effect(self.overall.log_loss)}"]
        for sign in (1, -1):
            found = [
                f"{regime} {_amount(each, sign)}"
                for regime, each in estimates.items()
                if each is not None and each.sign == sign
            ]
            if found:
                parts.append(f"{'gained' if sign > 0 else 'cost'} in {' and '.join(found)}")
        silent = [regime.value for regime, each in estimates.items() if each is None]
        parts += [f"too few rows in {', '.join(silent)}"] if silent else []
        return "; ".join(parts)

    def to_json(self) -> AblationJson:
        """Give the ablation as plain JSON values."""
        return {
            "format": JSON_FORMAT,
            "overall": _difference_to_json(self.overall),
            "regimes": {regime.value: _difference_to_json(each) for regime, each in self.regimes.items()},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Ablation:
        """Give the ablation that ``to_json`` stored.

        Raises
        ------
        AblationInvalidError
            If it is of another format, or incomplete.
        """
        if stored.get("format") != JSON_FORMAT:
            raise AblationInvalidError(
                f"ablation of format {stored.get('format')!r}, this version reads {JSON_FORMAT}; train again"
            )
        try:
            known = cast("AblationJson", stored)
            return cls(
                overall=_difference_of_json(known["overall"]),
                regimes={regime: _difference_of_json(known["regimes"][regime.value]) for regime in REGIMES},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise AblationInvalidError(f"stored ablation is broken ({error!r}); train again") from error


def paired_difference(
    date: NDArray[np.datetime64],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    with_it: NDArray[np.floating],
    without_it: NDArray[np.floating],
    *,
    rng: np.random.Generator,
) -> Ablation:
    """Compare two models on the same out-of-sample rows, one fitted with an ingredient and one without.

    Intervals are circular-block-bootstrap intervals of 95 % over days, in blocks of 20; all rows of a day
    are drawn together. The order of the rows does not matter.

    Parameters
    ----------
    date, regime, truth
        Shape (n_rows,): day, regime as known at that close, and the class id that came true. Rows of
        ``unknown`` count overall and in no regime.
    with_it, without_it
        Shape (n_rows, n_classes): probabilities from both models.
    rng
        Source of chance of the intervals; the same state gives the same ones.

    Raises
    ------
    PredictionsInvalidError
        If shapes differ, a truth is no class id, or a row's probabilities are not finite or not of sum 1.

    >>> days = np.repeat(np.arange("2024-01-01", "2024-02-20", dtype="datetime64[D]"), 5)
    >>> better, worse = np.tile([0.5, 0.5], (250, 1)), np.tile([0.25, 0.75], (250, 1))
    >>> ablation = paired_difference(days, np.full(250, "crash"), np.zeros(250, dtype=int), better, worse,
    ...                              rng=np.random.default_rng(1))
    >>> round(ablation.regimes[Regime.CRASH].log_loss.mean, 3)
    0.693
    """
    _check(date, regime, truth, with_it, without_it)
    gain = log_losses(truth, without_it) - log_losses(truth, with_it)
    points = 100.0 * (_is_hit(truth, with_it) - _is_hit(truth, without_it))
    # Within a day by size, so that no sum depends on the order in which the rows came.
    order = np.lexsort((gain, date))
    days, day = np.unique(date[order], return_inverse=True)
    rows = _Rows(day=day, days=len(days), gain=gain[order], points=points[order], rng=rng)
    codes = regime_codes(regime)[order]
    return Ablation(
        overall=rows.difference(np.ones(len(day), dtype=bool)),
        regimes={each: rows.difference(codes == code) for code, each in enumerate(REGIMES)},
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """Rows by day: the position of the day of each, and what each gained."""

    day: NDArray[np.intp]
    days: int
    gain: NDArray[np.float64]
    points: NDArray[np.float64]
    rng: np.random.Generator

    def difference(self, inside: NDArray[np.bool_]) -> Difference:
        """Give the difference on the rows ``inside``."""
        rows = self._by_day(inside.astype(np.float64))
        days = int(np.count_nonzero(rows))
        is_known = days >= DAYS_MIN and rows.sum() >= ROWS_MIN
        return Difference(
            rows=int(rows.sum()),
            days=days,
            log_loss=self._estimate(self.gain * inside, rows) if is_known else None,
            accuracy_points=self._estimate(self.points * inside, rows) if is_known else None,
        )

    def _estimate(self, column: NDArray[np.float64], rows: NDArray[np.float64]) -> Estimate:
        total = self._by_day(column)
        return Estimate(mean=float(total.sum() / rows.sum()), interval=mean_interval(total, rows, self.rng))

    def _by_day(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(self.day, weights=column, minlength=self.days).astype(np.float64)


def _is_hit(truth: NDArray[np.integer], proba: NDArray[np.floating]) -> NDArray[np.float64]:
    hits: NDArray[np.float64] = (proba.argmax(axis=1) == truth).astype(np.float64)
    return hits


def _effect(estimate: Estimate) -> str:
    """Say what happened to all rows: a gain, a cost, or neither for sure."""
    match estimate.sign:
        case 1:
            return f"gained {_amount(estimate, 1, ' in all')}"
        case -1:
            return f"cost {_amount(estimate, -1, ' in all')}"
        case _:
            return f"changed nothing for sure, {_amount(estimate, 1, ' in all')}"


def _amount(estimate: Estimate, sign: int, where: str = "") -> str:
    """Give the size in thousandths of a nat; with ``sign`` -1 as a cost."""
    mean = f"{sign * estimate.mean * MILLI:.1f}e-3 nats{where}"
    if estimate.interval is None:
        return mean
    bounds = sorted(sign * each * MILLI for each in (estimate.interval.low, estimate.interval.high))
    return f"{mean} [{bounds[0]:.1f}, {bounds[1]:.1f}]"


def _difference_to_json(difference: Difference) -> DifferenceJson:
    return {
        "rows": difference.rows,
        "days": difference.days,
        "log_loss": _estimate_to_json(difference.log_loss),
        "accuracy_points": _estimate_to_json(difference.accuracy_points),
    }


def _estimate_to_json(estimate: Estimate | None) -> EstimateJson | None:
    if estimate is None:
        return None
    if (interval := estimate.interval) is None:
        return {"mean": estimate.mean, "low": None, "high": None, "level": None}
    return {"mean": estimate.mean, "low": interval.low, "high": interval.high, "level": interval.level}


def _difference_of_json(stored: DifferenceJson) -> Difference:
    return Difference(
        rows=stored["rows"],
        days=stored["days"],
        log_loss=_estimate_of_json(stored["log_loss"]),
        accuracy_points=_estimate_of_json(stored["accuracy_points"]),
    )


def _estimate_of_json(stored: EstimateJson | None) -> Estimate | None:
    if stored is None:
        return None
    low, high, level = stored["low"], stored["high"], stored["level"]
    if low is None or high is None or level is None:
        return Estimate(mean=stored["mean"], interval=None)
    return Estimate(mean=stored["mean"], interval=Interval(low=low, high=high, level=level))


def _check(
    date: NDArray[np.datetime64],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    with_it: NDArray[np.floating],
    without_it: NDArray[np.floating],
) -> None:
    lengths = {"date": len(date), "regime": len(regime), "truth": len(truth)}
    if len({*lengths.values(), len(with_it)}) > 1 or with_it.shape != without_it.shape:
        raise PredictionsInvalidError(
            f"columns have lengths {lengths} and probabilities shapes {with_it.shape} and {without_it.shape};"
            " give both models' probabilities of the same rows"
        )
    if ((truth < 0) | (truth >= with_it.shape[1])).any():
        raise PredictionsInvalidError(
            f"a truth is no class id of {with_it.shape[1]}; compare only rows whose target has matured"
        )
    for name, proba in (("with it", with_it), ("without it", without_it)):
        is_sound = (proba >= 0).all(axis=1)
        is_sound &= np.abs(proba.sum(axis=1, dtype=np.float64) - 1) <= SUM_TOLERANCE
        if not is_sound.all():
            raise PredictionsInvalidError(
                f"{name}, row {int(is_sound.argmin())}: probabilities are negative, missing or not of sum 1"
                f" within {SUM_TOLERANCE:g}; leave such rows out"
            )
