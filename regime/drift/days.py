"""What monitors are given of one day, and how to get it from the shared tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from regime.errors import FeatureMismatchError
from regime.types import REGIMES, Regime

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from regime.types import FeatureTable, RegimeSeries

UNKNOWN_CODE: Final = len(REGIMES)
"""Stands for a day without a regime where days are held as positions in ``REGIMES``."""

ABSOLUTE_RETURN: Final = "mean_absolute_return"
DISPERSION: Final = "cross_sectional_dispersion"
UNKNOWN_SHARE: Final = "unknown_share"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeDay:
    """One day and the regime that its close was given."""

    date: dt.date
    regime: Regime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureDay:
    """One day's regime and features: ``values`` has shape (n_symbols, n_features), NaN is not known.

    Raises
    ------
    FeatureMismatchError
        If ``values`` has not one column for each of ``names``.
    """

    date: dt.date
    regime: Regime
    names: tuple[str, ...]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.names):  # noqa: PLR2004 - rows, columns
            raise FeatureMismatchError(
                f"{self.date}: values have shape {self.values.shape} for {len(self.names)} names;"
                " give one row a symbol and one column a feature"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateDay:
    """One day's aggregates over all symbols, by name; ``None`` is not known."""

    date: dt.date
    values: Mapping[str, float | None]


def regime_days(labels: RegimeSeries) -> tuple[RegimeDay, ...]:
    """Give the days of one market's labels, in date order."""
    return tuple(
        RegimeDay(date=date.item(), regime=regime)
        for date, regime in zip(labels.date, labels.regime, strict=True)
    )


def rows_by_day(date: NDArray[np.datetime64]) -> dict[dt.date, NDArray[np.intp]]:
    """Give the positions of each day's rows, days in order.

    >>> days = np.array(["2024-01-03", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")
    >>> {str(day): rows.tolist() for day, rows in rows_by_day(days).items()}
    {'2024-01-02': [1], '2024-01-03': [0, 2]}
    """
    order = np.argsort(date, kind="stable")
    days, starts = np.unique(date[order], return_index=True)
    return dict(zip(days.tolist(), np.split(order, starts[1:]), strict=True))


def feature_days(table: FeatureTable, labels: RegimeSeries) -> Iterator[FeatureDay]:
    """Give the days of ``table`` in date order, each with the regime of ``labels``, else ``unknown``."""
    regime_of = dict(zip(labels.date.tolist(), labels.regime, strict=True))
    for date, rows in rows_by_day(table.date).items():
        yield FeatureDay(
            date=date,
            regime=regime_of.get(date, Regime.UNKNOWN),
            names=table.names,
            values=table.values[rows].astype(np.float64),
        )


def aggregate_day(date: dt.date, returns: NDArray[np.float64], values: NDArray[np.float64]) -> AggregateDay:
    """Give the aggregates of one day's returns, shape (n_symbols,), and features.

    The mean absolute return, the standard deviation of returns across symbols, which needs two of
    them, and the share of feature values that are not finite. Returns are fractions; one that is not
    finite is not known and left out.

    >>> import datetime as dt
    >>> day = aggregate_day(dt.date(2024, 1, 2), np.array([0.01, -0.03]), np.array([[1.0, np.nan]]))
    >>> {name: round(value, 3) for name, value in day.values.items()}
    {'mean_absolute_return': 0.02, 'cross_sectional_dispersion': 0.02, 'unknown_share': 0.5}
    """
    known = returns[np.isfinite(returns)]
    return AggregateDay(
        date=date,
        values={
            ABSOLUTE_RETURN: float(np.abs(known).mean()) if known.size else None,
            DISPERSION: float(known.std()) if known.size > 1 else None,
            UNKNOWN_SHARE: float(1.0 - np.isfinite(values).mean()) if values.size else None,
        },
    )


def regime_code(regime: Regime) -> int:
    """Give the position of ``regime`` in ``REGIMES``, or ``UNKNOWN_CODE``.

    >>> regime_code(Regime.RECOVERY), regime_code(Regime.UNKNOWN)
    (1, 5)
    """
    return UNKNOWN_CODE if regime is Regime.UNKNOWN else REGIMES.index(regime)


def regime_mix(codes: NDArray[np.uint8]) -> dict[str, float]:
    """Give the share of each regime that occurs among ``codes``, shape (n_days,).

    >>> regime_mix(np.array([0, 3, 3, 5], dtype=np.uint8))
    {'crash': 0.25, 'normal': 0.5, 'unknown': 0.25}
    """
    counts = np.bincount(codes, minlength=UNKNOWN_CODE + 1)
    named = zip((*REGIMES, Regime.UNKNOWN), counts.tolist(), strict=True)
    return {regime.value: count / len(codes) for regime, count in named if count}


def check_names(expected: Sequence[str], given: Sequence[str]) -> None:
    """Refuse features with other names or another order than the reference has.

    Raises
    ------
    FeatureMismatchError
        If they differ.
    """
    if tuple(expected) != tuple(given):
        missing = sorted(set(expected) - set(given))
        added = sorted(set(given) - set(expected))
        raise FeatureMismatchError(
            f"the reference has {len(expected)} features, the day {len(given)}; missing: {missing[:5]},"
            f" new: {added[:5]}, else in another order; fit a new reference"
        )
