"""The features of each new day, from the last bars alone, are those of all history to the last bit."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime.errors import HistoryTooShortError
from regime.features import CATALOGUE
from regime.features.state import KEPT, LOOK_BACK, FeatureState
from regime.types import Bars
from tests.oracle.markets import DAYS, FIRST_DAY, Market, scaled, simulated_market, ugly_market
from tests.oracle.tables import assert_same, between, concat, features_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from regime.types import FeatureTable

few = settings(deadline=None, derandomize=True, max_examples=4)
seeds = st.integers(0, 2**32 - 1)
LAST_DAY: Final = FIRST_DAY + 10_000


def state_of(market: Market) -> FeatureState:
    return FeatureState(market.bars, index=market.index, fear=market.fear, sectors=market.sectors)


def nothing() -> FeatureState:
    return FeatureState(Bars.empty(), index=Bars.empty(), fear=None, sectors={"A": "Energy", "B": "Energy"})


def told(state: FeatureState, market: Market, news: Bars) -> FeatureTable:
    """Give what a state answers to news, beside all of the index and of fear that is known."""
    return state.update(news, index=market.index, fear=market.fear)


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
    return replace(market, bars=Bars.concat([market.bars, news]))


def news_of(market: Market, days: NDArray[np.datetime64]) -> Bars:
    return market.bars.take(np.isin(market.bars.date, days))


def assert_nothing_else_changed(before: FeatureTable, after: FeatureTable, answer: FeatureTable) -> None:
    """Ask that rows of all other days are the same in both."""
    others = ~np.isin(before.date, np.unique(answer.date))
    np.testing.assert_array_equal(before.values[others], after.values[others])


@few
@given(seed=seeds)
def test_one_day_at_a_time_from_nothing_gives_what_all_history_gives(seed: int) -> None:
    market = replace(ugly_market(seed), sectors={"A": "Energy", "B": "Energy"})
    answer = day_by_day(nothing(), market, FIRST_DAY + np.arange(DAYS))
    assert_same(answer, features_of(market))


@few
@given(seed=seeds, restart=st.integers(0, DAYS - 40))
def test_a_state_made_anew_goes_on_as_if_it_had_never_ended(seed: int, restart: int) -> None:
    market = ugly_market(seed)
    days = FIRST_DAY + np.arange(restart + 1, restart + 40)
    answer = day_by_day(state_of(market.until(FIRST_DAY + restart)), market, days)
    assert_same(answer, between(features_of(market), days[0], days[-1]))


def test_a_state_goes_on_when_the_bars_it_keeps_have_been_dropped_twice() -> None:
    market = panel()
    days = market.index.date[KEPT + 3 :]
    assert len(days) > LOOK_BACK
    answer = day_by_day(state_of(market.until(market.index.date[KEPT + 2])), market, days)
    assert_same(answer, between(features_of(market), days[0], days[-1]))


@few
@given(seed=seeds, steps=st.lists(st.integers(1, 60), min_size=5, max_size=10))
def test_several_days_at_once_give_what_all_history_gives(seed: int, steps: list[int]) -> None:
    market = ugly_market(seed)
    state, tables = nothing(), []
    ends = FIRST_DAY + np.cumsum([*steps, DAYS]) - 1
    for first, last in zip([FIRST_DAY - 1, *ends[:-1]], ends, strict=True):
        new = (market.bars.date > first) & (market.bars.date <= last)
        tables.append(told(state, market.until(last), market.bars.take(new)))
    assert_same(concat(tables), features_of(replace(market, sectors={"A": "Energy", "B": "Energy"})))


@pytest.mark.parametrize("days", [LOOK_BACK - 1, LOOK_BACK, LOOK_BACK + 1, 300, KEPT, KEPT + 1])
def test_as_many_days_at_once_as_can_be_answered_give_what_all_history_gives(days: int) -> None:
    market = panel()
    first = market.index.date[-days]
    state = state_of(market.until(first - 1))
    answer = answer_or_anew(state, market, market.bars.take(market.bars.date >= first))
    assert_same(answer, between(features_of(market), first, LAST_DAY))


def answer_or_anew(state: FeatureState, market: Market, news: Bars) -> FeatureTable:
    """Give what a state answers, or the rows since the news began if it says that it cannot."""
    try:
        return told(state, market, news)
    except HistoryTooShortError:
        return features_of(market, since=news.date.min())


def test_a_day_on_which_only_some_symbols_have_bars_is_that_of_those() -> None:
    market = panel()
    day = market.index.date[-1]
    some = market.bars.take((market.bars.date < day) | np.isin(market.bars.symbol, ["S002", "S004"]))
    cut = replace(market, bars=some)
    answer = told(state_of(cut.until(day - 1)), cut, some.take(some.date == day))
    assert answer.symbol.tolist() == ["S002", "S004"]
    assert_same(answer, features_of(cut, since=day))


def test_a_bar_that_comes_late_changes_its_day_and_what_looks_back_upon_it() -> None:
    market = panel()
    day = market.index.date[-30]
    late = market.bars.take((market.bars.symbol == "S002") & (market.bars.date == day))
    without = replace(
        market, bars=market.bars.take((market.bars.symbol != "S002") | (market.bars.date != day))
    )
    answer = told(state_of(without), market, late)
    assert np.unique(answer.date).tolist() == market.index.date[-30:].tolist()
    assert_same(answer, features_of(market, since=day))


@pytest.mark.parametrize("length", [3, 260, KEPT + 1, 3 * LOOK_BACK + 1])
def test_a_symbol_that_comes_with_its_history_has_the_features_of_its_history(length: int) -> None:
    market = panel()
    own = market.bars.of_symbol("S002")
    history = own.take(np.arange(len(own)) >= len(own) - length)
    others = replace(market, bars=market.bars.take(market.bars.symbol != "S002"))
    joined = replace(market, bars=Bars.concat([others.bars, history]))
    answer = answer_or_anew(state_of(others), joined, history)
    assert_same(answer, features_of(joined, since=history.date[0]))


@pytest.mark.parametrize("length", [260, KEPT + 1, 3 * LOOK_BACK + 1])
def test_the_first_symbol_may_come_with_its_history(length: int) -> None:
    market = replace(panel(), bars=panel().bars.of_symbol("S002"), sectors={})
    history = market.bars.take(np.arange(len(market.bars)) >= len(market.bars) - length)
    alone = replace(market, bars=history)
    answer = answer_or_anew(nothing(), alone, history)
    assert_same(answer, features_of(alone))


def test_a_symbol_that_paused_for_years_goes_on_from_what_it_had() -> None:
    market = simulated_market(2, 2600)
    own, date = market.bars.of_symbol("S002"), market.index.date
    paused = own.take((own.date < date[250]) | (own.date >= date[2500]))
    market = with_news(replace(market, bars=market.bars.of_symbol("S001")), paused)
    state = state_of(market.until(date[2500]))
    answer = told(state, market.until(date[2501]), market.bars.take(market.bars.date == date[2501]))
    assert answer.symbol.tolist() == ["S001", "S002"]
    assert_same(answer, features_of(market, since=date[2501], until=date[2501]))


@few
@given(seed=seeds, delay=st.integers(1, 9))
def test_the_index_of_days_past_changes_those_days_and_what_looks_back_upon_them(
    seed: int, delay: int
) -> None:
    market = ugly_market(seed)
    day = market.index.date[-delay]
    early = replace(market, index=market.index.take(market.index.date < day))
    before, after = features_of(early), features_of(market)
    answer = told(state_of(early), market, Bars.empty())
    assert_same(answer, between(after, day, LAST_DAY))
    assert_nothing_else_changed(before, after, answer)


@few
@given(seed=seeds, at=st.integers(0, 280), field=st.sampled_from(["index", "fear"]))
def test_a_restated_context_changes_its_day_and_what_looks_back_upon_it(
    seed: int, at: int, field: str
) -> None:
    market = ugly_market(seed)
    context = market.index if field == "index" else market.fear
    day = context.date[at]
    changed = scaled(context.take(context.date == day), 1.3)
    mended = Bars.concat([context, changed])
    other = replace(market, index=mended) if field == "index" else replace(market, fear=mended)
    before, after = features_of(market), features_of(other)
    answer = told(state_of(market), other, Bars.empty())
    assert_same(answer, between(after, answer.date.min(), answer.date.max()))
    assert answer.date.min() >= day
    assert_nothing_else_changed(before, after, answer)


def test_an_index_day_that_was_wrong_and_is_gone_changes_what_looked_back_upon_it() -> None:
    market = panel()
    day = market.index.date[-20]
    other = replace(market, index=market.index.take(market.index.date != day))
    answer = told(state_of(market), other, Bars.empty())
    assert_same(answer, features_of(other, since=day))


@pytest.mark.parametrize("every", [2, 3])
def test_the_index_may_have_fewer_days_than_the_symbols(every: int) -> None:
    whole = panel(KEPT + LOOK_BACK)
    date = whole.index.date
    market = replace(whole, index=whole.index.take(np.arange(len(date)) % every == 0))
    state = state_of(market.until(date[KEPT - 1]))
    told(state, market, news_of(market, date[KEPT:]))
    changed = scaled(market.index.take(market.index.date == date[270]), 1.3)
    other = replace(market, index=Bars.concat([market.index, changed]))
    answer = told(state, other, Bars.empty())
    before, after = features_of(market), features_of(other)
    assert len(changed) == 1
    assert_same(answer, between(after, date[270], answer.date.max()))
    assert_nothing_else_changed(before, after, answer)


@pytest.mark.parametrize("every", [4, 10])
def test_the_index_may_have_more_days_than_the_symbols(every: int) -> None:
    whole = simulated_market(3, 3200)
    weekly = whole.bars.take(np.isin(whole.bars.date, whole.index.date[::every]))
    market = replace(whole, bars=weekly)
    day = np.unique(weekly.date)[-1]
    answer = told(state_of(market.until(day - 1)), market, weekly.take(weekly.date == day))
    assert_same(answer, features_of(market, since=day))


@settings(deadline=None, derandomize=True, max_examples=12)
@given(ago=st.integers(1, LOOK_BACK), symbol=st.sampled_from(["S001", "S003"]))
def test_a_restated_bar_changes_its_day_and_what_looks_back_upon_it(ago: int, symbol: str) -> None:
    market = panel()
    day = market.index.date[-ago]
    news = restated(market.bars, symbol, day)
    answer = told(state_of(market), with_news(market, news), news)
    assert np.unique(answer.date).tolist() == market.index.date[-ago:].tolist()
    assert_same(answer, features_of(with_news(market, news), since=day))


def test_a_restated_bar_changes_nothing_after_the_last_look_back_upon_it() -> None:
    market = panel()
    state = state_of(market.until(market.index.date[KEPT - 1]))
    day_by_day(state, market, market.index.date[KEPT : KEPT + 200])
    now = market.until(market.index.date[KEPT + 199])
    day, last = now.index.date[LOOK_BACK + 1], now.index.date[LOOK_BACK + LOOK_BACK]
    news = restated(now.bars, "S002", day)
    answer = told(state, with_news(now, news), news)
    before, after = features_of(now), features_of(with_news(now, news))
    assert (answer.date.min(), answer.date.max()) == (day, last)
    assert_same(answer, between(after, day, last))
    assert_nothing_else_changed(before, after, answer)
    differs = ~np.isclose(before.values, after.values, rtol=0, atol=0, equal_nan=True).all(axis=1)
    assert after.date[differs].max() == now.index.date[LOOK_BACK + 254]


@pytest.mark.parametrize("grown", [0, 1, 100, LOOK_BACK - 1, LOOK_BACK])
def test_a_bar_may_be_restated_as_far_back_as_bars_are_kept_however_many_came_since(grown: int) -> None:
    market = panel(KEPT + LOOK_BACK)
    date = market.index.date
    state = state_of(market.until(date[KEPT - 1]))
    if grown:
        told(state, market.until(date[KEPT + grown - 1]), news_of(market, date[KEPT : KEPT + grown]))
    now = market.until(date[KEPT + grown - 1])
    news = restated(now.bars, "S002", date[LOOK_BACK])
    answer = told(state, with_news(now, news), news)
    after = features_of(with_news(now, news))
    assert answer.date.min() == date[LOOK_BACK]
    assert_same(answer, between(after, date[LOOK_BACK], answer.date.max()))


def test_restating_once_does_not_forget_what_the_next_restatement_needs() -> None:
    market = panel()
    state = state_of(market)
    for ago in (200, 250, 100):
        news = restated(market.bars, "S002", market.index.date[-ago])
        market = with_news(market, news)
        answer = told(state, market, news)
        assert_same(answer, features_of(market, since=market.index.date[-ago]))


def test_a_bar_restated_too_long_ago_is_refused_and_nothing_is_taken_in() -> None:
    market = panel()
    today, day = market.index.date[-1], market.index.date[-LOOK_BACK - 20]
    state = state_of(market.until(today - 1))
    news = Bars.concat([restated(market.bars, "S002", day), market.bars.take(market.bars.date == today)])
    with pytest.raises(
        HistoryTooShortError, match=f"S001 changed on {day}, too long ago for the {KEPT} bars"
    ):
        told(state, market, news)
    assert state.days().max() < today
    answer = told(state, market, market.bars.take(market.bars.date == today))
    assert_same(answer, features_of(market, since=today))


def test_an_index_restated_too_long_ago_is_refused_and_nothing_is_taken_in() -> None:
    market = panel()
    today, day = market.index.date[-1], market.index.date[-LOOK_BACK - 20]
    state = state_of(market.until(today - 1))
    changed = scaled(market.index.take(market.index.date == day), 1.3)
    other = replace(market, index=Bars.concat([market.index, changed]))
    with pytest.raises(HistoryTooShortError, match=f"changed on {day}, too long ago"):
        told(state, other, market.bars.take(market.bars.date == today))
    answer = told(state, market, market.bars.take(market.bars.date == today))
    assert_same(answer, features_of(market, since=today))


def test_more_days_at_once_than_can_be_kept_are_refused_and_nothing_is_taken_in() -> None:
    market = panel()
    first = market.index.date[-KEPT - 1]
    state = state_of(market.until(first - 1))
    with pytest.raises(HistoryTooShortError, match="S001 has 517 bars since"):
        told(state, market, market.bars.take(market.bars.date >= first))
    assert state.days().max() == market.index.date[-KEPT - 2]


@few
@given(seed=seeds)
def test_a_bar_told_twice_gives_the_same_answer_twice(seed: int) -> None:
    market = ugly_market(seed)
    day = market.bars.date.max()
    news = market.bars.take(market.bars.date == day)
    state = state_of(market.until(day - 1))
    assert_same(told(state, market, news), told(state, market, news))


def test_no_news_have_no_rows() -> None:
    answer = told(state_of(panel()), panel(), Bars.empty())
    assert answer.values.shape == (0, len(CATALOGUE))


def test_no_news_from_nothing_have_no_rows() -> None:
    answer = nothing().update(Bars.empty(), index=Bars.empty(), fear=None)
    assert answer.values.shape == (0, len(CATALOGUE))


def test_an_index_before_any_symbol_has_no_rows() -> None:
    answer = nothing().update(Bars.empty(), index=panel().index, fear=panel().fear)
    assert answer.values.shape == (0, len(CATALOGUE))


def test_history_of_the_index_that_is_not_told_any_more_is_no_change() -> None:
    market = panel()
    today, recent = market.index.date[-1], market.index.date[-2 * LOOK_BACK]
    state = state_of(market.until(today - 1))
    short = replace(
        market,
        index=market.index.take(market.index.date >= recent),
        fear=market.fear.take(market.fear.date >= recent),
    )
    answer = told(state, short, market.bars.take(market.bars.date == today))
    assert_same(answer, features_of(market, since=today))


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(threads: int) -> None:
    market, today = panel(), panel().index.date[-1]
    state = state_of(market.until(today - 1))
    news = market.bars.take(market.bars.date == today)
    answer = state.update(news, index=market.index, fear=market.fear, threads=threads)
    assert_same(answer, features_of(market, since=today))


def test_a_copy_goes_its_own_way() -> None:
    market, today = panel(), panel().index.date[-1]
    state = state_of(market.until(today - 1))
    other = state.copy()
    told(other, market, scaled(market.bars.take(market.bars.date >= today - 9), 3.0))
    answer = told(state, market, market.bars.take(market.bars.date == today))
    assert len(other) == len(state) == 4
    assert_same(answer, features_of(market, since=today))


def test_the_table_of_the_last_days_is_that_of_all_history() -> None:
    state, date = state_of(panel()), panel().index.date
    assert state.days().tolist() == date[-KEPT:].tolist()
    assert_same(state.table(date[-20]), features_of(panel(), since=date[-20]))
    assert_same(state.table(date[-20], date[-9]), features_of(panel(), since=date[-20], until=date[-9]))
