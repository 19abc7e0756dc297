from __future__ import annotations

import numpy as np
import pytest
from arch.data import sp500

from regime.errors import SettingInvalidError
from regime.targets import (
    LOWER,
    NEITHER,
    PENDING,
    TARGETS,
    UPPER,
    average_uniqueness,
    compute_targets,
    ewma_sigma,
    target_named,
)
from regime.types import Bars, TargetSpec

THREE_DAYS = TargetSpec(name="three_days", kind="first_touch", up=0.10, down=0.05, horizon_days=3)


def days(count: int) -> np.ndarray:
    return np.datetime64("2024-01-01", "D") + np.arange(count)


def bars_of(*closes: float, symbol: str = "SPY") -> Bars:
    return Bars.of_closes(symbol, days(len(closes)), closes)


def test_the_reference_target_is_ten_up_five_down_in_fourteen_closes() -> None:
    assert TARGETS["reference"] == TargetSpec(
        name="reference", kind="first_touch", up=0.10, down=0.05, horizon_days=14
    )


def test_classes_are_sell_hold_and_buy_in_the_order_of_their_ids() -> None:
    assert (LOWER, NEITHER, UPPER) == (0, 1, 2)
    assert TARGETS["reference"].classes == ("sell", "hold", "buy")


@pytest.mark.parametrize(
    ("closes", "label", "label_end"),
    [
        ((100.0, 111.0, 90.0, 100.0), UPPER, "2024-01-02"),
        ((100.0, 94.0, 120.0, 100.0), LOWER, "2024-01-02"),
        ((100.0, 109.0, 96.0, 111.0), UPPER, "2024-01-04"),
        ((100.0, 109.0, 96.0, 100.0), NEITHER, "2024-01-04"),
    ],
)
def test_the_barrier_that_is_reached_first_decides(
    closes: tuple[float, ...], label: int, label_end: str
) -> None:
    table = compute_targets(bars_of(*closes), THREE_DAYS)
    assert (table.label[0], str(table.label_end[0])) == (label, label_end)


@pytest.mark.parametrize("unit", [1.0, 0.01, 7.3, 1e5])
def test_a_close_exactly_at_a_barrier_touches_it_in_every_unit(unit: float) -> None:
    up = compute_targets(bars_of(100 * unit, 110 * unit, 100 * unit, 100 * unit), THREE_DAYS)
    down = compute_targets(bars_of(100 * unit, 95 * unit, 100 * unit, 100 * unit), THREE_DAYS)
    assert (up.label[0], down.label[0]) == (UPPER, LOWER)


def test_a_close_just_short_of_a_barrier_does_not_touch_it() -> None:
    table = compute_targets(bars_of(100.0, 109.999, 95.001, 100.0), THREE_DAYS)
    assert table.label[0] == NEITHER


def test_highs_and_lows_do_not_count() -> None:
    high, low = [100.0, 150.0, 150.0, 150.0], [100.0, 50.0, 50.0, 50.0]
    bars = Bars.of("SPY", days(4), [100.0] * 4, high, low, [100.0] * 4, [1.0] * 4)
    assert compute_targets(bars, THREE_DAYS).label[0] == NEITHER


def test_a_label_is_pending_until_its_barrier_is_reached_or_its_horizon_ends() -> None:
    waiting = compute_targets(bars_of(100.0, 101.0, 102.0), THREE_DAYS)
    assert waiting.label.tolist() == [PENDING, PENDING, PENDING]
    assert np.isnat(waiting.label_end).all()
    assert np.isnat(waiting.horizon_end).all()


def test_a_barrier_reached_early_makes_a_label_known_but_not_matured() -> None:
    table = compute_targets(bars_of(100.0, 101.0, 112.0), THREE_DAYS)
    assert table.label.tolist() == [UPPER, UPPER, PENDING]
    assert table.label_end[:2].astype(str).tolist() == ["2024-01-03", "2024-01-03"]
    assert table.matured.tolist() == [False, False, False]


def test_the_horizon_ends_at_the_last_close_that_counts_whatever_happened_before() -> None:
    table = compute_targets(bars_of(100.0, 112.0, 112.0, 112.0, 112.0), THREE_DAYS)
    assert table.horizon_end[:2].astype(str).tolist() == ["2024-01-04", "2024-01-05"]
    assert table.matured.tolist() == [True, True, False, False, False]


def test_the_horizon_counts_the_closes_of_the_symbol_not_calendar_days() -> None:
    date = np.array(["2024-01-05", "2024-01-08", "2024-01-16", "2024-02-01"], dtype="datetime64[D]")
    table = compute_targets(Bars.of_closes("SPY", date, [100.0, 101.0, 99.0, 100.0]), THREE_DAYS)
    assert (table.label[0], str(table.horizon_end[0])) == (NEITHER, "2024-02-01")


