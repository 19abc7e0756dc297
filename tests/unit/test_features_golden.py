"""Every feature of one fixed market, to nine digits: a formula that changes must change the catalogue's hash.

Whoever changes a number here raises ``CATALOGUE_VERSION``, or changes the formula that is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from regime.features import CATALOGUE, compute_features
from regime.types import Bars

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS: Final = 300
SECTORS: Final = {"A": "Energy", "B": "Energy", "C": "Utilities"}


def wave(*periods: float) -> NDArray[np.float64]:
    """Give a sum of sines of incommensurable periods: irregular enough, and the same everywhere."""
    day = np.arange(DAYS)
    return np.asarray(np.sum([np.sin(day * 2 * np.pi / period + period) for period in periods], axis=0))


def symbol_of(name: str, level: float, shift: float) -> Bars:
    close = level * np.exp(0.03 * wave(7.3 + shift, 23.7, 61.1 - shift) + 0.0004 * np.arange(DAYS))
    open_ = close * np.exp(0.008 * wave(3.1 + shift, 5.9))
    high = np.maximum(open_, close) * (1 + 0.004 * (2.2 + wave(4.7, 11.3 + shift)))
    low = np.minimum(open_, close) * (1 - 0.004 * (2.2 + wave(3.7 + shift, 13.9)))
    volume = 1e6 * np.exp(0.4 * wave(6.1, 17.3 + shift))
    date = np.datetime64("2023-01-01") + np.arange(DAYS)
    return Bars.of(name, date, open_, high, low, close, volume)


GOLDEN: Final = {
    "rsi_7": 46.3865197,
    "rsi_14": 52.0415115,
    "rsi_28": 41.1078176,
    "stochastic_k_14": 4.82918795,
    "stochastic_d_14": 41.1548012,
    "momentum_5": -0.0492131561,
    "momentum_10": -0.0418121308,
    "momentum_20": -0.0539557711,
    "momentum_60": 0.0199500169,
    "momentum_120": 0.0429152207,
    "momentum_250": 0.0774489013,
    "momentum_12_1": 0.112652266,
    "mfi_14": 59.3510276,
    "cci_20": -74.2163458,
    "ultimate_oscillator": 46.6682528,
    "price_vs_sma_5": -0.0442577554,
    "price_vs_sma_20": -0.0268454398,
    "price_vs_sma_50": -0.0127663835,
    "price_vs_sma_200": 0.020489071,
    "price_vs_ema_10": -0.033340543,
    "sma_20_vs_50": 0.0144674411,
    "sma_50_vs_200": 0.0336854965,
    "macd": 0.00520090889,
    "macd_signal": 0.00698240408,
    "macd_histogram": -0.00178149519,
    "adx_14": 14.6828126,
    "plus_di_14": 26.5216672,
    "minus_di_14": 24.7366748,
    "chandelier_long_22": -2.6485979,
    "chandelier_short_22": 0.958768538,
    "vortex_14": 0.0184362515,
    "aroon_oscillator_25": 0.44,
    "efficiency_ratio_20": -0.169702905,
    "volume_ratio_20": -0.0449038143,
    "volume_trend_5_20": 0.177069254,
    "volume_trend_20_120": -0.0148944288,
    "on_balance_volume_20": -0.0908530216,
    "chaikin_money_flow_20": -0.0130966062,
    "price_vs_vwap_20": -0.0323709714,
    "ease_of_movement_14": -0.0515931444,
    "force_index_13": -0.0771839054,
    "negative_volume_return_60": -0.0194062597,
    "positive_volume_return_60": 0.0413451401,
    "volume_price_trend_60": 0.0215713519,
    "illiquidity_change_20_120": 0.0197664569,
    "volume_volatility_correlation_60": 0.101975609,
    "atr_percent_7": 3.32159213,
    "atr_percent_14": 3.09896875,
    "bollinger_width_20": 0.108055796,
    "bollinger_position_20": 0.251559465,
    "keltner_position_20": 0.255549431,
    "historical_volatility_20": 29.1479479,
    "historical_volatility_60": 27.704284,
    "donchian_width_20": 0.113861432,
    "garman_klass_22": 28.8609651,
    "parkinson_22": 25.3838786,
    "rogers_satchell_22": 28.7617278,
    "yang_zhang_22": 41.1809543,
    "har_ratio_1": 0.801874181,
    "har_ratio_5": 0.586221455,
    "har_ratio_22": 0.787799973,
    "har_ratio_66": 0.742148177,
    "har_ratio_252": 0.72989499,
    "parkinson_ratio_22": -0.212329033,
    "volatility_of_volatility_22": 0.538542084,
    "overnight_share_22": 0.524494846,
    "downside_share_22": 0.570152877,
    "jump_share_22": 0.0,
    "range_to_close_22": 0.787440068,
    "candle_body": -0.196273741,
    "upper_shadow": 0.676810458,
    "lower_shadow": 0.126915801,
    "gap_percent": -2.48489019,
    "range_position_5": 0.0177609967,
    "range_position_20": 0.265780745,
    "range_position_60": 0.449587066,
    "range_position_250": 0.613732227,
    "resistance_distance": 1.24775325,
    "support_distance": -0.607448373,
    "swing_high_distance": -0.0823120715,
    "swing_low_distance": 0.00436292102,
    "higher_high_20": -0.0164038678,
    "higher_low_20": 0.0452159407,
    "fibonacci_distance_60": 0.0504129339,
    "narrow_range_7": 0.0714285714,
    "return_1": -0.02755912,
    "return_3": -0.0721202047,
    "skewness_20": 0.116286684,
    "skewness_60": 0.0252128048,
    "kurtosis_20": -1.34438962,
    "kurtosis_60": -1.24942524,
    "z_score_50": -0.327244474,
    "sharpe_ratio_60": 0.302444455,
    "regression_slope_20": 0.154028105,
    "regression_slope_60": 0.131048907,
    "regression_fit_60": 0.352947744,
    "autocorrelation_60": 0.737418495,
    "absolute_autocorrelation_60": 0.220776038,
    "variance_ratio_5_60": 1.4390387,
    "return_rank_250": 0.03,
    "maximum_return_20": 1.39248133,
    "minimum_return_20": -1.63202737,
    "positive_share_20": 0.4,
    "distance_52w_high": -0.0987159393,
    "distance_52w_low": 0.180144385,
    "maximum_drawdown_60": -0.107026759,
    "days_since_high_60": 0.457627119,
    "days_since_low_60": 0.677966102,
    "days_since_high_250": 0.108433735,
    "days_since_low_250": 0.923694779,
    "streak": -3.0,
    "average_alignment": 0.5,
    "breakout_20": -2.65468617,
    "breakdown_20": 0.960972438,
    "choppiness_14": 57.3529086,
    "above_average_share_50": 0.62,
    "weekly_range_5": 0.0838646273,
    "weekly_rsi_14": 50.0593378,
    "monthly_rsi_12": 57.2228944,
    "weekly_macd": 0.0088285501,
    "weekly_macd_histogram": -0.00226210562,
    "volatility_ratio_5_20": 0.126817398,
    "volatility_ratio_20_60": 0.0507974523,
    "volatility_ratio_60_250": 0.00138166281,
    "timeframe_agreement": 0.0,
    "weekly_body": -0.875999991,
    "same_month_last_year": -0.0875129465,
    "index_return_1": 0.00644333501,
    "index_return_5": -0.0368515464,
    "index_return_20": 0.0356601879,
    "index_volatility_20": 22.2192981,
    "index_volatility_ratio_5_60": -0.340567461,
    "index_drawdown_250": -0.0477165652,
    "index_price_vs_sma_200": 0.0630904491,
    "fear_level": 2.99468356,
    "fear_change_5": 0.121962697,
    "fear_rank_250": 0.698,
    "fear_volatility_20": 142.468292,
    "fear_premium_22": -0.124922506,
    "beta_60": -0.0237823731,
    "beta_250": 0.142374478,
    "index_correlation_60": -0.0191114344,
    "idiosyncratic_share_120": 0.989761708,
    "relative_strength_20": -0.089615959,
    "relative_strength_120": 0.0482088216,
    "fear_scaled_ratio_252": 0.0804055811,
    "breadth_above_sma_50": 0.666666667,
    "breadth_above_sma_200": 1.0,
    "breadth_rising_5": 0.0,
    "dispersion_20": 0.0387451523,
    "rank_momentum_5": 0.166666667,
    "rank_momentum_20": 0.166666667,
    "rank_momentum_120": 0.166666667,
    "rank_momentum_12_1": 0.5,
    "rank_historical_volatility_60": 0.5,
    "rank_beta_250": 0.166666667,
    "rank_distance_52w_high": 0.166666667,
    "rank_volume_trend_5_20": 0.833333333,
    "rank_har_ratio_5": 0.166666667,
    "sector_relative_20": -0.0202665346,
    "sector_relative_120": -0.0250790876,
    "sector_momentum_20": -0.0336892364,
    "sector_breadth_20": 0.5,
    "quarter_sine": 0.979084088,
    "quarter_cosine": -0.203456013,
    "season_variance": -0.0069433559,
    "season_variance_63": -0.046006387,
    "season_variance_252": -0.0370579809,
    "event_strength_63": 0.939640083,
    "event_age_63": 0.661290323,
    "season_event": 0.800243803,
    "rsi_price_correlation_20": 0.723913738,
    "squeeze_20": 0.135618146,
    "volume_confirmed_move": -1.00703842,
    "price_volume_correlation_20": 0.55925834,
    "oscillator_composite": 38.7405757,
    "mean_reversion_signal": 0.206279454,
    "momentum_acceleration_10": -0.361303974,
    "volatility_change_20": 0.0919034444,
}


def market_values() -> NDArray[np.float64]:
    """Give the features of symbol B on the last day."""
    index = symbol_of("^IDX", 4000.0, 2.9)
    fear = Bars.of_closes("^FEAR", index.date, 18 * np.exp(0.2 * wave(9.7, 31.3)))
    bars = Bars.concat([symbol_of("A", 50.0, 0.0), symbol_of("B", 120.0, 0.7), symbol_of("C", 8.0, 1.9)])
    table = compute_features(bars, index=index, fear=fear, sectors=SECTORS)
    return np.asarray(table.values[table.symbol == "B"][-1])


def test_every_feature_has_its_golden_value() -> None:
    assert tuple(GOLDEN) == tuple(feature.name for feature in CATALOGUE)
    np.testing.assert_allclose(market_values(), list(GOLDEN.values()), rtol=1e-6, atol=1e-9)
