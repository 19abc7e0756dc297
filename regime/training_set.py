"""The rows a model is trained and judged on: features, regime and matured target of (symbol, day)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from regime.errors import FeatureMismatchError, HistoryTooShortError, RegimeError
from regime.types import REGIMES, Regime, TargetSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from regime.barrier.inputs import VolatilityInputs
    from regime.targets import TargetTable
    from regime.types import Bars, FeatureTable, RegimeSeries

UNKNOWN_SHARE_MAX: Final = 0.25
"""A row with a larger share of unknown features is still warming up. Early in a history the year-long
look-backs are unknown; a market without a fear index lacks only the few features made of it."""

_REGIME_NAMES: Final = np.array([regime.value for regime in REGIMES])
_DAY: Final = np.dtype("datetime64[D]")


class TrainingSetInvalidError(RegimeError):
    """The columns of a training set contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingSet:
    """Checked training rows, sorted by (date, symbol), without duplicates.

    Parameters
    ----------
    symbol, date
        Shape (n_rows,): what and at which day's close (datetime64[D]).
    X
        float32, shape (n_rows, n_features); NaN where a feature is not known. Known at that close.
    y
        int64, shape (n_rows,): class id of the target. Known at ``label_end``.
    regime
        Shape (n_rows,): the provisional label of the day, one of the five. Known at that close.
    label_end, horizon_end
        datetime64[D], shape (n_rows,): the day the label was decided, and the end of its full horizon.
    feature_names, feature_hash
        The columns of ``X`` and the hash of the catalogue that made them.
    labeler
        Name and version of what labelled the regimes.
    target
        What ``y`` is.
    volatility
        float32, shape (n_rows, len(regime.barrier.inputs.COLUMNS)), or ``None``: inputs of the volatility
        forecasts. Known at the close.
    forward_variance
        float64, shape (n_rows,): the mean daily variance over the horizon. Known at ``horizon_end``.

    Raises
    ------
    TrainingSetInvalidError
        If lengths, order, class ids, regimes or dates contradict each other.
    FeatureMismatchError
        If a feature is infinite, or ``X`` has not one column a name.
    """

    symbol: NDArray[np.str_]
    date: NDArray[np.datetime64]
    X: NDArray[np.float32]
    y: NDArray[np.int64]
    regime: NDArray[np.str_]
    label_end: NDArray[np.datetime64]
    horizon_end: NDArray[np.datetime64]
    feature_names: tuple[str, ...]
    feature_hash: str
    labeler: str
    target: TargetSpec
    volatility: NDArray[np.float32] | None = None
    forward_variance: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        _check_columns(self)
        _check_features(self)
        _check_order(self)
        _check_outcomes(self)

    def __len__(self) -> int:
        return len(self.date)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Give the set of some rows, by ascending positions or by a mask."""
        return type(self)(
            symbol=self.symbol[rows],
            date=self.date[rows],
            X=self.X[rows],
            y=self.y[rows],
            regime=self.regime[rows],
            label_end=self.label_end[rows],
            horizon_end=self.horizon_end[rows],
            feature_names=self.feature_names,
            feature_hash=self.feature_hash,
            labeler=self.labeler,
            target=self.target,
            volatility=None if self.volatility is None else self.volatility[rows],
            forward_variance=None if self.forward_variance is None else self.forward_variance[rows],
        )

    def data_hash(self) -> str:
        """Give the SHA-256 of everything in the set, the same on every machine.

        Every kind of NaN hashes the same; strings hash by their characters, not by the width of the
        array that holds them.
        """
        digest = hashlib.sha256()
        facts = [self.feature_names, self.feature_hash, self.labeler, asdict(self.target), self.X.shape]
        digest.update(json.dumps(facts, sort_keys=True).encode())
        for column in (self.symbol, self.regime):
            digest.update(json.dumps(column.tolist()).encode())
        for day in (self.date, self.label_end, self.horizon_end):
            digest.update(day.astype("<i8").tobytes())
        digest.update(self.y.astype("<i8").tobytes())
        for values, kind in ((self.X, "<f4"), (self.volatility, "<f4"), (self.forward_variance, "<f8")):
            if values is not None:
                digest.update(np.where(np.isnan(values), np.nan, values).astype(kind).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSetAccount:
    """What became of every row of the feature table.

    A row is left out for the first reason that holds, so that the counts add up to ``rows_in``.
    ``features_unknown`` names features without a single value among the rows kept.
    """

    rows_in: int
    warming_up: int
    regime_unknown: int
    target_not_matured: int
    rows_out: int
    rows_by_regime: Mapping[Regime, int]
    rows_by_class: Mapping[str, int]
    features_unknown: tuple[str, ...]

    def regimes_absent(self) -> tuple[Regime, ...]:
        """Give the regimes that no row has: nothing can be learnt or said about them."""
        return tuple(regime for regime, rows in self.rows_by_regime.items() if not rows)


def build_training_set(
    features: FeatureTable,
    bars: Bars,
    targets: TargetTable,
    labels: RegimeSeries,
    *,
    feature_hash: str,
    volatility: VolatilityInputs | None = None,
    unknown_share_max: float = UNKNOWN_SHARE_MAX,
) -> tuple[TrainingSet, TrainingSetAccount]:
    """Join features, regimes and targets, and leave out every row that cannot train.

    Left out are rows of which more than ``unknown_share_max`` of the features are unknown, rows whose
    day has no label or the label ``unknown``, and rows whose target's full horizon is not over: taking
    those that touched a barrier early would select by outcome.

    Parameters
    ----------
    features
        Rows in any number, each of which has a bar.
    bars, targets
        Bars and their targets, row by row.
    labels
        The market's regimes by day; rows take the label of their own day.
    feature_hash
        Hash of the catalogue that the run is about; other features are refused.
    volatility
        Inputs of the volatility forecasts, row by row with the bars; without them there is no barrier.

    Raises
    ------
    FeatureMismatchError
        If the features were made by another catalogue, or a value is infinite.
    TrainingSetInvalidError
        If bars and targets have different lengths, or a feature row has no bar.
    HistoryTooShortError
        If no row is left; the sentence says why.
    """
    check_feature_hash(features.catalogue_hash, feature_hash)
    if len(bars) != len(targets):
        raise TrainingSetInvalidError(
            f"there are {len(bars)} bars and {len(targets)} targets; compute the targets of these bars"
        )
    bar_rows = rows_of_bars(features, bars)
    regime = _regimes_of_days(features.date, labels)
    warming_up = np.isnan(features.values).mean(axis=1) > unknown_share_max
    unknown = ~np.isin(regime, _REGIME_NAMES) & ~warming_up
    immature = ~targets.matured[bar_rows] & ~warming_up & ~unknown
    kept = np.flatnonzero(~(warming_up | unknown | immature))
    kept = kept[np.lexsort((features.symbol[kept], features.date[kept]))]
    if not len(kept):
        raise HistoryTooShortError(
            f"none of {len(features)} rows can train: {int(warming_up.sum())} are warming up,"
            f" {int(unknown.sum())} have no regime, {int(immature.sum())} no matured target;"
            " give a longer history"
        )
    training_set = TrainingSet(
        symbol=features.symbol[kept],
        date=features.date[kept],
        X=_as_float32(features, kept),
        y=targets.label[bar_rows[kept]].astype(np.int64),
        regime=regime[kept],
        label_end=targets.label_end[bar_rows[kept]],
        horizon_end=targets.horizon_end[bar_rows[kept]],
        feature_names=features.names,
        feature_hash=features.catalogue_hash,
        labeler=labels.labeler,
        target=targets.spec,
        volatility=None if volatility is None else volatility.values[bar_rows[kept]].astype(np.float32),
        forward_variance=None if volatility is None else volatility.forward_variance[bar_rows[kept]],
    )
    account = _account(training_set, len(features), warming_up, unknown, immature)
    return training_set, account


def check_feature_hash(found: str, expected: str) -> None:
    """Refuse features that another catalogue made.

    Raises
    ------
    FeatureMismatchError
        If the hashes differ.
    """
    if found != expected:
        raise FeatureMismatchError(
            f"the features are of catalogue {found[:12]}, {expected[:12]} is needed;"
            " compute them again with the catalogue of this version"
        )


def rows_of_bars(features: FeatureTable, bars: Bars) -> NDArray[np.intp]:
    """Give the bar of each feature row; both are keyed by (symbol, date), and bars are sorted by it."""
    symbols = np.unique(np.concatenate((features.symbol, bars.symbol)))
    bar_keys = _keys(symbols, bars.symbol, bars.date)
    wanted = _keys(symbols, features.symbol, features.date)
    rows = np.searchsorted(bar_keys, wanted)
    missing = np.append(bar_keys, -1)[rows] != wanted
    if missing.any():
        at = int(missing.argmax())
        raise TrainingSetInvalidError(
            f"{features.symbol[at]} {features.date[at]} has features but no bar ({int(missing.sum())} such"
            " rows); compute features and targets of the same bars"
        )
    return rows


def _keys(
    symbols: NDArray[np.str_], symbol: NDArray[np.str_], date: NDArray[np.datetime64]
) -> NDArray[np.int64]:
    """Give one ascending number a (symbol, date)."""
    return (np.searchsorted(symbols, symbol).astype(np.int64) << 32) + date.astype(_DAY).astype(np.int64)


def _regimes_of_days(date: NDArray[np.datetime64], labels: RegimeSeries) -> NDArray[np.str_]:
    names = np.array([*(regime.value for regime in labels.regime), Regime.UNKNOWN.value])
    if not len(labels):
        return np.full(len(date), Regime.UNKNOWN.value)
    rows = np.minimum(np.searchsorted(labels.date, date), len(labels) - 1)
    return names[np.where(labels.date[rows] == date, rows, len(labels))]


def _as_float32(features: FeatureTable, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Narrow the values; one too large for float32 becomes infinite here, and the set refuses it by name."""
    with np.errstate(over="ignore"):
        return features.values[rows].astype(np.float32)


