"""A bar, the index or fear that is restated or late changes what looks back upon it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime.errors import HistoryTooShortError
from regime.features.state import KEPT, LOOK_BACK
from regime.types import Bars
from tests.examples import examples
from tests.oracle.markets import FIRST_DAY, scaled, simulated_market, ugly_market
from tests.oracle.states import (
    answer_or_anew,
    assert_nothing_else_changed,
    day_by_day,
    news_of,
    panel,
    restated,
    state_of,
    told,
    with_news,
)
from tests.oracle.tables import assert_same, between, features_of

few = examples(4)
seeds = st.integers(0, 2**32 - 1)
LAST_DAY: Final = FIRST_DAY + 10_000


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


@examples(10)
@given(seed=seeds, bar=st.integers(0, 500))
def test_any_bar_of_an_ugly_market_may_be_restated(seed: int, bar: int) -> None:
    market = ugly_market(seed)
    symbol, day = str(market.bars.symbol[bar]), market.bars.date[bar]
    news = restated(market.bars, symbol, day)
    after = features_of(with_news(market, news))
    answer = told(state_of(market), with_news(market, news), news)
    own = market.bars.of_symbol(symbol).date
    last = own[min(np.searchsorted(own, day) + LOOK_BACK, len(own)) - 1]
    assert_same(answer, between(after, day, last))
    assert_nothing_else_changed(features_of(market), after, answer)


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


@pytest.mark.parametrize("field", ["index", "fear"])
def test_a_restated_context_changes_what_rarer_symbols_compute_with_it(field: str) -> None:
    whole = simulated_market(2, 3200)
    market = replace(whole, bars=whole.bars.take(np.isin(whole.bars.date, whole.index.date[::4])))
    day = np.unique(market.bars.date)[-200]
    context = market.index if field == "index" else market.fear
    mended = Bars.concat([context, scaled(context.take(context.date == day), 1.3)])
    other = replace(market, index=mended) if field == "index" else replace(market, fear=mended)
    answer = told(state_of(market), other, Bars.empty())
    after = features_of(other)
    assert_same(answer, between(after, day, answer.date.max()))
    assert_nothing_else_changed(features_of(market), after, answer)


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


@examples(12)
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


@pytest.mark.parametrize("further", [1, 5, 9, LOOK_BACK])
def test_a_bar_restated_a_little_too_long_ago_is_not_answered_from_too_few_bars(further: int) -> None:
    market = panel()
    day = market.index.date[-LOOK_BACK - further]
    news = restated(market.bars, "S002", day)
    answer = answer_or_anew(state_of(market), with_news(market, news), news)
    assert_same(answer, between(features_of(with_news(market, news)), day, answer.date.max()))


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


@few
@given(seed=seeds, first=st.integers(10, 250))
def test_history_of_the_index_that_is_told_later_changes_what_looks_back_upon_it(
    seed: int, first: int
) -> None:
    market = ugly_market(seed)
    short = replace(market, index=market.index.take(market.index.date >= FIRST_DAY + first))
    answer = told(state_of(short), market, Bars.empty())
    after = features_of(market)
    assert_same(answer, between(after, answer.date.min(), answer.date.max()))
    assert_nothing_else_changed(features_of(short), after, answer)
