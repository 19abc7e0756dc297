"""How far stated probabilities can be taken at their word, as counts and sums by bin, class and regime.

Each class is judged as an event of its own: it came true or it did not. Curves, calibration errors and
decompositions are made of the counts and sums when somebody asks; what rests on too little is ``None``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date as calendar_day
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from regime.bootstrap import DAYS_MIN
from regime.codes import CODED_REGIMES, regime_codes
from regime.errors import RegimeError
from regime.scorecard import ROWS_MIN
from regime.types import Regime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

BINS: Final = 10
"""Bins of equal width: probability p is in bin floor(10 p), and 1 in the last."""

JSON_FORMAT: Final = 1


class ReliabilityInvalidError(RegimeError):
    """Probabilities can't be judged, two tables can't be added, or what was stored is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One filled bin of a curve: mean probability, share of rows that came true, and rows."""

    probability: float
    frequency: float
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """The parts of the Brier score of one event (Murphy 1973, equation 21), each bin speaking by its mean.

    ``reliability`` is the mean squared gap between probability and frequency (0 is best), ``resolution`` the
    mean squared distance of the bins' frequencies from the overall one (more is better), ``uncertainty``
    the variance of the outcome. Brier = reliability - resolution + uncertainty, but for what probabilities
    within a bin differ.
    """

    reliability: float
    resolution: float
    uncertainty: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """One class on some rows, bin by bin: rows, sum of its probability, rows on which it came true.

    >>> rows, sums, hits = (0, 8, 0, 0, 0, 0, 0, 0, 0, 2), (0, 0.8, 0, 0, 0, 0, 0, 0, 0, 2.0), (0,) * 9 + (2,)
    >>> bins = Bins(rows=rows, probability=sums, hits=hits)
    >>> round(bins.calibration_error(), 2), round(bins.decomposition().resolution, 2)
    (0.08, 0.16)
    """

    rows: tuple[int, ...]
    probability: tuple[float, ...]
    hits: tuple[int, ...]

    def __add__(self, other: Bins) -> Bins:
        return Bins(
            rows=tuple(a + b for a, b in zip(self.rows, other.rows, strict=True)),
            probability=tuple(a + b for a, b in zip(self.probability, other.probability, strict=True)),
            hits=tuple(a + b for a, b in zip(self.hits, other.hits, strict=True)),
        )

    def curve(self) -> tuple[Point, ...]:
        """Give the filled bins in ascending order of probability."""
        bins = zip(self.rows, self.probability, self.hits, strict=True)
        return tuple(
            Point(probability=probability / rows, frequency=hits / rows, rows=rows)
            for rows, probability, hits in bins
            if rows
        )

    def calibration_error(self) -> float | None:
        """Give the mean over rows of the gap between a bin's probability and its frequency, 0 to 1.

        Expected calibration error, Naeini et al. (2015), of one class; ``None`` without rows.
        """
        gaps = [
            abs(probability - hits) for probability, hits in zip(self.probability, self.hits, strict=True)
        ]
        return sum(gaps) / sum(self.rows) if any(self.rows) else None

    def decomposition(self) -> Decomposition | None:
        """Give reliability, resolution and uncertainty; ``None`` without rows."""
        whole = sum(self.rows)
        if not whole:
            return None
        base = sum(self.hits) / whole
        curve = self.curve()
        return Decomposition(
            reliability=sum(at.rows * (at.probability - at.frequency) ** 2 for at in curve) / whole,
            resolution=sum(at.rows * (at.frequency - base) ** 2 for at in curve) / whole,
            uncertainty=base * (1 - base),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """The bins of a model and its baselines on the same rows.

    Parameters
    ----------
    classes
        Class names in the order of the probability columns.
    days
        By regime, ``unknown`` included, the ascending days that have a row in it. Days are kept, not their
        number, because rows of one day may come from two tables.
    predictors
        By predictor and regime, the bins of each class.
    """

    classes: tuple[str, ...]
    days: Mapping[Regime, tuple[calendar_day, ...]]
    predictors: Mapping[str, Mapping[Regime, tuple[Bins, ...]]]

    def days_in(self, regime: Regime | None = None) -> int:
        """Give the number of days with a row in the regime, or with any row."""
        if regime is not None:
            return len(self.days[regime])
        return len({day for days in self.days.values() for day in days})

    def bins(self, predictor: str, regime: Regime | None = None) -> tuple[Bins, ...] | None:
        """Give the bins of each class in a regime, or on all rows.

        ``None`` where the evidence is insufficient: fewer than 200 rows or 40 days.

        Raises
        ------
        ReliabilityInvalidError
            If there is no such predictor.
        """
        if predictor not in self.predictors:
            raise ReliabilityInvalidError(f"there is no {predictor!r}; known: {', '.join(self.predictors)}")
        by_regime = self.predictors[predictor]
        found = reduce(_added, by_regime.values()) if regime is None else by_regime[regime]
        is_enough = sum(found[0].rows) >= ROWS_MIN and self.days_in(regime) >= DAYS_MIN
        return found if is_enough else None

    def calibration_error(self, predictor: str, regime: Regime | None = None) -> float | None:
        """Give the expected calibration error, the mean over the classes (Kull et al. 2019), 0 to 1.

        ``None`` where the evidence is insufficient.
        """
        bins = self.bins(predictor, regime)
        if bins is None:
            return None
        errors = [error for each in bins if (error := each.calibration_error()) is not None]
        return sum(errors) / len(errors)

    def __add__(self, other: Reliability) -> Reliability:
        """Give the table of both sets of rows, which must be disjoint.

        Raises
        ------
        ReliabilityInvalidError
            If classes or predictors differ.
        """
        if self.classes != other.classes or self.predictors.keys() != other.predictors.keys():
            raise ReliabilityInvalidError(
                f"{self.classes} of {sorted(self.predictors)} and"
                f" {other.classes} of {sorted(other.predictors)}"
                " do not add up; measure both with the same target and baselines"
            )
        return Reliability(
            classes=self.classes,
            days={regime: tuple(sorted({*days, *other.days[regime]})) for regime, days in self.days.items()},
            predictors={
                name: {regime: _added(bins, other.predictors[name][regime]) for regime, bins in own.items()}
                for name, own in self.predictors.items()
            },
        )

    def to_json(self) -> dict[str, Any]:
        """Give the table as plain JSON values: counts, sums and days, no ratios."""
        return {
            "format": JSON_FORMAT,
            "classes": list(self.classes),
            "days": {regime.value: [day.isoformat() for day in days] for regime, days in self.days.items()},
            "predictors": {
                name: {regime.value: [_bins_to_json(each) for each in bins] for regime, bins in own.items()}
                for name, own in self.predictors.items()
            },
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> Reliability:
        """Give the table that ``to_json`` stored.

        Raises
        ------
        ReliabilityInvalidError
            If it is of another format, or incomplete.
        """
        if stored.get("format") != JSON_FORMAT:
            raise ReliabilityInvalidError(
                f"reliability of format {stored.get('format')!r}, {JSON_FORMAT} is read here; train again"
            )
        try:
            return _reliability_of_json(stored)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReliabilityInvalidError(
                f"stored reliability is broken ({error!r}); restore the registry or train again"
            ) from error


def measure_reliability(
    date: NDArray[np.datetime64],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    predictors: Mapping[str, NDArray[np.floating]],
    classes: Sequence[str],
) -> Reliability:
    """Give the bins of what was predicted; the order of rows doesn't matter.

    Parameters
    ----------
    date, regime
        Shape (n_rows,): day of each row, and the regime as known at its close.
    truth
        Shape (n_rows,): the class id that came true; only matured rows can be judged.
    predictors
        By name, shape (n_rows, n_classes): probabilities in [0, 1], made before the truth was known.
    classes
        Class names in the order of the columns.

    Raises
    ------
    ReliabilityInvalidError
        If shapes differ, or a truth or probability is not valid.

    >>> days = np.arange("2024-01-01", "2024-09-17", dtype="datetime64[D]")
    >>> proba = np.tile([0.25, 0.75], (len(days), 1))
    >>> truth = (np.arange(len(days)) % 4 > 0).astype(int)
    >>> found = measure_reliability(days, np.full(260, "normal"), truth, {"coin": proba}, ("down", "up"))
    >>> found.calibration_error("coin"), found.calibration_error("coin", Regime.CRASH)
    (0.0, None)
    """
    _check(date, regime, truth, predictors, classes)
    codes = regime_codes(regime)
    return Reliability(
        classes=tuple(classes),
        days={each: _days(date[codes == code]) for code, each in enumerate(CODED_REGIMES)},
        predictors={name: _by_regime(codes, truth, proba) for name, proba in predictors.items()},
    )


def _by_regime(
    codes: NDArray[np.intp], truth: NDArray[np.integer], proba: NDArray[np.floating]
) -> dict[Regime, tuple[Bins, ...]]:
    columns = [
        _of_class(codes, truth == column, proba[:, column].astype(np.float64))
        for column in range(proba.shape[1])
    ]
    return dict(zip(CODED_REGIMES, zip(*columns, strict=True), strict=True))


def _of_class(
    codes: NDArray[np.intp], is_hit: NDArray[np.bool_], probability: NDArray[np.float64]
) -> list[Bins]:
    """Give the bins of one class, regime by regime."""
    order = np.argsort(probability)  # so that no sum depends on the order of the rows
    bins = np.minimum((probability * BINS).astype(np.intp), BINS - 1)
    cell = (codes * BINS + bins)[order]
    rows, sums, hits = (
        np.bincount(cell, weights=weights, minlength=len(CODED_REGIMES) * BINS).reshape(-1, BINS)
        for weights in (None, probability[order], is_hit[order].astype(np.float64))
    )
    return [
        Bins(
            rows=tuple(rows[code].tolist()),
            probability=tuple(sums[code].tolist()),
            hits=tuple(hits[code].astype(np.intp).tolist()),
        )
        for code in range(len(CODED_REGIMES))
    ]


def _added(first: tuple[Bins, ...], second: tuple[Bins, ...]) -> tuple[Bins, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _days(date: NDArray[np.datetime64]) -> tuple[calendar_day, ...]:
    return tuple(np.unique(date).astype("datetime64[D]").tolist())


def _check(
    date: NDArray[np.datetime64],
    regime: NDArray[np.str_],
    truth: NDArray[np.integer],
    predictors: Mapping[str, NDArray[np.floating]],
    classes: Sequence[str],
) -> None:
    if len({len(date), len(regime), len(truth)}) > 1:
        raise ReliabilityInvalidError(
            f"there are {len(date)} days, {len(regime)} regimes and {len(truth)} truths;"
            " give each row all three"
        )
    if ((truth < 0) | (truth >= len(classes))).any():
        raise ReliabilityInvalidError(
            f"a truth is no class id of {tuple(classes)}; judge only rows whose target has matured"
        )
    for name, proba in predictors.items():
        if proba.shape != (len(truth), len(classes)):
            raise ReliabilityInvalidError(
                f"{name} has shape {proba.shape}, not {(len(truth), len(classes))};"
                " give every class of every row"
            )
        # NaN compares false with everything, so that a missing probability fails here too.
        if not ((proba >= 0) & (proba <= 1)).all():
            raise ReliabilityInvalidError(
                f"{name} has a probability that is missing or outside 0 to 1; leave such rows out"
            )


def _bins_to_json(bins: Bins) -> dict[str, Any]:
    return {name: list(column) for name, column in asdict(bins).items()}


def _reliability_of_json(stored: Mapping[str, Any]) -> Reliability:
    return Reliability(
        classes=tuple(stored["classes"]),
        days={
            regime: tuple(map(calendar_day.fromisoformat, stored["days"][regime.value])) for regime in Regime
        },
        predictors={
            name: {
                regime: tuple(
                    Bins(
                        rows=tuple(each["rows"]),
                        probability=tuple(each["probability"]),
                        hits=tuple(each["hits"]),
                    )
                    for each in own[regime.value]
                )
                for regime in Regime
            }
            for name, own in stored["predictors"].items()
        },
    )
