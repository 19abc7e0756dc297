"""The features of each new day, from the last bars alone, are those of all history to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.errors import HistoryTooShortError
from regime.features import CATALOGUE
from regime.features.state import KEPT, LOOK_BACK
from regime.types import Bars
from tests.examples import examples
from tests.oracle.markets import DAYS, FIRST_DAY, scaled, simulated_market, ugly_market
from tests.oracle.states import (
    answer_or_anew,
    day_by_day,
    nothing,
    panel,
    state_of,
    told,
    with_news,
)
from tests.oracle.tables import assert_same, between, concat, features_of

few = examples(4)
seeds = st.integers(0, 2**32 - 1)
LAST_DAY: Final = FIRST_DAY + 10_000


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


def test_a_day_on_which_only_some_symbols_have_bars_is_that_of_those() -> None:
    market = panel()
    day = market.index.date[-1]
    some = market.bars.take((market.bars.date < day) | np.isin(market.bars.symbol, ["S002", "S004"]))
    cut = replace(market, bars=some)
    answer = told(state_of(cut.until(day - 1)), cut, some.take(some.date == day))
    assert answer.symbol.tolist() == ["S002", "S004"]
    assert_same(answer, features_of(cut, since=day))


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


@pytest.mark.parametrize("every", [4, 10])
def test_the_index_may_have_more_days_than_the_symbols(every: int) -> None:
    whole = simulated_market(3, 3200)
    weekly = whole.bars.take(np.isin(whole.bars.date, whole.index.date[::every]))
    market = replace(whole, bars=weekly)
    day = np.unique(weekly.date)[-1]
    answer = told(state_of(market.until(day - 1)), market, weekly.take(weekly.date == day))
    assert_same(answer, features_of(market, since=day))


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
