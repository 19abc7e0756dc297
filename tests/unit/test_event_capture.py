"""Capture of rare events: what opens, extends and closes an episode, and what does not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from arch.data import sp500

from regime.errors import SettingInvalidError
from regime.event_capture import (
    CaptureSettings,
    CaptureState,
    Episode,
    MarketDay,
    capture,
    captured_events,
    market_days,
    step,
)
from regime.event_shortfall import shortfall_of
from regime.events import RARE_EVENTS, event_named, overlap_days, same_as
from regime.labels import StateInvalidError, days_of, label_days, labeler_named
from regime.types import Bars, Regime

if TYPE_CHECKING:
    from collections.abc import Sequence

RULE = CaptureSettings(window_days=4, days_min=3, gap_days=5)
FIRST = date(2008, 9, 1)
HOT = (45.0, Regime.CRASH)
CALM = (15.0, Regime.NORMAL)


def days(*stretches: tuple[int, tuple[float | None, Regime]]) -> list[MarketDay]:
    told = [what for count, what in stretches for _ in range(count)]
    return [
        MarketDay(date=FIRST + timedelta(days=at), fear=fear, regime=regime)
        for at, (fear, regime) in enumerate(told)
    ]


def changes(*stretches: tuple[int, tuple[float | None, Regime]]) -> list[tuple[str, int, int]]:
    """Give each change's kind, and the first and last day of its episode, counted from the first day."""
    _, found = capture(CaptureState(), RULE, days(*stretches))
    return [
        (change.kind, (change.episode.first_day - FIRST).days, (change.episode.last_day - FIRST).days)
        for change in found
    ]


def test_three_qualifying_days_running_open_an_episode_that_begins_with_the_first_of_them() -> None:
    assert changes((1, CALM), (4, HOT)) == [("opened", 2, 4)]


def test_two_qualifying_days_open_nothing() -> None:
    assert changes((1, CALM), (3, HOT), (10, CALM)) == []


def test_a_run_that_is_interrupted_begins_anew() -> None:
    dip = (39.9, Regime.CRASH)
    assert changes((1, CALM), (3, HOT), (1, dip), (2, HOT)) == []
    assert changes((1, CALM), (3, HOT), (1, dip), (3, HOT)) == [("opened", 5, 7)]


def test_fear_of_exactly_40_and_a_share_of_exactly_one_half_qualify() -> None:
    assert changes((2, CALM), (2, (39.0, Regime.CRASH)), (3, (40.0, Regime.CRASH))) == [("opened", 4, 6)]
    assert changes((2, (45.0, Regime.NORMAL)), (2, (45.0, Regime.CRASH)), (2, (45.0, Regime.NORMAL))) == [
        ("opened", 3, 5)
    ]


def test_fear_without_a_crash_and_a_crash_without_fear_open_nothing() -> None:
    assert changes((20, (60.0, Regime.HIGH_VOLATILITY))) == []
    assert changes((20, (39.0, Regime.CRASH))) == []


def test_a_day_without_fear_does_not_qualify() -> None:
    assert changes((20, (None, Regime.UNKNOWN))) == []
    assert changes((3, HOT), (1, (None, Regime.CRASH)), (2, HOT)) == []


def test_sessions_before_the_history_began_are_no_crash() -> None:
    assert changes((1, HOT)) == []
    assert changes((3, HOT)) == []
    assert changes((4, HOT)) == [("opened", 1, 3)]


def test_each_later_qualifying_day_extends_the_episode_also_after_a_pause() -> None:
    found = changes((1, CALM), (4, HOT), (3, CALM), (2, HOT))
    assert found == [("opened", 2, 4), ("extended", 2, 9)]


def test_days_enough_without_a_qualifying_one_close_the_episode() -> None:
    assert changes((1, CALM), (4, HOT), (4, CALM)) == [("opened", 2, 4)]
    assert changes((1, CALM), (4, HOT), (5, CALM)) == [("opened", 2, 4), ("closed", 2, 4)]


def test_after_it_is_closed_another_episode_may_open() -> None:
    found = changes((1, CALM), (4, HOT), (5, CALM), (4, HOT))
    assert [kind for kind, _, _ in found] == ["opened", "closed", "opened"]


def test_an_episode_knows_its_days_its_worst_fear_and_when_it_could_be_known() -> None:
    state, found = capture(
        CaptureState(), RULE, days((1, CALM), (3, HOT), (1, (61.5, Regime.CRASH)), (1, HOT), (5, CALM))
    )
    assert found[-1].episode == Episode(
        first_day=FIRST + timedelta(days=2),
        last_day=FIRST + timedelta(days=5),
        days=4,
        fear_peak=61.5,
        opened_on=FIRST + timedelta(days=4),
        closed_on=FIRST + timedelta(days=10),
    )
    assert (state.episode, state.run, state.quiet_days) == (None, None, 0)