def _account(
    training_set: TrainingSet,
    rows_in: int,
    warming_up: NDArray[np.bool_],
    unknown: NDArray[np.bool_],
    immature: NDArray[np.bool_],
) -> TrainingSetAccount:
    no_value = np.isnan(training_set.X).all(axis=0)
    classes = training_set.target.classes
    return TrainingSetAccount(
        rows_in=rows_in,
        warming_up=int(warming_up.sum()),
        regime_unknown=int(unknown.sum()),
        target_not_matured=int(immature.sum()),
        rows_out=len(training_set),
        rows_by_regime={regime: int((training_set.regime == regime.value).sum()) for regime in REGIMES},
        rows_by_class={name: int((training_set.y == id_).sum()) for id_, name in enumerate(classes)},
        features_unknown=tuple(training_set.feature_names[column] for column in np.flatnonzero(no_value)),
    )


def _check_columns(rows: TrainingSet) -> None:
    columns = ("symbol", "date", "X", "y", "regime", "label_end", "horizon_end")
    lengths = {name: len(getattr(rows, name)) for name in columns}
    if len(set(lengths.values())) > 1:
        raise TrainingSetInvalidError(f"columns have different lengths: {lengths}")
    day = str(_DAY)
    kinds = {"X": "float32", "y": "int64", "date": day, "label_end": day, "horizon_end": day}
    found = {name: str(getattr(rows, name).dtype) for name in kinds}
    wrong = [f"{name} is {found[name]}" for name, kind in kinds.items() if found[name] != kind]
    if wrong:
        raise TrainingSetInvalidError(f"{', '.join(wrong)}; X is float32, y int64, dates are datetime64[D]")


