"""However features are asked for, all at once or in parts, they are the same to the last bit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.features import CATALOGUE, compute_features
from regime.types import Bars
from tests.examples import examples
from tests.oracle.engines import without_extension
from tests.oracle.markets import (
    DAYS,
    FIRST_DAY,
    Market,
    last_bars,
    real_market,
    simulated_market,
    ugly_market,
)
from tests.oracle.tables import assert_same, between, features_of, last_day, rows_of

LOOK_BACK: Final = max(feature.look_back for feature in CATALOGUE)
LAST_DAY: Final = FIRST_DAY + 10 * DAYS
few = examples(6)
seeds = st.integers(0, 2**32 - 1)
days = st.integers(0, DAYS - 1)


@cache
def panel() -> Market:
    """Give more symbols than are worked on side by side, of which some start late and one ends early."""
    market = simulated_market(19, 330)
    bars, date = market.bars, market.index.date
    late = (bars.symbol > "S012") & (bars.date < date[200])
    early = (bars.symbol == "S003") & (bars.date > date[300])
    return replace(market, bars=bars.take(~late & ~early))


@few
@given(seed=seeds, day=days)
def test_rows_since_a_day_are_those_of_all_history(seed: int, day: int) -> None:
    market, since = ugly_market(seed), FIRST_DAY + day
    assert_same(features_of(market, since=since), between(features_of(market), since, LAST_DAY))


@pytest.mark.parametrize("asked", [1, 2, 3, 64, 65, 200])
def test_the_last_days_of_a_panel_are_those_of_all_history(asked: int) -> None:
    since = panel().index.date[-asked]
    tail = features_of(panel(), since=since)
    assert len(np.unique(tail.date)) == asked
    assert_same(tail, between(features_of(panel()), since, panel().index.date[-1]))


@pytest.mark.parametrize("asked", [1, 2, 70, 300])
def test_without_the_extension_the_last_days_are_those_of_all_history(asked: int) -> None:
    compute, market, since = without_extension(), panel(), panel().index.date[-asked]
    context = {"index": market.index, "fear": market.fear, "sectors": market.sectors}
    tail = compute(market.bars, **context, since=since)
    assert_same(tail, between(compute(market.bars, **context), since, market.index.date[-1]))


@few
@given(seed=seeds, day=days)
def test_rows_until_a_day_are_those_of_all_history(seed: int, day: int) -> None:
    market, until = ugly_market(seed), FIRST_DAY + day
    assert_same(features_of(market, until=until), between(features_of(market), FIRST_DAY, until))


@few
@given(seed=seeds, first=days, length=st.integers(0, 40))
def test_a_few_days_of_the_past_are_those_of_all_history(seed: int, first: int, length: int) -> None:
    market, since = ugly_market(seed), FIRST_DAY + first
    until = min(since + length, FIRST_DAY + DAYS - 1)
    part = features_of(market, since=since, until=until)
    assert_same(part, between(features_of(market), since, until))


def test_days_after_the_last_bar_have_no_rows() -> None:
    table = features_of(panel(), since=LAST_DAY + 9000)
    assert table.values.shape == (0, 179)
    assert len(table.symbol) == 0


def test_days_before_the_first_bar_have_no_rows() -> None:
    table = features_of(panel(), until=np.datetime64("1980-01-01"))
    assert table.values.shape == (0, 179)


@pytest.mark.parametrize("threads", [2, 5, 64, 1000])
@pytest.mark.parametrize("asked", [1, 20, 330])
def test_threads_change_nothing(threads: int, asked: int) -> None:
    since = panel().index.date[-asked]
    assert_same(features_of(panel(), since=since, threads=threads), features_of(panel(), since=since))


@few
@given(seed=seeds, threads=st.sampled_from([1, 3]))
def test_more_threads_than_symbols_change_nothing(seed: int, threads: int) -> None:
    market = ugly_market(seed)
    alone = replace(market, bars=market.bars.of_symbol("A"))
    assert_same(features_of(alone, threads=threads), features_of(alone))


@pytest.mark.parametrize("asked", [1, 20, 330])
def test_single_precision_is_double_precision_rounded(asked: int) -> None:
    since = panel().index.date[-asked]
    single, double = features_of(panel(), since=since, dtype=np.float32), features_of(panel(), since=since)
    assert single.values.dtype == np.float32
    assert_same(single, replace(double, values=double.values.astype(np.float32)))


@few
@given(seed=seeds, extra=st.integers(0, 20))
def test_the_last_look_back_gives_what_all_history_gives(seed: int, extra: int) -> None:
    market = ugly_market(seed)
    recent = replace(market, bars=last_bars(market.bars, LOOK_BACK + extra))
    assert_same(last_day(features_of(recent)), last_day(features_of(market)))


@few
@given(seed=seeds)
def test_recent_index_and_fear_give_what_all_their_history_gives(seed: int) -> None:
    market = ugly_market(seed)
    alone = replace(market, bars=market.bars.of_symbol("A"))
    bars, index, fear = (last_bars(part, LOOK_BACK) for part in (alone.bars, alone.index, alone.fear))
    recent = Market(bars=bars, index=index, fear=fear, sectors=market.sectors)
    assert_same(last_day(features_of(recent)), last_day(features_of(alone)))


def test_the_last_look_back_of_twenty_real_years_gives_what_all_of_them_give() -> None:
    market = real_market()
    whole, recent = (
        last_day(features_of(part)) for part in (market, replace(market, bars=last_bars(market.bars, 258)))
    )
    assert len(market.index) > 5000
    assert np.isfinite(whole.values).all()
    assert_same(recent, whole)


@few
@given(seed=seeds)
def test_a_symbol_has_the_same_features_whatever_others_there_are_but_those_of_the_day(seed: int) -> None:
    market = ugly_market(seed)
    compares = {"cross_section", "sector"}
    own = np.array([not compares & {*feature.inputs} for feature in CATALOGUE])
    together, alone = features_of(market), features_of(replace(market, bars=market.bars.of_symbol("B")))
    assert own.sum() == 162
    rows = rows_of(together, together.symbol == "B")
    np.testing.assert_array_equal(rows.values[:, own], alone.values[:, own])


@few
@given(seed=seeds)
def test_the_order_of_symbols_changes_no_feature_of_its_own(seed: int) -> None:
    market = ugly_market(seed)
    renamed = {"A": "Z", "B": "B", "C": "A"}
    parts = [
        replace(market.bars.of_symbol(old), symbol=np.full(len(market.bars.of_symbol(old)), new))
        for old, new in renamed.items()
    ]
    sectors = {renamed[name]: sector for name, sector in market.sectors.items()}
    plain = features_of(market)
    other = compute_features(Bars.concat(parts), index=market.index, fear=market.fear, sectors=sectors)
    for old, new in renamed.items():
        first, second = plain.values[plain.symbol == old], other.values[other.symbol == new]
        np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-12)
