"""Known indicators on forty bars that can be followed by hand; expectations computed without this library."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest

from regime.features import CATALOGUE, compute_features
from regime.types import Bars

DAYS: Final = 40
STEPS: Final = (3.0, -1.0, 2.0, -4.0, 1.0, 5.0, -2.0, 0.0)
DATE: Final = np.datetime64("2024-01-01") + np.arange(DAYS)

EXPECTED: Final = {
    "rsi_7": 53.3333333,
    "rsi_14": 59.375,
    "rsi_28": 62.9032258,
    "stochastic_k_14": 72.4137931,
    "mfi_14": 51.1905104,
    "cci_20": 94.8750529,
    "ultimate_oscillator": 53.3574146,
    "price_vs_ema_10": 0.014206037,
    "plus_di_14": 20.1342282,
    "minus_di_14": 11.409396,
    "adx_14": 47.2270389,
    "vortex_14": 0.10738255,
    "aroon_oscillator_25": 0.92,
    "efficiency_ratio_20": 0.272727273,
    "volume_ratio_20": 0.139801006,
    "on_balance_volume_20": 0.179245283,
    "chaikin_money_flow_20": 0.126448831,
    "price_vs_vwap_20": 0.0364592557,
    "force_index_13": 0.224790503,
    "atr_percent_14": 4.54822955,
    "bollinger_width_20": 0.119667656,
    "bollinger_position_20": 0.79963463,
    "historical_volatility_20": 38.6075627,
    "garman_klass_22": 54.9810192,
    "parkinson_22": 51.6200718,
    "rogers_satchell_22": 53.5631873,
    "yang_zhang_22": 54.0103209,
    "overnight_share_22": 0.062411188,
    "downside_share_22": 0.367714064,
    "jump_share_22": 0.117778857,
    "candle_body": 0.181818182,
    "resistance_distance": 0.62639821,
    "skewness_20": 0.0894186018,
    "kurtosis_20": -0.785914863,
    "regression_slope_20": 0.431531485,
    "choppiness_14": 62.0164806,
}


def market() -> Bars:
    """Give closes 100, 99, 101, 97, ... that rise by 4 in 8 days, with ranges of a few points."""
    day = np.arange(DAYS)
    close = 97.0 + np.cumsum(np.resize(STEPS, DAYS))
    open_ = np.r_[close[0], close[:-1] + np.where(day[1:] % 3 > 0, 1.0, -1.0)]
    high = np.maximum(open_, close) + np.resize([1.0, 2.0], DAYS)
    low = np.minimum(open_, close) - np.resize([1.0, 1.5, 2.0, 2.5], DAYS)
    volume = np.resize(np.arange(1000.0, 1500.0, 100.0), DAYS) - np.resize(np.arange(0.0, 210.0, 30.0), DAYS)
    return Bars.of("A", DATE, open_, high, low, close, volume)


def last_values(bars: Bars) -> dict[str, float]:
    table = compute_features(bars, index=bars)
    return dict(zip(table.names, table.values[-1].tolist(), strict=True))


def bars_of_closes(close: list[float]) -> Bars:
    """Give bars of which open, high and low are the close, without a trade."""
    prices = np.array(close)
    date = np.datetime64("2023-01-01") + np.arange(len(prices))
    return Bars.of("A", date, prices, prices, prices, prices, np.zeros(len(prices)))


def test_known_indicators_have_their_textbook_values() -> None:
    values = last_values(market())
    assert {name: values[name] for name in EXPECTED} == pytest.approx(EXPECTED, rel=1e-8)


def test_convergence_of_exponential_means_is_a_share_of_the_close() -> None:
    close = [100.0] * 77 + [110.0]
    values = last_values(bars_of_closes(close))
    fast, slow = 2 / 13 / (1 - (11 / 13) ** 36), 2 / 27 / (1 - (25 / 27) ** 78)
    assert values["macd"] == pytest.approx(10 * (fast - slow) / 110, rel=1e-9)


def test_a_price_that_only_rises_is_as_strong_as_can_be() -> None:
    values = last_values(bars_of_closes([100.0 + day for day in range(30)]))
    names = ("rsi_14", "plus_di_14", "adx_14", "efficiency_ratio_20", "choppiness_14", "streak")
    assert [values[name] for name in names] == pytest.approx([100.0, 100.0, 100.0, 1.0, 0.0, 9.0])


def test_the_age_of_equal_highs_is_that_of_the_latest() -> None:
    close = [50.0] * 20 + [60.0, 55.0, 60.0] + [55.0] * 40
    values = last_values(bars_of_closes(close))
    assert values["days_since_high_60"] == pytest.approx(40 / 59)


def test_a_swing_high_is_known_two_bars_later() -> None:
    rising = [100.0] * 37 + [101.0, 102.0, 103.0]
    table = compute_features(bars_of_closes([*rising, 102.0, 101.0]), index=Bars.empty())
    distance = table.values[-2:, table.names.index("swing_high_distance")]
    assert distance == pytest.approx([np.log(102 / 100), np.log(101 / 103)])


def test_a_market_that_stands_still_has_neutral_values() -> None:
    values = last_values(bars_of_closes([123.45] * 300))
    moved = {name: value for name, value in values.items() if value != 0 and "quarter" not in name}
    fears = {feature.name for feature in CATALOGUE if "fear" in feature.inputs}
    assert {name for name, value in values.items() if np.isnan(value)} == fears
    half = {
        "bollinger_position_20",
        "keltner_position_20",
        "range_position_5",
        "range_position_20",
        "range_position_60",
        "range_position_250",
        "overnight_share_22",
        "downside_share_22",
        "narrow_range_7",
        "return_rank_250",
        "positive_share_20",
        "above_average_share_50",
        "breadth_above_sma_50",
        "breadth_above_sma_200",
        "breadth_rising_5",
        "sector_breadth_20",
    } | {name for name in values if name.startswith("rank_")}
    fifty = {"rsi_7", "rsi_14", "rsi_28", "stochastic_k_14", "stochastic_d_14", "mfi_14"}
    fifty |= {"ultimate_oscillator", "choppiness_14", "weekly_rsi_14", "monthly_rsi_12"}
    one = {"variance_ratio_5_60", "idiosyncratic_share_120"}
    expected = dict.fromkeys(half, 0.5) | dict.fromkeys(one, 1.0)
    expected |= dict.fromkeys(fifty | {"oscillator_composite"}, 50.0)
    assert {name: moved[name] for name in moved if name not in fears} == pytest.approx(expected)
