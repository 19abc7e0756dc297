"""Every feature equals what its formula says, computed plainly from whole windows, with either engine."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracle.engines import with_extension, without_extension
from tests.oracle.features import oracle_features
from tests.oracle.markets import Market, real_market, simulated_market, ugly_market

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from regime.types import FeatureTable

few = examples(5)
seeds = st.integers(0, 2**32 - 1)
ENGINES: Final = {"c": with_extension(), "numpy": without_extension()}
either_engine = pytest.mark.parametrize("compute", ENGINES.values(), ids=ENGINES)


def assert_equals_oracle(compute: Callable[..., FeatureTable], market: Market) -> None:
    table = compute(market.bars, index=market.index, fear=market.fear, sectors=market.sectors)
    expected = oracle_features(market.bars, market.index, market.fear, market.sectors)
    assert table.names == expected.names
    assert table.values.size
    assert not np.isinf(table.values).any()
    for name, computed, meant in zip(table.names, table.values.T, expected.values.T, strict=True):
        np.testing.assert_allclose(computed, meant, rtol=1e-6, atol=1e-9, equal_nan=True, err_msg=name)


@cache
def twenty_years() -> tuple[Market, NDArray[np.float64]]:
    market = real_market()
    meant = oracle_features(market.bars, market.index, market.fear, market.sectors).values
    return market, np.asarray(meant, dtype=np.float64)


@either_engine
@few
@given(seed=seeds)
def test_ugly_markets_have_the_features_of_the_oracle(
    compute: Callable[..., FeatureTable], seed: int
) -> None:
    assert_equals_oracle(compute, ugly_market(seed))


@either_engine
@few
@given(seed=seeds, days=st.integers(31, 60))
def test_young_markets_have_the_features_of_the_oracle(
    compute: Callable[..., FeatureTable], seed: int, days: int
) -> None:
    assert_equals_oracle(compute, ugly_market(seed, days))


@either_engine
def test_a_simulated_panel_with_sectors_has_the_features_of_the_oracle(
    compute: Callable[..., FeatureTable],
) -> None:
    assert_equals_oracle(compute, simulated_market(12, 420))


@either_engine
def test_twenty_real_years_have_the_features_of_the_oracle(compute: Callable[..., FeatureTable]) -> None:
    market, meant = twenty_years()
    table = compute(market.bars, index=market.index, fear=market.fear, sectors=market.sectors)
    assert len(table) > 10_000
    np.testing.assert_allclose(table.values, meant, rtol=1e-6, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("price", [0.01, 1.0, 1000.0])
@either_engine
def test_a_market_that_stands_still_has_the_features_of_the_oracle(
    compute: Callable[..., FeatureTable], price: float
) -> None:
    assert_equals_oracle(compute, still_market(price))


@either_engine
def test_a_halt_of_30_days_has_the_features_of_the_oracle(compute: Callable[..., FeatureTable]) -> None:
    market = simulated_market(3, 340)
    halted = (market.bars.symbol == "S002") & (market.bars.date >= market.index.date[270])
    resumed = market.bars.date >= market.index.date[300]
    kept = market.bars.take(~halted | resumed)
    assert len(market.bars) - len(kept) == 30
    assert_equals_oracle(
        compute, Market(bars=kept, index=market.index, fear=market.fear, sectors=market.sectors)
    )


def still_market(price: float) -> Market:
    """Give bars of which open, high, low and close are one price, and every tenth is traded."""
    whole = simulated_market(2, 300)
    flat = np.full(len(whole.bars), price)
    volume = np.where(np.arange(len(flat)) % 10 == 0, 1e6, 0.0)
    bars = type(whole.bars)(
        symbol=whole.bars.symbol,
        date=whole.bars.date,
        open=flat,
        high=flat,
        low=flat,
        close=flat,
        volume=volume,
    )
    return Market(bars=bars, index=whole.index, fear=whole.fear, sectors=whole.sectors)
