"""The promise of decision 013 on flicker, against wild markets and constants."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from regime.labels import FlickerBounds, RulesConstants, RulesLabeler, flicker_bounds, spells_of
from regime.types import Regime
from tests.examples import examples

wild_days = st.lists(
    st.tuples(
        st.sampled_from([0.7, 0.9, 0.97, 1.0, 1.03, 1.1, 1.3]), st.sampled_from([9, 15, 19, 24, 27, 60])
    ),
    min_size=30,
    max_size=150,
)
held_days = st.lists(
    st.tuples(
        st.sampled_from([0.9, 1.0, 1.04, 1.2]),
        st.sampled_from([10, 15, 18, 21, 24, 30, 60]),
        st.integers(1, 8),
    ),
    min_size=5,
    max_size=40,
).map(lambda runs: [(move, fear) for move, fear, days in runs for _ in range(days)])
constants = st.builds(RulesConstants, dwell_days=st.integers(0, 8), confirm_days=st.integers(0, 6))


def switches(days: list[tuple[float, int]], numbers: RulesConstants) -> list[tuple[int, Regime, Regime]]:
    """Give the sessions on which the regime changed, from what and into what."""
    closes = [100.0]
    for move, _ in days:
        closes.append(min(max(closes[-1] * move, 1.0), 1e6))
    labeler = RulesLabeler(constants=numbers)
    _, labels = labeler.run(labeler.start(), closes[1:], [float(fear) for _, fear in days])
    spells = spells_of([label.regime for label in labels])
    return [(after.first, before.regime, after.regime) for before, after in pairwise(spells)]


def check(days: list[tuple[float, int]], numbers: RulesConstants) -> None:
    bounds = flicker_bounds(numbers)
    found = switches(days, numbers)
    entries = [day for day, _, into in found if into is Regime.CRASH]
    exits = [day for day, out_of, _ in found if out_of is Regime.CRASH]
    others = [day for day, _, into in found if into is not Regime.CRASH]
    assert gap(entries) >= bounds.crash_exits_apart
    assert gap(exits) >= bounds.crash_exits_apart
    assert gap(others) >= bounds.switches_apart
    assert gap(others, over=2) >= bounds.three_switches_apart
    crash_days = [later[0] - earlier[0] for earlier, later in pairwise(found) if earlier[2] is Regime.CRASH]
    assert min(crash_days, default=10**6) >= bounds.crash_days_min


def gap(days: list[int], over: int = 1) -> int:
    return min((later - earlier for earlier, later in zip(days, days[over:], strict=False)), default=10**6)


@examples(30)
@given(days=wild_days)
def test_wild_days_flicker_no_more_than_promised(days: list[tuple[float, int]]) -> None:
    check(days, RulesConstants())


@examples(30)
@given(days=held_days)
def test_fear_that_jumps_between_bands_flickers_no_more_than_promised(days: list[tuple[float, int]]) -> None:
    check(days, RulesConstants())


@examples(30)
@given(days=held_days, numbers=constants)
def test_the_promise_follows_from_the_constants(
    days: list[tuple[float, int]], numbers: RulesConstants
) -> None:
    check(days, numbers)


def test_the_bounds_of_the_default_are_these() -> None:
    assert flicker_bounds(RulesConstants()) == FlickerBounds(
        crash_days_min=6, crash_exits_apart=7, switches_apart=3, three_switches_apart=9
    )


def test_a_crash_that_comes_back_at_once_meets_its_bound_exactly() -> None:
    days = [(1.0, 60)] + [(1.0, 18)] * 6 + [(1.0, 60)] + [(1.0, 18)] * 6
    found = switches(days, RulesConstants())
    assert [day for day, out_of, _ in found if out_of is Regime.CRASH] == [6, 13]


def test_an_alarm_between_slow_switches_meets_its_bound_exactly() -> None:
    days = [(1.0, 26)] * 3 + [(1.0, 18)] * 6 + [(1.0, 26)] * 3
    assert [day for day, _, _ in switches(days, RulesConstants())] == [2, 8, 11]
