from __future__ import annotations

import numpy as np
import pytest

from regime.codes import RegimeNameUnknownError, regime_codes
from regime.errors import SettingInvalidError
from regime.targets import average_uniqueness, compute_targets
from regime.types import REGIMES, Bars, Regime, TargetSpec
from regime.weights import (
    WEIGHTS,
    effective_sample_size,
    inverse_frequency,
    regime_weights,
    uniqueness_of_rows,
    uniqueness_weights,
    weight_share,
    weights_named,
)


def test_the_reference_weights_are_those_of_the_mission() -> None:
    assert [WEIGHTS["reference"][regime] for regime in REGIMES] == [2.0, 1.5, 1.3, 1.0, 0.8]


def test_no_weights_weigh_all_the_same() -> None:
    assert regime_weights(np.array(["crash", "normal", "unknown"]), WEIGHTS["none"]).tolist() == [1, 1, 1]


def test_weights_keep_their_ratios_and_average_one() -> None:
    regimes = np.array(["crash", "recovery", "high_volatility", "normal", "low_volatility"])
    weights = regime_weights(regimes, WEIGHTS["reference"])
    assert weights.mean() == pytest.approx(1, abs=1e-15)
    assert (weights / weights[3]).tolist() == pytest.approx([2.0, 1.5, 1.3, 1.0, 0.8], abs=1e-12)


def test_a_row_of_unknown_regime_weighs_what_a_normal_one_weighs() -> None:
    weights = regime_weights(np.array(["crash", "unknown", "normal"]), WEIGHTS["reference"])
    assert weights.tolist() == pytest.approx([1.5, 0.75, 0.75])


def test_no_rows_have_no_weights() -> None:
    none = np.array([], dtype=np.str_)
    assert regime_weights(none, WEIGHTS["reference"]).shape == (0,)
    assert effective_sample_size(np.array([])) == 0.0
    assert set(weight_share(none, np.array([])).values()) == {None}


def test_a_regime_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RegimeNameUnknownError, match="row 1 has the regime 'krach'"):
        regime_weights(np.array(["crash", "krach"]), WEIGHTS["reference"])


def test_codes_are_positions_among_all_regimes() -> None:
    assert regime_codes(np.array(list(Regime))).tolist() == [0, 1, 2, 3, 4, 5]


def test_weights_that_lack_a_regime_are_refused_even_if_no_row_needs_it() -> None:
    with pytest.raises(SettingInvalidError, match="lack recovery, high_volatility"):
        regime_weights(
            np.array(["crash"]), {Regime.CRASH: 2.0, Regime.NORMAL: 1.0, Regime.LOW_VOLATILITY: 1.0}
        )


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_positive_number_is_refused(weight: float) -> None:
    with pytest.raises(SettingInvalidError, match="positive finite"):
        regime_weights(np.array(["normal"]), {**WEIGHTS["none"], Regime.CRASH: weight})


def test_inverse_frequency_gives_every_regime_the_same_total() -> None:
    regimes = np.array(["normal"] * 6 + ["crash"] * 2 + ["unknown"] * 3)
    weights = inverse_frequency(regimes)
    assert weights[Regime.NORMAL] * 6 == pytest.approx(weights[Regime.CRASH] * 2)
    assert weights[Regime.CRASH] == pytest.approx(2.0)


def test_inverse_frequency_is_bounded_by_ten_times_the_smallest_weight() -> None:
    weights = inverse_frequency(np.array(["normal"] * 999 + ["crash"]))
    assert weights[Regime.CRASH] / weights[Regime.NORMAL] == pytest.approx(10.0)


def test_inverse_frequency_of_a_regime_without_rows_is_one() -> None:
    assert inverse_frequency(np.array(["normal", "normal"]))[Regime.CRASH] == 1.0
    assert inverse_frequency(np.array(["unknown"]))[Regime.NORMAL] == 1.0


def test_presets_are_found_by_name() -> None:
    regimes = np.array(["normal", "normal", "crash"])
    assert weights_named("none", regimes) == dict.fromkeys(REGIMES, 1.0)
    assert weights_named("inverse_frequency", regimes) == inverse_frequency(regimes)


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SettingInvalidError, match="one of reference, none, inverse_frequency"):
        weights_named("balanced", np.array(["crash"]))


