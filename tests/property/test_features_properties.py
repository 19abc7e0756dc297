"""What must hold for the features of any bars, however ugly: no future, no unit, no memory, no infinity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime.features import CATALOGUE, compute_features
from regime.types import Bars, FeatureTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOK_BACK = max(feature.look_back for feature in CATALOGUE)
WARM_UP = np.array([feature.warm_up for feature in CATALOGUE])
SECTORS = {"A": "Energy", "B": "Energy", "C": "Utilities"}
DAYS = 300

few = settings(deadline=None, derandomize=True, max_examples=6)
seeds = st.integers(0, 2**32 - 1)


def path_of(rng: np.random.Generator, days: int) -> NDArray[np.float64]:
    """Give closes of one of four tempers: wild, in ticks with many ties, periodic, with long halts."""
    temper = rng.integers(4)
    moves = rng.choice([0.001, 0.02, 0.2], size=days) * rng.standard_normal(days)
    if temper == 1:
        moves = rng.choice([-0.01, 0.0, 0.0, 0.01], size=days)
    elif temper == 2:
        moves = np.resize([0.01, -0.01], days)
    elif temper == 3:
        moves[rng.random(days // 30 + 1)[np.arange(days) // 30] < 0.5] = 0.0
    return np.asarray(np.exp(np.cumsum(moves) - moves.mean() * np.arange(days)))


def ugly_symbol(rng: np.random.Generator, symbol: str, date: NDArray[np.datetime64]) -> Bars:
    """Give bars with flat days, days and weeks without trades, in one price range of many."""
    days = len(date)
    close = np.maximum(path_of(rng, days) * rng.choice([0.05, 30.0, 4000.0]), 1e-3)
    if rng.random() < 0.5:
        close = np.maximum(np.round(close, 2), 0.01)
    gap, wide = rng.normal(0, 0.01, days), np.abs(rng.normal(0, 0.02, days))
    still = rng.random(days) < rng.choice([0.0, 0.3, 1.0])
    open_ = np.where(still, close, close * np.exp(gap))
    high = np.where(still, close, np.maximum(open_, close) * np.exp(wide))
    low = np.where(still, close, np.minimum(open_, close) * np.exp(-wide[::-1]))
    volume = np.round(rng.lognormal(10, 1, days))
    volume[rng.random(days) < rng.choice([0.0, 0.1, 1.0])] = 0.0
    return Bars.of(symbol, date, open_, high, low, close, volume)


def ugly_market(seed: int) -> tuple[Bars, Bars, Bars]:
    """Give three symbols of different lengths with gaps, a market index and fear with missing days."""
    rng = np.random.default_rng(seed)
    calendar = np.datetime64("2015-01-01") + np.arange(DAYS)
    index = ugly_symbol(rng, "^IDX", calendar[rng.random(DAYS) > 0.02])
    parts = [
        ugly_symbol(rng, name, calendar[start:end][rng.random(end - start) > missing])
        for name, start, end, missing in (
            ("A", 0, DAYS, 0.0),
            ("B", 0, DAYS, 0.05),
            ("C", int(rng.integers(0, 270)), int(rng.integers(272, DAYS + 1)), 0.02),
        )
    ]
    fear = Bars.of_closes("^FEAR", calendar, 20 * np.exp(np.cumsum(rng.normal(0, 0.05, DAYS))))
    hole = int(rng.integers(0, DAYS - 12))
    return Bars.concat(parts), index, fear.take((np.arange(DAYS) < hole) | (np.arange(DAYS) >= hole + 12))


def scaled(bars: Bars, price: float, volume: float = 1.0) -> Bars:
    return replace(
        bars,
        open=bars.open * price,
        high=bars.high * price,
        low=bars.low * price,
        close=bars.close * price,
        volume=bars.volume * volume,
    )


def assert_equal(first: NDArray[np.float64], second: NDArray[np.float64]) -> None:
    assert first.size
    np.testing.assert_allclose(first, second, rtol=1e-6, atol=1e-9, equal_nan=True)


def last_bars(bars: Bars, count: int) -> Bars:
    """Give the last ``count`` bars of each symbol."""
    parts = [bars.of_symbol(name) for name in bars.symbols()]
    return Bars.concat([part.take(np.arange(len(part)) >= len(part) - count) for part in parts])


def last_day(table: FeatureTable) -> NDArray[np.float64]:
    return np.asarray(table.values[table.date == table.date.max()])


@few
@given(seed=seeds, price=st.sampled_from([0.01, 7.0, 1000.0]), volume=st.sampled_from([0.01, 7.0, 1000.0]))
def test_the_unit_of_prices_and_volumes_changes_nothing(seed: int, price: float, volume: float) -> None:
    bars, index, fear = ugly_market(seed)
    plain = compute_features(bars, index=index, fear=fear, sectors=SECTORS)
    other = compute_features(
        scaled(bars, price, volume), index=scaled(index, price), fear=fear, sectors=SECTORS
    )
    assert_equal(plain.values, other.values)


@few
@given(seed=seeds, price=st.sampled_from([0.01, 7.0, 1000.0]))
def test_a_split_of_one_symbol_changes_no_other(seed: int, price: float) -> None:
    bars, index, fear = ugly_market(seed)
    split = Bars.concat([bars, scaled(bars.of_symbol("B"), price, 1 / price)])
    plain = compute_features(bars, index=index, fear=fear, sectors=SECTORS)
    other = compute_features(split, index=index, fear=fear, sectors=SECTORS)
    assert_equal(plain.values, other.values)


@few
@given(seed=seeds, other_seed=seeds, cut=st.integers(1, DAYS - 1))
def test_what_comes_later_changes_nothing_before(seed: int, other_seed: int, cut: int) -> None:
    day = np.datetime64("2015-01-01") + cut
    market, other = ugly_market(seed), ugly_market(other_seed)
    changed = [
        Bars.concat([mine.take(mine.date < day), theirs.take(theirs.date >= day)])
        for mine, theirs in zip(market, other, strict=True)
    ]
    plain = compute_features(market[0], index=market[1], fear=market[2], sectors=SECTORS)
    altered = compute_features(changed[0], index=changed[1], fear=changed[2], sectors=SECTORS)
    assert_equal(plain.values[plain.date < day], altered.values[altered.date < day])


@few
@given(seed=seeds, extra=st.integers(0, 20))
def test_the_last_look_back_gives_what_all_history_gives(seed: int, extra: int) -> None:
    bars, index, fear = ugly_market(seed)
    recent = last_bars(bars, LOOK_BACK + extra)
    long = compute_features(bars, index=index, fear=fear, sectors=SECTORS)
    short = compute_features(recent, index=index, fear=fear, sectors=SECTORS)
    assert_equal(last_day(long), last_day(short))


@few
@given(seed=seeds)
def test_recent_index_and_fear_give_what_all_their_history_gives(seed: int) -> None:
    bars, index, fear = ugly_market(seed)
    alone = bars.of_symbol("A")
    recent = [last_bars(part, LOOK_BACK) for part in (alone, index, fear)]
    long = compute_features(alone, index=index, fear=fear)
    short = compute_features(recent[0], index=recent[1], fear=recent[2])
    assert_equal(last_day(long), last_day(short))


@few
@given(seed=seeds)
def test_no_value_is_infinite(seed: int) -> None:
    bars, index, fear = ugly_market(seed)
    table = compute_features(bars, index=index, fear=fear)
    assert np.isfinite(table.values).any(axis=0).sum() > 170
    assert not np.isinf(table.values).any()


@pytest.mark.parametrize(("least", "most", "volume"), [(1e-300, 1e8, 1e300), (5e-324, 9e8, 1.7e308)])
def test_no_value_is_infinite_at_the_edge_of_what_a_number_holds(
    least: float, most: float, volume: float
) -> None:
    rng = np.random.default_rng(0)
    date = np.datetime64("2015-01-01") + np.arange(DAYS)
    open_, close = np.exp(rng.uniform(np.log(least), np.log(most), (2, DAYS)))
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    bars = Bars.of("A", date, open_, high, low, close, volume * rng.random(DAYS))
    values = compute_features(bars, index=bars, fear=Bars.of_closes("^FEAR", date, close)).values
    assert np.isfinite(values[-1]).sum() > 80
    assert not np.isinf(values).any()


@few
@given(seed=seeds, start=st.integers(0, 60))
def test_warm_up_is_as_declared_for_early_and_late_symbols(seed: int, start: int) -> None:
    rng = np.random.default_rng(seed)
    date = np.datetime64("2015-01-01") + np.arange(DAYS)
    bars = Bars.concat([ugly_symbol(rng, "A", date), ugly_symbol(rng, "B", date[start:])])
    index, fear = ugly_symbol(rng, "^IDX", date), Bars.of_closes("^FEAR", date, 20 + rng.random(DAYS))
    table = compute_features(bars, index=index, fear=fear, sectors=SECTORS)
    for symbol in ("A", "B"):
        rows = table.values[table.symbol == symbol]
        np.testing.assert_array_equal(np.isnan(rows), np.arange(len(rows))[:, None] < WARM_UP)


@few
@given(seed=seeds, field=st.sampled_from(["open", "high", "low", "volume"]))
def test_a_missing_field_silences_the_features_that_name_it_and_no_other(seed: int, field: str) -> None:
    rng = np.random.default_rng(seed)
    date = np.datetime64("2015-01-01") + np.arange(DAYS)
    bars, index = ugly_symbol(rng, "A", date), ugly_symbol(rng, "^IDX", date)
    unknown = replace(bars, **{field: np.full(DAYS, np.nan)})
    plain = compute_features(bars, index=index).values
    without = compute_features(unknown, index=index).values
    reads = np.array([field in feature.inputs for feature in CATALOGUE])
    assert np.isnan(without[:, reads]).all()
    assert_equal(plain[:, ~reads], without[:, ~reads])


@pytest.mark.parametrize("kept", ["index", "fear"])
def test_a_missing_context_silences_the_features_that_name_it_and_no_other(kept: str) -> None:
    bars, index, fear = ugly_market(1)
    plain = compute_features(bars, index=index, fear=fear).values
    partial = compute_features(
        bars,
        index=index if kept == "index" else Bars.empty(),
        fear=fear if kept == "fear" else None,
    ).values
    lost = "fear" if kept == "index" else "index"
    reads = np.array([lost in feature.inputs for feature in CATALOGUE])
    assert np.isnan(partial[:, reads]).all()
    assert_equal(plain[:, ~reads], partial[:, ~reads])
