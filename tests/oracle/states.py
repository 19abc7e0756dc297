"""States of features and what they are told: news, restated bars, an index that comes late."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from regime.errors import HistoryTooShortError
from regime.features.state import LOOK_BACK, FeatureState
from regime.types import Bars
from tests.oracle.markets import Market, scaled, simulated_market
from tests.oracle.tables import concat, features_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from regime.types import FeatureTable


def state_of(market: Market) -> FeatureState:
    """Give a state that was told all of a market at once."""
    return FeatureState(market.bars, index=market.index, fear=market.fear, sectors=market.sectors)


def nothing() -> FeatureState:
    """Give a state that was told nothing but the sectors of two symbols."""
    return FeatureState(Bars.empty(), index=Bars.empty(), fear=None, sectors={"A": "Energy", "B": "Energy"})


def told(state: FeatureState, market: Market, news: Bars) -> FeatureTable:
    """Give what a state answers to news, beside all of the index and of fear that is known."""
    return state.update(news, index=market.index, fear=market.fear)


def answer_or_anew(state: FeatureState, market: Market, news: Bars) -> FeatureTable:
    """Give what a state answers, or the rows since the news began if it says that it cannot."""
    try:
        return told(state, market, news)
    except HistoryTooShortError:
        return features_of(market, since=news.date.min())


def day_by_day(state: FeatureState, market: Market, days: Iterable[np.datetime64]) -> FeatureTable:
    """Give all that a state answers when it is told of each day at its close."""
    tables = [told(state, market.until(day), market.bars.take(market.bars.date == day)) for day in days]
    return concat(tables)


@cache
def panel(days: int = 3 * LOOK_BACK + 20) -> Market:
    """Give a market whose symbols have more bars than are kept."""
    return simulated_market(4, days)


def restated(bars: Bars, symbol: str, day: np.datetime64) -> Bars:
    """Give the bar of a day with other prices and volume."""
    return scaled(bars.take((bars.symbol == symbol) & (bars.date == day)), 1.07, 0.5)


def with_news(market: Market, news: Bars) -> Market:
    """Give a market with bars that are new or replace those of the same days."""
    return replace(market, bars=Bars.concat([market.bars, news]))


def news_of(market: Market, days: NDArray[np.datetime64]) -> Bars:
    """Give the bars of some days."""
    return market.bars.take(np.isin(market.bars.date, days))


def assert_nothing_else_changed(before: FeatureTable, after: FeatureTable, answer: FeatureTable) -> None:
    """Ask that rows of all other days are the same in both."""
    others = ~np.isin(before.date, np.unique(answer.date))
    np.testing.assert_array_equal(before.values[others], after.values[others])