def test_an_episode_becomes_an_event_that_is_named_by_its_first_day() -> None:
    (opened,) = capture(CaptureState(), RULE, days((1, CALM), (4, HOT)))[1]
    event = opened.episode.event(weight=0.25)
    assert (event.id, event.origin, event.regime, event.weight) == (
        "dynamic_2008_09_03",
        "dynamic",
        Regime.CRASH,
        0.25,
    )


def test_a_state_that_is_damaged_or_another_ones_is_refused() -> None:
    whole = json.loads(CaptureState().to_json())
    for text in ("", "[]", json.dumps({**whole, "kind": "rules"}), json.dumps({"kind": "event_capture"})):
        with pytest.raises(StateInvalidError, match="event_capture"):
            CaptureState.from_json(text)


def test_settings_that_make_no_sense_are_named_all_at_once() -> None:
    with pytest.raises(SettingInvalidError, match=r"fear_min is 0.*crash_share_min is 1\.5.*days_min is 0"):
        CaptureSettings(fear_min=0, crash_share_min=1.5, days_min=0)


def test_other_numbers_are_another_version() -> None:
    assert RULE.version == replace(RULE).version
    assert RULE.version != replace(RULE, gap_days=6).version


def test_only_closed_episodes_that_are_new_are_events() -> None:
    told = days((1, CALM), (4, HOT), (5, CALM))
    (event,) = captured_events(told, RULE, known=(), weight=0.1, same_share=0.5)
    assert event.id == "dynamic_2008_09_03"
    assert captured_events(told[:-1], RULE, known=(), weight=0.1, same_share=0.5) == ()
    assert captured_events(told, RULE, known=RARE_EVENTS, weight=0.1, same_share=0.5) == ()


def test_the_proxy_does_not_stand_in_for_a_fear_index_that_has_not_come() -> None:
    index = simulated_index()
    regimes = [Regime.CRASH] * len(index)
    by_proxy = market_days(days_of(index, None), regimes, has_fear_index=False)
    assert by_proxy[-1].fear is not None
    assert market_days(days_of(index, None), regimes, has_fear_index=True)[-1].fear is None


def simulated_index() -> Bars:
    rng = np.random.default_rng(1)
    date_ = np.arange("2010-01-01", "2012-01-01", dtype="datetime64[D]")
    return Bars.of_closes("^IDX", date_, 100 * np.exp(np.cumsum(0.01 * rng.standard_normal(len(date_)))))


# Real prices


@pytest.fixture(scope="module")
def history() -> Sequence[MarketDay]:
    """Give the S&P 500 of 1999 to 2018, its fear by proxy."""
    prices = sp500.load()
    index = Bars.of_closes(
        "^GSPC", prices.index.to_numpy().astype("datetime64[D]"), prices["Close"].to_numpy()
    )
    labels = label_days(index, None, labeler_named("rules", has_fear=False))
    return market_days(days_of(index, None), labels.regime, has_fear_index=False)


def test_the_crisis_of_2008_is_found_in_the_prices_of_the_index_alone(history: Sequence[MarketDay]) -> None:
    _, found = capture(CaptureState(), CaptureSettings(), history)
    events = [change.episode.event(weight=0.1) for change in found if change.kind == "closed"]
    crisis = event_named("2008_financial_crisis")
    (episode,) = [event for event in events if overlap_days(event, crisis)]
    assert same_as(episode, RARE_EVENTS, share_min=0.5) == ("2008_financial_crisis",)
    assert episode.first_day < date(2008, 10, 1)


def test_what_an_event_lacked_to_be_found_is_told_in_numbers(history: Sequence[MarketDay]) -> None:
    lacked = shortfall_of(event_named("2018_volmageddon"), CaptureSettings(), history)
    assert (lacked.sessions, lacked.qualifying_days, lacked.run_max) == (19, 0, 0)
    assert lacked.fear_peak is not None
    found = shortfall_of(event_named("2008_financial_crisis"), CaptureSettings(), history)
    assert found.run_max >= 3
    assert found.crash_days_max == 10


def test_an_event_without_fear_has_no_peak() -> None:
    told = [MarketDay(date=date(2018, 2, 5), fear=None, regime=Regime.UNKNOWN)]
    assert shortfall_of(event_named("2018_volmageddon"), CaptureSettings(), told).fear_peak is None


def test_a_single_step_is_a_pass_over_one_day() -> None:
    state = CaptureState()
    seen = []
    for day in days((1, CALM), (4, HOT)):
        state, change = step(state, RULE, day)
        seen += [] if change is None else [change.kind]
    assert seen == ["opened"]