def _check_features(rows: TrainingSet) -> None:
    if rows.X.ndim != 2 or rows.X.shape[1] != len(rows.feature_names):  # noqa: PLR2004 - a matrix
        raise FeatureMismatchError(
            f"X has shape {rows.X.shape}, but there are {len(rows.feature_names)} feature names"
        )
    infinite = np.isinf(rows.X)
    if infinite.any():
        row, column = (int(at) for at in np.argwhere(infinite)[0])
        raise FeatureMismatchError(
            f"{rows.symbol[row]} {rows.date[row]}: feature {rows.feature_names[column]} is infinite"
            f" ({int(infinite.sum())} such values); a value that is not known must be NaN"
        )


def _check_order(rows: TrainingSet) -> None:
    same_day = rows.date[1:] == rows.date[:-1]
    rising = (rows.date[1:] > rows.date[:-1]) | (same_day & (rows.symbol[1:] > rows.symbol[:-1]))
    if not rising.all():
        at = int((~rising).argmax()) + 1
        raise TrainingSetInvalidError(
            f"row {at}, {rows.symbol[at]} {rows.date[at]}, is a duplicate or out of order;"
            " sort by date and symbol"
        )


def _check_outcomes(rows: TrainingSet) -> None:
    n_classes = len(rows.target.classes)
    faults = {
        f"y is not a class id from 0 to {n_classes - 1}": (rows.y < 0) | (rows.y >= n_classes),
        "regime is not one of the five": ~np.isin(rows.regime, _REGIME_NAMES),
        # NaT compares false with everything, so that an unknown day fails here too.
        "date < label_end <= horizon_end does not hold": ~(
            (rows.date < rows.label_end) & (rows.label_end <= rows.horizon_end)
        ),
    }
    for fault, wrong in faults.items():
        if wrong.any():
            at = int(wrong.argmax())
            raise TrainingSetInvalidError(
                f"{rows.symbol[at]} {rows.date[at]}: {fault} ({int(wrong.sum())} such rows)"
            )
