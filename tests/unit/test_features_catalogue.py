"""The catalogue: 179 features that are told apart, declared exactly, and named by a hash."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from regime.features import CATALOGUE, CATALOGUE_VERSION, catalogue_hash
from regime.features.page import catalogue_markdown
from tests.oracle.markets import Market, real_market, simulated_market
from tests.oracle.tables import features_of

if TYPE_CHECKING:
    from regime.types import FeatureTable

LOOK_BACKS: Final = sorted({feature.look_back for feature in CATALOGUE})


def last_days(market: Market, days: int) -> FeatureTable:
    """Give the features of the last days of a market, its index and fear cut like it."""
    since = market.index.date[-days]
    bars, index, fear = (part.take(part.date >= since) for part in (market.bars, market.index, market.fear))
    return features_of(Market(bars=bars, index=index, fear=fear, sectors=market.sectors))


def test_there_are_179_features_each_with_its_own_name_and_formula() -> None:
    assert len(CATALOGUE) == 179
    assert len({feature.name for feature in CATALOGUE}) == 179
    assert all(feature.formula and feature.source and feature.inputs for feature in CATALOGUE)


def test_every_family_is_covered() -> None:
    assert Counter(feature.family for feature in CATALOGUE) == {
        "momentum": 15,
        "trend": 18,
        "volume": 13,
        "volatility": 23,
        "price_pattern": 16,
        "statistical": 18,
        "market_structure": 13,
        "multi_timeframe": 11,
        "market_context": 38,
        "derived": 14,
    }


def test_no_feature_looks_back_further_than_a_year_and_a_week() -> None:
    assert max(feature.look_back for feature in CATALOGUE) == 258
    assert max(feature.warm_up for feature in CATALOGUE) == 253


def test_the_look_back_exceeds_the_warm_up_by_today_and_by_what_may_be_carried() -> None:
    carried = {f.name for f in CATALOGUE if f.look_back != f.warm_up + 1}
    assert all(f.look_back - f.warm_up in {1, 6} for f in CATALOGUE)
    assert carried == {f.name for f in CATALOGUE if {"index", "fear"} & {*f.inputs}}


def test_the_hash_is_that_of_version_1() -> None:
    assert CATALOGUE_VERSION == "1"
    assert catalogue_hash() == "086bcba2ce5901b2b9957039a03f80ccd3b57835ba6064d88615ec3ee335cb25"


def test_the_hash_changes_with_a_formula() -> None:
    changed = (replace(CATALOGUE[0], formula="close"), *CATALOGUE[1:])
    assert catalogue_hash(changed) != catalogue_hash()


def test_the_hash_changes_with_a_name() -> None:
    changed = (replace(CATALOGUE[0], name="strength"), *CATALOGUE[1:])
    assert catalogue_hash(changed) != catalogue_hash()


def test_the_hash_changes_with_the_order() -> None:
    assert catalogue_hash(CATALOGUE[::-1]) != catalogue_hash()


def test_the_hash_changes_with_the_version() -> None:
    assert catalogue_hash(version="2") != catalogue_hash()


def test_the_page_tells_every_feature_with_its_formula() -> None:
    lines = catalogue_markdown().splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    assert list(rows) == [feature.name for feature in CATALOGUE]
    assert rows["sma_20_vs_50"] == (
        "| `sma_20_vs_50` | mean(close, 20) / mean(close, 50) - 1 | close | 50 | 49 |"
        " reference system, corrected |"
    )


def assert_distinct(table: FeatureTable) -> None:
    """Ask that features differ from row to row, and each from every other, where all are known."""
    known = table.values[~np.isnan(table.values).any(axis=1)]
    assert len(known) > 1000
    assert (known.std(axis=0) > 1e-4).all()
    correlation = np.abs(np.corrcoef(known.T))
    assert correlation[np.triu_indices(179, 1)].max() < 0.9999


@pytest.mark.parametrize(("symbols", "days"), [(6, 700), (25, 500)])
def test_no_feature_is_constant_or_the_double_of_another_in_a_simulated_market(
    symbols: int, days: int
) -> None:
    assert_distinct(features_of(simulated_market(symbols, days)))


def test_no_feature_is_constant_or_the_double_of_another_in_a_real_market() -> None:
    assert_distinct(features_of(replace(real_market(), sectors={})))


def test_a_value_needs_no_more_bars_than_it_declares() -> None:
    market = simulated_market(1, 300)
    whole = last_days(market, 300).values[-1]
    cut = {look_back: last_days(market, look_back).values[-1] for look_back in LOOK_BACKS}
    last = np.array([cut[feature.look_back][at] for at, feature in enumerate(CATALOGUE)])
    assert not np.isnan(last).any()
    np.testing.assert_array_equal(last, whole)
