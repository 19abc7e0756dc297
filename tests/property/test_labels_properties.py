"""What must hold for the labels of any market: nothing from the future, nothing forgotten, a reason."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from regime.labels import (
    LABELERS,
    SP500_1999_2012,
    ExplainingLabeler,
    JumpLabeler,
    JumpParameters,
    Labeler,
    ProxyState,
    continue_labels,
    continue_proxy,
    days_of,
    label_days,
    labeler_named,
)
from regime.types import Bars, Regime, RegimeSeries
from tests.examples import examples

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS = 620
"""More than the proxy's 505 closes, so that both its silence and its values are seen."""


def market_of(seed: int, days: int) -> tuple[Bars, Bars]:
    """Give an index with quiet, wild and falling stretches, and its fear index, a fifth of it missing."""
    rng = np.random.default_rng(seed)
    stretch = np.arange(days) // 25
    sigma = rng.choice([0.005, 0.01, 0.02, 0.045], size=stretch[-1] + 1)[stretch]
    drift = rng.choice([0.0, 0.004, -0.01, 0.01], size=stretch[-1] + 1)[stretch]
    close = 100.0 * np.exp(np.cumsum(drift + sigma * rng.standard_normal(days)))
    points = np.clip(1600.0 * sigma * np.exp(0.15 * rng.standard_normal(days)), 9.0, 85.0)
    date = np.datetime64("2010-01-01") + np.arange(days)
    hole = rng.random(days // 20 + 1)[np.arange(days) // 20] < 0.2
    return Bars.of_closes("^IDX", date, close), Bars.of_closes("^FEAR", date[~hole], points[~hole])


def labeler_for(name: str, fear: Bars | None) -> Labeler:
    return labeler_named(name, has_fear=fear is not None)


def rows_of(labels: RegimeSeries) -> list[tuple[str, Regime, str, Regime | None]]:
    return [
        (str(day), regime, reason, pending)
        for day, regime, reason, pending in zip(
            labels.date, labels.regime, labels.reason, labels.pending, strict=True
        )
    ]


seeds = st.integers(0, 2**32 - 1)
cuts = st.integers(1, DAYS - 1)
names = st.sampled_from(LABELERS)
names_by_fear = st.sampled_from(["rules", "reference"])


def test_the_markets_of_these_tests_visit_every_regime() -> None:
    seen = {
        regime
        for seed in range(10)
        for index, fear in [market_of(seed, DAYS)]
        for regime in label_days(index, fear, labeler_for("rules", fear)).regime
    }
    assert seen == set(Regime)


@examples(30)
@given(seed=seeds, cut=cuts, name=names, with_fear=st.booleans())
def test_labels_of_the_first_days_are_the_first_labels(
    seed: int, cut: int, name: str, *, with_fear: bool
) -> None:
    index, known = market_of(seed, DAYS)
    fear = known if with_fear else None
    labeler = labeler_for(name, fear)
    whole = rows_of(label_days(index, fear, labeler))
    before = index.date < index.date[cut]
    early_fear = None if fear is None else fear.take(fear.date < index.date[cut])
    assert len(whole) == DAYS
    assert rows_of(label_days(index.take(before), early_fear, labeler)) == whole[:cut]


@examples(30)
@given(seed=seeds, cut=cuts, name=names, with_fear=st.booleans())
def test_a_restart_in_mid_spell_changes_nothing(seed: int, cut: int, name: str, *, with_fear: bool) -> None:
    index, known = market_of(seed, DAYS)
    fear = known if with_fear else None
    labeler = labeler_for(name, fear)
    days = days_of(index, fear)
    end, whole = continue_labels(labeler, labeler.start(), days)
    saved, head = continue_labels(labeler, labeler.start(), days[:cut])
    restored = labeler.restore(saved.to_json())
    after, tail = continue_labels(labeler, restored, days[cut:])
    assert restored == saved
    assert after == end
    assert rows_of(head) + rows_of(tail) == rows_of(whole)


@examples(10)
@given(seed=seeds, name=names, with_fear=st.booleans())
def test_day_by_day_is_the_same_as_all_at_once(seed: int, name: str, *, with_fear: bool) -> None:
    index, known = market_of(seed, DAYS)
    fear = known if with_fear else None
    labeler = labeler_for(name, fear)
    days = days_of(index, fear)
    state = labeler.start()
    single = []
    for day in days:
        state, label = labeler.step(state, day)
        single.append(label)
    end, whole = labeler.run(labeler.start(), [day.close for day in days], [day.fear for day in days])
    assert tuple(single) == whole
    assert state == end


@examples(20)
@given(seed=seeds, at=cuts, factor=st.floats(0.5, 2.0), name=names, with_fear=st.booleans())
def test_restating_a_day_changes_no_earlier_label(
    seed: int, at: int, factor: float, name: str, *, with_fear: bool
) -> None:
    index, known = market_of(seed, DAYS)
    fear = known if with_fear else None
    labeler = labeler_for(name, fear)
    close = index.close.copy()
    close[at] *= factor
    restated = Bars.of_closes("^IDX", index.date, close)
    assert rows_of(label_days(restated, fear, labeler))[:at] == rows_of(label_days(index, fear, labeler))[:at]


@examples(20)
@given(seed=seeds, name=names, with_fear=st.booleans())
def test_every_label_has_a_reason_and_is_the_same_again(seed: int, name: str, *, with_fear: bool) -> None:
    index, known = market_of(seed, DAYS)
    fear = known if with_fear else None
    labels = label_days(index, fear, labeler_for(name, fear))
    again = label_days(index, fear, labeler_for(name, fear))
    assert len(labels) == DAYS
    assert all(labels.reason)
    assert rows_of(labels) == rows_of(again)
    assert labels.provisional[-1]


@examples(30)
@given(seed=seeds)
def test_a_spell_ends_young_only_in_a_crash_or_a_rise_of_fear(seed: int) -> None:
    index, fear = market_of(seed, DAYS)
    labeler = labeler_for("rules", fear)
    known = np.flatnonzero(np.isin(index.date, fear.date))
    _, labels = labeler.run(labeler.start(), index.close[known].tolist(), fear.close.tolist())
    spells = [(regime, len(list(days))) for regime, days in groupby(label.regime for label in labels)]
    young = {(spells[at][0], spells[at + 1][0]) for at in range(1, len(spells) - 1) if spells[at][1] < 6}
    assert {(before, after) for before, after in young if after is not Regime.CRASH} <= {
        (Regime.NORMAL, Regime.HIGH_VOLATILITY),
        (Regime.LOW_VOLATILITY, Regime.HIGH_VOLATILITY),
    }


@examples(20)
@given(seed=seeds, name=names_by_fear)
def test_a_day_is_unknown_exactly_where_its_fear_is(seed: int, name: str) -> None:
    index, fear = market_of(seed, DAYS)
    labels = label_days(index, fear, labeler_for(name, fear))
    fears = [day.fear for day in days_of(index, fear)]
    assert [regime is Regime.UNKNOWN for regime in labels.regime] == [value is None for value in fears]


@examples(20)
@given(seed=seeds, cut=st.integers(1, DAYS - 1))
def test_the_proxy_continues_from_its_saved_state(seed: int, cut: int) -> None:
    closes = market_of(seed, DAYS)[0].close.tolist()
    end, whole = continue_proxy(ProxyState(), closes)
    saved, head = continue_proxy(ProxyState(), closes[:cut])
    after, tail = continue_proxy(ProxyState.from_json(saved.to_json()), closes[cut:])
    assert head + tail == whole
    assert after == end
    assert sum(fear is not None for fear in whole) == DAYS - 504


@examples(20)
@given(seed=seeds, scale=st.sampled_from([1e-3, 0.5, 8.0, 1024.0]))
def test_the_unit_of_the_index_changes_no_regime(seed: int, scale: float) -> None:
    index, fear = market_of(seed, DAYS)
    scaled = Bars.of_closes("^IDX", index.date, index.close * scale)
    labeler = labeler_for("rules", fear)
    assert label_days(scaled, fear, labeler).regime == label_days(index, fear, labeler).regime


@examples(15)
@given(seed=seeds)
def test_the_scaled_drop_is_that_of_a_plain_window(seed: int) -> None:
    index, fear = market_of(seed, 900)
    labels = label_days(index, fear, labeler_named("reference", has_fear=False))
    returns = np.diff(np.log(index.close))
    for day in range(300, 900, 37):
        window = returns[max(0, day - 756) : day]
        threshold = -max(0.04, 4.0 * window.std(ddof=1) * np.sqrt(10.0))
        is_drop = index.close[day] / index.close[day - 10] - 1.0 <= threshold
        known = labels.regime[day] is not Regime.UNKNOWN
        assert (labels.reason[day].startswith("10-day return") and known) == (is_drop and known)


@examples(10)
@given(seed=seeds, cut=cuts, has_fear=st.booleans())
def test_the_days_after_one_are_those_of_the_whole_history(seed: int, cut: int, *, has_fear: bool) -> None:
    index, fear = market_of(seed, DAYS)
    given_fear = fear if has_fear else None
    after = index.date[cut]
    whole = days_of(index, given_fear)
    assert days_of(index, given_fear, after=after) == tuple(day for day in whole if day.date > after)


@examples(10)
@given(seed=seeds, name=names, with_fear=st.booleans())
def test_an_explanation_has_the_label_and_needs_for_every_other_regime(
    seed: int, name: str, *, with_fear: bool
) -> None:
    index, known = market_of(seed, DAYS)
    fear = known if with_fear else None
    labeler = labeler_for(name, fear)
    assert isinstance(labeler, ExplainingLabeler)
    days = days_of(index, fear)[-120:]
    state = labeler.start()
    for day in days:
        explanation = labeler.explain(state, day)
        state, label = labeler.step(state, day)
        assert explanation.label == label
        assert all(need.ways or need.waits for need in explanation.others)
        assert label.regime not in {need.regime for need in explanation.others}
        assert len(explanation.others) >= 4


@examples(20)
@given(seed=seeds, with_fear=st.booleans())
def test_the_jump_model_is_silent_for_sixty_returns_and_reads_no_fear(seed: int, *, with_fear: bool) -> None:
    index, fear = market_of(seed, DAYS)
    labels = label_days(index, fear if with_fear else None, JumpLabeler())
    assert [regime is Regime.UNKNOWN for regime in labels.regime] == [day < 60 for day in range(DAYS)]
    assert labels.regime == label_days(index, None, JumpLabeler()).regime


@examples(10)
@given(seed=seeds)
def test_the_online_path_ends_where_the_cheapest_path_of_its_days_does(seed: int) -> None:
    index, _ = market_of(seed, 130)
    labeler = JumpLabeler(parameters=replace(SP500_1999_2012, penalty=5.0))
    _, labels = labeler.run(labeler.start(), index.close.tolist(), [None] * 130)
    last = cheapest_end(index.close, labeler.parameters)
    assert labels[-1].regime is (Regime.HIGH_VOLATILITY if last else Regime.NORMAL)


def cheapest_end(close: NDArray[np.float64], parameters: JumpParameters) -> int:
    """Give the last state of the cheapest path, by frames and a table of costs that forgets nothing."""
    returns = pd.Series(np.diff(np.log(close)))

    squares = returns.clip(upper=0) ** 2
    downside = {halflife: squares.ewm(halflife=halflife).mean() ** 0.5 for halflife in (10, 20, 60)}
    ratios = [returns.ewm(halflife=halflife).mean() / downside[halflife] for halflife in (20, 60)]
    rows = pd.concat([downside[10], *ratios], axis=1).to_numpy()[59:]
    rows = ((rows - parameters.means) / parameters.scales).clip(-3, 3)
    centres = np.array([parameters.calm, parameters.turbulent])
    losses = 0.5 * ((rows[:, None, :] - centres) ** 2).sum(axis=2)
    costs = losses[0]
    for loss in losses[1:]:
        costs = loss + np.minimum(costs, costs[::-1] + parameters.penalty)
    return int(costs.argmin())
