"""The simulated market: repeatable, coherent, and with the properties that trials rely on."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from regime.errors import SettingInvalidError
from regime.labels import label_days, labeler_named
from regime.simulator import DYNAMICS, FEAR, INDEX, SECTORS, Simulation, SimulationSettings, simulate
from regime.types import REGIMES


@pytest.fixture(scope="module")
def market() -> Simulation:
    return simulate(SimulationSettings(symbols=22, days=20 * 252), np.random.default_rng(7))


def correlation_by_sector(market: Simulation) -> tuple[float, float]:
    """Give the mean correlation of daily returns within a sector and across sectors."""
    returns = np.array([np.diff(np.log(market.bars.of_symbol(name).close)) for name in market.sectors])
    correlations = np.corrcoef(returns)
    sector = np.array(list(market.sectors.values()))
    pairs = np.triu_indices(len(sector), 1)
    same = (sector[:, None] == sector)[pairs]
    return float(correlations[pairs][same].mean()), float(correlations[pairs][~same].mean())


def test_the_same_seed_gives_the_same_market() -> None:
    settings = SimulationSettings(symbols=3, days=300)
    one, two = (simulate(settings, np.random.default_rng(5)) for _ in range(2))
    other = simulate(settings, np.random.default_rng(6))
    assert one.bars == two.bars
    assert one.regime == two.regime
    assert one.bars != other.bars


def test_every_symbol_has_a_bar_on_every_weekday() -> None:
    market = simulate(SimulationSettings(symbols=2, days=6, start=date(2024, 3, 1)), np.random.default_rng(1))
    assert market.bars.symbols() == ("S001", "S002", INDEX, FEAR)
    expected = ["2024-03-01", "2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08"]
    assert market.date.astype(str).tolist() == expected
    for symbol in market.bars.symbols():
        assert market.bars.of_symbol(symbol).date.astype(str).tolist() == expected


def test_a_market_that_starts_on_a_sunday_starts_on_monday() -> None:
    settings = SimulationSettings(symbols=1, days=1, start=date(2024, 3, 3))
    assert simulate(settings, np.random.default_rng(1)).date.astype(str).tolist() == ["2024-03-04"]


def test_stocks_have_all_fields_and_fear_has_closes_only(market: Simulation) -> None:
    stock, fear = market.bars.of_symbol("S001"), market.bars.of_symbol(FEAR)
    assert np.isfinite([stock.open, stock.high, stock.low, stock.close, stock.volume]).all()
    assert (stock.volume > 0).all()
    assert np.isnan([fear.open, fear.high, fear.low, fear.volume]).all()


def test_the_truth_names_one_of_the_five_regimes_a_day(market: Simulation) -> None:
    assert len(market.regime) == len(market.date) == 5040
    assert set(market.regime) == set(REGIMES)


def test_every_regime_is_followed_only_by_those_that_may_follow(market: Simulation) -> None:
    changes = {pair for pair in zip(market.regime, market.regime[1:], strict=False) if pair[0] is not pair[1]}
    assert len(changes) >= 6
    assert all(after in DYNAMICS[before].followed_by for before, after in changes)


def test_the_chances_of_what_follows_add_up() -> None:
    assert {regime: sum(DYNAMICS[regime].followed_by.values()) for regime in REGIMES} == {
        regime: pytest.approx(1.0) for regime in REGIMES
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_rules_see_all_five_regimes_in_twenty_years(seed: int) -> None:
    bars = simulate(SimulationSettings(symbols=1), np.random.default_rng(seed)).bars
    labels = label_days(bars.of_symbol(INDEX), bars.of_symbol(FEAR), labeler_named("rules", has_fear=True))
    assert set(labels.regime) == set(REGIMES)


def test_the_rules_mostly_agree_with_the_truth(market: Simulation) -> None:
    bars = market.bars
    labels = label_days(bars.of_symbol(INDEX), bars.of_symbol(FEAR), labeler_named("rules", has_fear=True))
    agreed = np.mean([label is truth for label, truth in zip(labels.regime, market.regime, strict=True)])
    assert agreed > 0.7


def test_fear_is_in_points_of_a_fear_index(market: Simulation) -> None:
    fear = market.bars.of_symbol(FEAR).close
    assert 8.0 <= fear.min() < 12.0
    assert 14.0 < np.median(fear) < 20.0
    assert 50.0 < fear.max() <= 95.0


def test_volume_grows_with_the_size_of_the_move(market: Simulation) -> None:
    stock = market.bars.of_symbol("S001")
    size = np.abs(np.diff(np.log(stock.close)))
    assert np.corrcoef(size, np.log(stock.volume[1:]))[0, 1] > 0.4


def test_symbols_of_one_sector_move_together_more_than_others(market: Simulation) -> None:
    within, across = correlation_by_sector(market)
    assert within > across + 0.03
    assert 0.2 < across < 0.6


def test_every_symbol_has_one_of_the_eleven_sectors(market: Simulation) -> None:
    assert len(SECTORS) == 11
    assert list(market.sectors) == [f"S{number:03d}" for number in range(1, 23)]
    assert set(market.sectors.values()) == set(SECTORS)


@pytest.mark.parametrize("change", [{"symbols": 0}, {"symbols": 1000}, {"days": 0}, {"days": 12_601}])
def test_a_size_out_of_range_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(SettingInvalidError, match="give a whole number from 1 to"):
        SimulationSettings(**change)  # type: ignore[arg-type]  # only the two sizes are given


def test_the_longest_market_has_valid_prices() -> None:
    market = simulate(SimulationSettings(symbols=3, days=12_600), np.random.default_rng(3))
    assert len(market.bars) == 5 * 12_600
