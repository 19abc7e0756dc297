"""What must hold for the features of any bars, however ugly: no future, no unit, no memory, no infinity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.features import CATALOGUE, compute_features
from regime.types import Bars
from tests.examples import examples
from tests.oracle.engines import with_extension, without_extension
from tests.oracle.markets import DAYS, FIRST_DAY, SECTORS, Market, scaled, ugly_market, ugly_symbol
from tests.oracle.tables import assert_close, assert_same, features_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from regime.types import FeatureTable

WARM_UP: Final = np.array([feature.warm_up for feature in CATALOGUE])
ENGINES: Final = {"c": with_extension(), "numpy": without_extension()}
either_engine = pytest.mark.parametrize("compute", ENGINES.values(), ids=ENGINES)
few = examples(6)
seeds = st.integers(0, 2**32 - 1)
units = st.sampled_from([0.01, 7.0, 1000.0])


def whole_calendar(rng: np.random.Generator, start: int = 0) -> tuple[Bars, Bars, Bars]:
    """Give two symbols, of which the second starts late, an index and fear without missing days."""
    date = FIRST_DAY + np.arange(DAYS)
    bars = Bars.concat([ugly_symbol(rng, "A", date), ugly_symbol(rng, "B", date[start:])])
    return bars, ugly_symbol(rng, "^IDX", date), Bars.of_closes("^FEAR", date, 20 + rng.random(DAYS))


def reads(field: str) -> NDArray[np.bool_]:
    """Tell which features name a field."""
    return np.array([field in feature.inputs for feature in CATALOGUE])


@few
@given(seed=seeds, price=units, volume=units)
def test_the_unit_of_prices_and_volumes_changes_nothing(seed: int, price: float, volume: float) -> None:
    market = ugly_market(seed)
    other = replace(market, bars=scaled(market.bars, price, volume), index=scaled(market.index, price))
    assert_close(features_of(market), features_of(other))


@few
@given(seed=seeds, price=units)
def test_a_split_of_one_symbol_changes_no_other(seed: int, price: float) -> None:
    market = ugly_market(seed)
    split = Bars.concat([market.bars, scaled(market.bars.of_symbol("B"), price, 1 / price)])
    assert_close(features_of(market), features_of(replace(market, bars=split)))


@few
@given(seed=seeds, other_seed=seeds, cut=st.integers(1, DAYS - 1))
def test_what_comes_later_changes_nothing_before(seed: int, other_seed: int, cut: int) -> None:
    day = FIRST_DAY + cut
    mine, theirs = ugly_market(seed), ugly_market(other_seed)
    bars, index, fear = (
        Bars.concat([part.take(part.date < day), other.take(other.date >= day)])
        for part, other in ((mine.bars, theirs.bars), (mine.index, theirs.index), (mine.fear, theirs.fear))
    )
    plain = features_of(mine)
    altered = features_of(Market(bars=bars, index=index, fear=fear, sectors=SECTORS))
    assert_same(rows_of(plain, plain.date < day), rows_of(altered, altered.date < day))


@few
@given(seed=seeds)
def test_no_value_is_infinite(seed: int) -> None:
    table = features_of(ugly_market(seed))
    assert np.isfinite(table.values).any(axis=0).sum() > 170
    assert not np.isinf(table.values).any()


@either_engine
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("least", "most", "volume"), [(1e-300, 1e8, 1e300), (5e-324, 9e8, 1.7e308)])
def test_no_value_is_infinite_at_the_edge_of_what_a_number_holds(
    compute: Callable[..., FeatureTable],
    dtype: type[np.floating],
    least: float,
    most: float,
    volume: float,
) -> None:
    rng = np.random.default_rng(0)
    date = FIRST_DAY + np.arange(DAYS)
    parts = []
    for name in ("A", "B", "C"):
        open_, close = np.exp(rng.uniform(np.log(least), np.log(most), (2, DAYS)))
        high, low = np.maximum(open_, close), np.minimum(open_, close)
        parts.append(Bars.of(name, date, open_, high, low, close, volume * rng.random(DAYS)))
    context = {"index": parts[0], "fear": Bars.of_closes("^FEAR", date, parts[1].close), "sectors": SECTORS}
    values = compute(Bars.concat(parts), **context, dtype=dtype).values
    assert values.dtype == dtype
    assert np.isfinite(values[-1]).sum() > 80
    assert not np.isinf(values).any()


@either_engine
@few
@given(seed=seeds, start=st.integers(0, 60))
def test_warm_up_is_as_declared_for_early_and_late_symbols(
    compute: Callable[..., FeatureTable], seed: int, start: int
) -> None:
    bars, index, fear = whole_calendar(np.random.default_rng(seed), start)
    table = compute(bars, index=index, fear=fear, sectors=SECTORS)
    for symbol in ("A", "B"):
        rows = table.values[table.symbol == symbol]
        np.testing.assert_array_equal(np.isnan(rows), np.arange(len(rows))[:, None] < WARM_UP)


@either_engine
@few
@given(seed=seeds, field=st.sampled_from(["open", "high", "low", "volume"]))
def test_a_missing_field_silences_the_features_that_name_it_and_no_other(
    compute: Callable[..., FeatureTable], seed: int, field: str
) -> None:
    bars, index, _ = whole_calendar(np.random.default_rng(seed))
    unknown = replace(bars, **{field: np.full(len(bars), np.nan)})
    plain = compute(bars, index=index).values
    without = compute(unknown, index=index).values
    assert np.isnan(without[:, reads(field)]).all()
    np.testing.assert_array_equal(plain[:, ~reads(field)], without[:, ~reads(field)])


@few
@given(seed=seeds, field=st.sampled_from(["open", "high", "low", "volume"]), row=st.integers(0, DAYS - 1))
def test_a_bar_without_a_field_is_not_known_as_long_as_features_look_back_upon_it(
    seed: int, field: str, row: int
) -> None:
    rng = np.random.default_rng(seed)
    bars = ugly_symbol(rng, "A", FIRST_DAY + np.arange(DAYS))
    index = ugly_symbol(rng, "^IDX", bars.date)
    values = getattr(bars, field).copy()
    values[row] = np.nan
    plain = compute_features(bars, index=index).values
    without = compute_features(replace(bars, **{field: values}), index=index).values
    age = np.arange(DAYS)[:, None] - row
    look_back = np.array([feature.look_back for feature in CATALOGUE])
    touched = reads(field) & (age >= 0) & (age < look_back)
    np.testing.assert_array_equal(plain[~touched], without[~touched])
    assert np.isnan(without[row, reads(field)]).sum() >= reads(field).sum() / 2


@pytest.mark.parametrize("kept", ["index", "fear"])
def test_a_missing_context_silences_the_features_that_name_it_and_no_other(kept: str) -> None:
    market = ugly_market(1)
    plain = features_of(market).values
    partial = features_of(
        market,
        index=market.index if kept == "index" else Bars.empty(),
        fear=market.fear if kept == "fear" else None,
    ).values
    lost = reads("fear" if kept == "index" else "index")
    assert np.isnan(partial[:, lost]).all()
    np.testing.assert_array_equal(plain[:, ~lost], partial[:, ~lost])
