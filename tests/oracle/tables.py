"""Feature tables: how to get one of a market, cut it, and compare two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from regime.features import compute_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from regime.types import FeatureTable
    from tests.oracle.markets import Market


def features_of(market: Market, **options: Any) -> FeatureTable:
    """Give the features of a market; ``options`` are those of ``compute_features``."""
    given = {"index": market.index, "fear": market.fear, "sectors": market.sectors}
    return compute_features(market.bars, **{**given, **options})


def rows_of(table: FeatureTable, rows: NDArray[np.bool_]) -> FeatureTable:
    """Give some rows of a table."""
    return replace(table, symbol=table.symbol[rows], date=table.date[rows], values=table.values[rows])


def between(table: FeatureTable, first: np.datetime64, last: np.datetime64) -> FeatureTable:
    """Give the rows of the days from ``first`` to ``last``."""
    return rows_of(table, (table.date >= first) & (table.date <= last))


def last_day(table: FeatureTable) -> FeatureTable:
    """Give the rows of the last day."""
    return rows_of(table, table.date == table.date.max())


def assert_same(first: FeatureTable, second: FeatureTable) -> None:
    """Ask for the same rows, with values that are the same to the last bit."""
    assert len(first)
    assert first.symbol.tolist() == second.symbol.tolist()
    assert first.date.tolist() == second.date.tolist()
    np.testing.assert_array_equal(first.values, second.values)


def assert_close(first: FeatureTable, second: FeatureTable) -> None:
    """Ask for the same values up to rounding; the rows may be told by other names."""
    assert len(first)
    np.testing.assert_allclose(first.values, second.values, rtol=1e-6, atol=1e-9, equal_nan=True)


def concat(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Give the rows of several tables in the order of symbols and days."""
    symbol, date = (np.concatenate([getattr(table, name) for table in tables]) for name in ("symbol", "date"))
    order = np.lexsort((date, symbol))
    values = np.concatenate([table.values for table in tables])[order]
    return replace(tables[0], symbol=symbol[order], date=date[order], values=values)
