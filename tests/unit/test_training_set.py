"""The join of features, regimes and targets, and the account of what it left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from regime.errors import FeatureMismatchError, HistoryTooShortError
from regime.targets import compute_targets
from regime.training_set import TrainingSet, TrainingSetInvalidError, build_training_set
from regime.types import Bars, FeatureTable, Regime, RegimeSeries, TargetSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPEC = TargetSpec(name="near", kind="first_touch", up=0.05, down=0.05, horizon_days=2)
DAYS = np.arange("2024-01-01", "2024-01-09", dtype="datetime64[D]")
RISING = [100.0, 100.0, 106.0, 106.0, 106.0, 100.0, 100.0, 100.0]
HASH = "c0ffee"


def bars_of_two() -> Bars:
    flat = [50.0] * len(DAYS)
    return Bars.concat([Bars.of_closes("AAA", DAYS, RISING), Bars.of_closes("BBB", DAYS, flat)])


def features_of(bars: Bars) -> FeatureTable:
    """Give four features a bar that tell its row; on the first day all but one are unknown."""
    values = np.tile(np.arange(len(bars), dtype=np.float64)[:, np.newaxis], (1, 4))
    values[bars.date == DAYS[0], 1:] = np.nan
    return FeatureTable(
        symbol=bars.symbol, date=bars.date, names=("a", "b", "c", "d"), values=values, catalogue_hash=HASH
    )


def labels_of(regimes: list[Regime]) -> RegimeSeries:
    return RegimeSeries(
        labeler="rules",
        date=DAYS,
        regime=tuple(regimes),
        reason=("",) * len(DAYS),
        pending=(None,) * len(DAYS),
        provisional=np.ones(len(DAYS), dtype=bool),
    )


LABELS = labels_of([Regime.NORMAL] * 3 + [Regime.CRASH] * 2 + [Regime.UNKNOWN] + [Regime.NORMAL] * 2)


def small_set() -> TrainingSet:
    bars = bars_of_two()
    targets = compute_targets(bars, SPEC)
    return build_training_set(features_of(bars), bars, targets, LABELS, feature_hash=HASH)[0]


def test_rows_are_sorted_by_date_and_symbol_and_carry_their_own_columns() -> None:
    rows = small_set()
    assert rows.date.astype(str).tolist() == [
        "2024-01-02",
        "2024-01-02",
        "2024-01-03",
        "2024-01-03",
        "2024-01-04",
        "2024-01-04",
        "2024-01-05",
        "2024-01-05",
    ]
    assert rows.symbol.tolist() == ["AAA", "BBB"] * 4
    assert rows.X[:, 0].tolist() == [1.0, 9.0, 2.0, 10.0, 3.0, 11.0, 4.0, 12.0]
    assert rows.X.dtype == np.float32
    assert rows.y.tolist() == [2, 1, 1, 1, 0, 1, 0, 1]
    assert rows.regime.tolist() == ["normal"] * 4 + ["crash"] * 4
    assert str(rows.label_end[0]) == "2024-01-03"
    assert str(rows.horizon_end[0]) == "2024-01-04"
    assert rows.labeler == "rules"
    assert rows.target == SPEC


def test_the_account_adds_up_and_names_the_reason_of_every_loss() -> None:
    bars = bars_of_two()
    _, account = build_training_set(
        features_of(bars), bars, compute_targets(bars, SPEC), LABELS, feature_hash=HASH
    )
    assert account.rows_in == 16
    assert account.warming_up == 2
    assert account.regime_unknown == 2
    assert account.target_not_matured == 4
    assert account.rows_out == 8
    assert account.rows_by_regime[Regime.CRASH] == 4
    assert account.rows_by_class == {"sell": 2, "hold": 5, "buy": 1}
    assert account.regimes_absent() == (Regime.RECOVERY, Regime.HIGH_VOLATILITY, Regime.LOW_VOLATILITY)


def test_a_row_that_touched_early_waits_for_its_horizon_like_its_neighbours() -> None:
    closes = [100.0, 100.0, 106.0]
    bars = Bars.of_closes("AAA", DAYS[:3], closes)
    targets = compute_targets(bars, SPEC)
    assert targets.label.tolist() == [2, 2, -1]
    rows, account = build_training_set(
        features_of(bars), bars, targets, LABELS, feature_hash=HASH, unknown_share_max=1
    )
    assert rows.date.astype(str).tolist() == ["2024-01-01"]
    assert account.target_not_matured == 2


def test_the_share_of_unknown_features_is_a_setting() -> None:
    bars = bars_of_two()
    _, account = build_training_set(
        features_of(bars),
        bars,
        compute_targets(bars, SPEC),
        LABELS,
        feature_hash=HASH,
        unknown_share_max=0.75,
    )
    assert account.warming_up == 0
    assert account.rows_out == 10


def test_a_day_without_any_label_is_unknown() -> None:
    bars = bars_of_two()
    none = RegimeSeries(
        labeler="rules", date=DAYS[:0], regime=(), reason=(), pending=(), provisional=np.zeros(0, dtype=bool)
    )
    with pytest.raises(HistoryTooShortError, match=r"none of 16 rows .* 2 are warming up, 14 have no regime"):
        build_training_set(features_of(bars), bars, compute_targets(bars, SPEC), none, feature_hash=HASH)


def test_a_feature_without_any_value_is_named() -> None:
    bars = bars_of_two()
    features = features_of(bars)
    features.values[:, 2] = np.nan
    _, account = build_training_set(
        features, bars, compute_targets(bars, SPEC), LABELS, feature_hash=HASH, unknown_share_max=0.5
    )
    assert account.features_unknown == ("c",)


def test_features_of_another_catalogue_are_refused() -> None:
    bars = bars_of_two()
    with pytest.raises(FeatureMismatchError, match="catalogue c0ffee, decaf is needed"):
        build_training_set(features_of(bars), bars, compute_targets(bars, SPEC), LABELS, feature_hash="decaf")


def test_features_without_a_bar_are_refused() -> None:
    bars = bars_of_two()
    fewer = bars.take(bars.date != DAYS[3])
    with pytest.raises(TrainingSetInvalidError, match="AAA 2024-01-04 has features but no bar"):
        build_training_set(features_of(bars), fewer, compute_targets(fewer, SPEC), LABELS, feature_hash=HASH)


def test_targets_of_other_bars_are_refused() -> None:
    bars = bars_of_two()
    with pytest.raises(TrainingSetInvalidError, match="16 bars and 8 targets"):
        build_training_set(
            features_of(bars), bars, compute_targets(bars.of_symbol("AAA"), SPEC), LABELS, feature_hash=HASH
        )


def test_features_may_cover_fewer_symbols_than_bars() -> None:
    bars = bars_of_two()
    rows, account = build_training_set(
        features_of(bars.of_symbol("BBB")), bars, compute_targets(bars, SPEC), LABELS, feature_hash=HASH
    )
    assert set(rows.symbol.tolist()) == {"BBB"}
    assert rows.y.tolist() == [1, 1, 1, 1]
    assert account.rows_in == 8


@pytest.mark.parametrize("value", [np.inf, 1e300])
def test_a_value_that_float32_cannot_hold_is_refused_by_name(value: float) -> None:
    bars = bars_of_two()
    features = features_of(bars)
    features.values[2, 3] = value
    with pytest.raises(FeatureMismatchError, match="AAA 2024-01-03: feature d is infinite"):
        build_training_set(features, bars, compute_targets(bars, SPEC), LABELS, feature_hash=HASH)


def test_the_data_hash_is_the_same_for_the_same_rows() -> None:
    rows = small_set()
    assert len(rows.data_hash()) == 64
    assert small_set().data_hash() == rows.data_hash()


def test_the_data_hash_ignores_how_strings_and_unknown_values_are_held() -> None:
    rows = small_set()
    other_nan = rows.X.copy()
    other_nan[0, 0] = np.nan
    signed = other_nan.copy()
    signed[0, 0] = -np.float32(np.nan)
    first = replace(rows, X=other_nan).data_hash()
    assert replace(rows, X=signed, symbol=rows.symbol.astype("U40")).data_hash() == first


@pytest.mark.parametrize("field", ["X", "y", "regime", "label_end", "symbol", "feature_hash", "target"])
def test_the_data_hash_sees_every_change(field: str) -> None:
    rows = small_set()
    changes: dict[str, NDArray[np.generic] | str | TargetSpec] = {
        "X": rows.X + np.float32(1),
        "y": np.roll(rows.y, 1),
        "regime": np.roll(rows.regime, 1),
        "label_end": rows.horizon_end,
        "symbol": np.array(["AAA", "CCC"] * 4),
        "feature_hash": "decaf",
        "target": replace(SPEC, horizon_days=3),
    }
    assert replace(rows, **{field: changes[field]}).data_hash() != rows.data_hash()  # type: ignore[arg-type]  # one column each


def test_taking_rows_keeps_every_column_in_step() -> None:
    rows = small_set()
    crash = rows.take(rows.regime == "crash")
    assert crash.X[:, 0].tolist() == [3.0, 11.0, 4.0, 12.0]
    assert crash.y.tolist() == [0, 1, 0, 1]


def test_rows_out_of_order_or_twice_are_refused() -> None:
    rows = small_set()
    with pytest.raises(
        TrainingSetInvalidError, match="row 1, AAA 2024-01-02, is a duplicate or out of order"
    ):
        rows.take(np.array([1, 0, 2]))
    with pytest.raises(
        TrainingSetInvalidError, match="row 1, AAA 2024-01-02, is a duplicate or out of order"
    ):
        rows.take(np.array([0, 0]))


def test_columns_that_contradict_each_other_are_refused() -> None:
    rows = small_set()
    with pytest.raises(TrainingSetInvalidError, match="different lengths"):
        replace(rows, y=rows.y[1:])
    with pytest.raises(TrainingSetInvalidError, match="X is float64"):
        replace(rows, X=rows.X.astype(np.float64))
    with pytest.raises(TrainingSetInvalidError, match="y is not a class id from 0 to 2"):
        replace(rows, y=rows.y + 1)
    with pytest.raises(TrainingSetInvalidError, match="regime is not one of the five"):
        replace(rows, regime=np.full(len(rows), "unknown"))
    with pytest.raises(TrainingSetInvalidError, match="date < label_end <= horizon_end"):
        replace(rows, label_end=rows.date)
    with pytest.raises(FeatureMismatchError, match="3 feature names"):
        replace(rows, feature_names=("a", "b", "c"))