def test_the_weight_share_of_an_absent_regime_is_not_known() -> None:
    share = weight_share(np.array(["crash", "normal", "normal"]), np.array([2.0, 1.0, 1.0]))
    assert share == {
        Regime.CRASH: 0.5,
        Regime.RECOVERY: None,
        Regime.HIGH_VOLATILITY: None,
        Regime.NORMAL: 0.5,
        Regime.LOW_VOLATILITY: None,
        Regime.UNKNOWN: None,
    }


def test_equal_weights_lose_no_row_and_one_heavy_row_is_one_row() -> None:
    assert effective_sample_size(np.full(7, 3.0)) == pytest.approx(7.0)
    assert effective_sample_size(np.array([1e9, 1.0, 1.0])) == pytest.approx(1.0, abs=1e-6)


def test_a_row_without_known_uniqueness_is_refused() -> None:
    with pytest.raises(SettingInvalidError, match="nan"):
        uniqueness_weights(np.array([0.5, np.nan]))


def test_the_uniqueness_of_rows_is_that_of_their_bars() -> None:
    days = np.arange("2024-01-01", "2024-05-01", dtype="datetime64[D]")
    closes = np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.03, (2, len(days))), axis=1))
    bars = Bars.concat([Bars.of_closes(name, days, closes[at]) for at, name in enumerate(("AAA", "BBB"))])
    spec = TargetSpec(name="x", kind="first_touch", up=0.1, down=0.05, horizon_days=14)
    targets = compute_targets(bars, spec)
    training = targets.matured & (bars.date < np.datetime64("2024-04-01"))
    of_bars = average_uniqueness(bars, targets, training)[training]
    order = np.lexsort((bars.symbol[training], bars.date[training]))
    symbol, date, label_end = (
        bars.symbol[training][order],
        bars.date[training][order],
        targets.label_end[training][order],
    )
    of_rows = uniqueness_of_rows(symbol, date, label_end, days)
    assert len(of_rows) == 182
    assert 0.05 < of_rows.min() < 0.5 < of_rows.max()
    np.testing.assert_allclose(of_rows, of_bars[order], rtol=1e-12)
    # Days that no row knows of are missing only beyond the last row.
    early = label_end <= date.max()
    assert early.sum() == 166
    alone = uniqueness_of_rows(symbol, date, label_end)
    np.testing.assert_allclose(alone[early], of_rows[early], rtol=1e-12)
    np.testing.assert_allclose(alone, of_rows, rtol=0.06)


def test_labels_of_two_symbols_share_nothing_and_a_repeated_row_is_half_its_own() -> None:
    monday, tuesday = np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]")
    apart = uniqueness_of_rows(np.array(["AAA", "BBB"]), np.full(2, monday), np.full(2, tuesday))
    repeated = uniqueness_of_rows(np.array(["AAA", "AAA"]), np.full(2, monday), np.full(2, tuesday))
    assert apart.tolist() == [1.0, 1.0]
    assert repeated.tolist() == [0.5, 0.5]


def test_labels_that_meet_at_one_close_share_no_session() -> None:
    days = np.array(["2024-01-01", "2024-01-03", "2024-01-05"], dtype="datetime64[D]")
    assert uniqueness_of_rows(np.array(["AAA", "AAA"]), days[:2], days[1:]).tolist() == [1.0, 1.0]


def test_no_rows_have_no_uniqueness() -> None:
    none = np.array([], dtype="datetime64[D]")
    assert uniqueness_of_rows(np.array([], dtype=np.str_), none, none).shape == (0,)


@pytest.mark.parametrize("end", ["2024-01-01", "2023-12-29", "NaT"])
def test_a_row_whose_label_is_not_known_later_is_refused(end: str) -> None:
    days = np.array(["2024-01-01", end], dtype="datetime64[D]")
    with pytest.raises(SettingInvalidError, match=f"AAA 2024-01-01 has its label end on {end}"):
        uniqueness_of_rows(np.array(["AAA"]), days[:1], days[1:])


def test_columns_of_different_lengths_have_no_uniqueness() -> None:
    days = np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[D]")
    with pytest.raises(SettingInvalidError, match="give every row all"):
        uniqueness_of_rows(np.array(["AAA", "AAA"]), days[:1], days[1:])