def test_a_symbol_never_sees_the_closes_of_the_next_one() -> None:
    bars = Bars.concat([bars_of(100.0, 100.0, symbol="AAA"), bars_of(200.0, 200.0, symbol="BBB")])
    assert compute_targets(bars, THREE_DAYS).label.tolist() == [PENDING] * 4


def test_no_bars_have_no_targets() -> None:
    table = compute_targets(Bars.empty(), TARGETS["vol_scaled"])
    assert len(table) == 0
    assert [str(each.dtype) for each in (table.label, table.label_end)] == ["int8", "datetime64[D]"]


def test_a_horizon_longer_than_the_history_leaves_all_labels_pending() -> None:
    assert compute_targets(bars_of(100.0, 101.0), TARGETS["reference"]).label.tolist() == [PENDING] * 2


def test_sigma_weighs_the_latest_return_most() -> None:
    quiet_then_two_percent = bars_of(*[100.0] * 126, 100.0 * np.exp(0.02))
    assert ewma_sigma(quiet_then_two_percent)[-1] == pytest.approx(0.003502023, abs=1e-9)


def test_sigma_is_not_known_before_there_are_126_returns() -> None:
    sigma = ewma_sigma(bars_of(*[100.0, 101.0] * 64))
    assert np.isnan(sigma[:126]).all()
    assert sigma[126:] == pytest.approx(np.log(1.01), rel=1e-12)


def test_scaled_barriers_stand_at_the_sigma_of_entry_times_the_root_of_the_horizon() -> None:
    spec = TargetSpec(name="four_days", kind="vol_scaled", up=1.0, down=1.0, horizon_days=4)
    # Sigma is 1 % a day, so that the barriers of the last zigzag day are 2 % away in log return.
    zigzag = np.exp(0.01 * (np.arange(127) % 2))
    just_inside = zigzag[-1] * np.exp([0.0199, -0.0199, 0.0199, 0.0199])
    just_outside = zigzag[-1] * np.exp([0.0199, -0.0201, 0.0, 0.0])
    inside = compute_targets(bars_of(*zigzag, *just_inside), spec)
    outside = compute_targets(bars_of(*zigzag, *just_outside), spec)
    assert (inside.label[126], outside.label[126]) == (NEITHER, LOWER)


def test_a_row_without_a_sigma_has_no_target_at_all() -> None:
    table = compute_targets(bars_of(*[100.0] * 200), TARGETS["vol_scaled"])
    assert set(table.label.tolist()) == {PENDING}
    assert not table.matured.any()


def test_a_label_that_shares_no_return_is_unique() -> None:
    bars = bars_of(100.0, 111.0, 111.0, 111.0, 111.0)
    counted = np.array([True, False, False, False, False])
    assert average_uniqueness(bars, compute_targets(bars, THREE_DAYS), counted)[0] == 1.0


def test_uniqueness_is_the_mean_share_of_each_return_that_a_label_depends_on() -> None:
    bars = bars_of(100.0, 100.0, 100.0, 100.0, 100.0)
    uniqueness = average_uniqueness(bars, compute_targets(bars, THREE_DAYS), np.ones(5, dtype=bool))
    # Returns 1 to 4 are shared by 1, 2, 2 and 1 of the two known labels.
    assert uniqueness[:2] == pytest.approx([2 / 3, 2 / 3], abs=1e-12)
    assert np.isnan(uniqueness[2:]).all()


def test_uniqueness_does_not_mix_symbols() -> None:
    bars = Bars.concat([bars_of(100.0, 111.0, symbol="AAA"), bars_of(100.0, 111.0, symbol="BBB")])
    uniqueness = average_uniqueness(bars, compute_targets(bars, THREE_DAYS), np.ones(4, dtype=bool))
    assert uniqueness[[0, 2]].tolist() == [1.0, 1.0]


def test_a_target_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SettingInvalidError, match="use one of reference, triple_barrier, vol_scaled"):
        target_named("next_day")


def test_every_fault_of_a_spec_is_named() -> None:
    spec = TargetSpec(
        name="x", kind="touch", up=0.0, down=float("nan"), horizon_days=0, classes=("a", "a", "b")
    )
    with pytest.raises(SettingInvalidError) as refused:
        compute_targets(bars_of(100.0), spec)
    assert all(word in str(refused.value) for word in ("kind", "up", "down", "horizon_days", "classes"))


def test_a_fall_of_a_whole_price_is_no_barrier() -> None:
    with pytest.raises(SettingInvalidError, match="below 1"):
        compute_targets(
            bars_of(100.0), TargetSpec(name="x", kind="first_touch", up=0.1, down=1.0, horizon_days=5)
        )


def test_holding_is_nearly_always_right_for_an_index() -> None:
    frame = sp500.load()
    bars = Bars.of_closes("^GSPC", frame.index.to_numpy(), frame["Adj Close"].to_numpy())
    table = compute_targets(bars, TARGETS["reference"])
    assert len(bars) == 5031
    assert np.bincount(table.label[table.matured]).tolist() == [675, 4291, 51]
