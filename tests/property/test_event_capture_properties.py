"""What must hold for the capture of rare events in any market: nothing from the future, nothing forgotten."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from regime.event_capture import CaptureSettings, CaptureState, MarketDay, capture
from regime.types import Regime
from tests.examples import examples

FIRST = date(2000, 1, 3)

rules = st.builds(
    CaptureSettings,
    window_days=st.integers(1, 8),
    days_min=st.integers(1, 4),
    gap_days=st.integers(1, 6),
    crash_share_min=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
stretches = st.tuples(
    st.integers(1, 9),
    st.one_of(st.none(), st.sampled_from([12.0, 39.99, 40.0, 55.5])),
    st.sampled_from([Regime.CRASH, Regime.CRASH, Regime.NORMAL, Regime.UNKNOWN]),
)
markets = st.lists(stretches, min_size=1, max_size=25).map(
    lambda told: [
        MarketDay(date=FIRST + timedelta(days=at), fear=fear, regime=regime)
        for at, (fear, regime) in enumerate(
            (fear, regime) for count, fear, regime in told for _ in range(count)
        )
    ]
)


@examples(40)
@given(rule=rules, days=markets, data=st.data())
def test_what_the_first_days_tell_is_the_beginning_of_what_all_days_tell(
    rule: CaptureSettings, days: list[MarketDay], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(days)))
    _, whole = capture(CaptureState(), rule, days)
    _, early = capture(CaptureState(), rule, days[:cut])
    assert whole[: len(early)] == early


@examples(40)
@given(rule=rules, days=markets, data=st.data())
def test_a_restart_from_the_saved_state_changes_nothing(
    rule: CaptureSettings, days: list[MarketDay], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(days)))
    end, whole = capture(CaptureState(), rule, days)
    middle, early = capture(CaptureState(), rule, days[:cut])
    restored = CaptureState.from_json(middle.to_json())
    assert restored == middle
    after, late = capture(restored, rule, days[cut:])
    assert (after, early + late) == (end, whole)


@examples(40)
@given(rule=rules, days=markets)
def test_a_closed_episode_never_changes(rule: CaptureSettings, days: list[MarketDay]) -> None:
    _, changes = capture(CaptureState(), rule, days)
    closed = [at for at, change in enumerate(changes) if change.kind == "closed"]
    for at in closed:
        later = {change.episode.id for change in changes[at + 1 :]}
        assert changes[at].episode.id not in later


@examples(40)
@given(rule=rules, days=markets)
def test_episodes_are_apart_by_more_sessions_than_the_gap_and_hold_days_enough(
    rule: CaptureSettings, days: list[MarketDay]
) -> None:
    _, changes = capture(CaptureState(), rule, days)
    final = list({change.episode.id: change.episode for change in changes}.values())
    for episode in final:
        assert episode.days >= rule.days_min
        assert episode.first_day <= episode.last_day
        assert episode.opened_on <= episode.last_day
        assert episode.fear_peak >= rule.fear_min
    for one, other in pairwise(final):
        assert (other.first_day - one.last_day).days > rule.gap_days


@examples(40)
@given(rule=rules, days=markets)
def test_the_state_stays_as_small_as_the_window(rule: CaptureSettings, days: list[MarketDay]) -> None:
    state, _ = capture(CaptureState(), rule, days)
    assert len(state.crashes) <= rule.window_days
