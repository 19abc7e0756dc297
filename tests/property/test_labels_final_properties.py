"""Final labels are decided once: whatever comes later, and whatever the market does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from regime.labels import LOCAL_HIGH_DAYS, RulesLabeler, final_regimes, spells_of
from regime.types import Regime
from tests.examples import examples

LENGTH = 80
regime_runs = st.lists(st.tuples(st.sampled_from(Regime), st.integers(1, 30)), min_size=1, max_size=12)
closes_of_days = st.lists(st.integers(1, 9).map(float), min_size=400, max_size=400)


def days_in(runs: list[tuple[Regime, int]]) -> list[Regime]:
    return [regime for regime, days in runs for _ in range(days)]


def wild(days: list[tuple[int, int]]) -> tuple[list[float], list[float]]:
    """Give closes that jump by up to a fifth, and fears from calm to panic, of numbers from 0 to 9."""
    closes, fears = [100.0], [18.0]
    for move, fear in days:
        closes.append(closes[-1] * (0.82 + 0.04 * move))
        fears.append(9.0 + 6.0 * fear)
    return closes, fears


wild_days = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=20, max_size=LENGTH)


@examples(50)
@given(runs=regime_runs, closes=closes_of_days, cut=st.integers(0, 400))
def test_the_finals_of_the_first_days_are_the_first_finals(
    runs: list[tuple[Regime, int]], closes: list[float], cut: int
) -> None:
    regimes = days_in(runs)
    whole = final_regimes(closes[: len(regimes)], regimes)
    early = final_regimes(closes[: len(regimes)][:cut], regimes[:cut])
    assert early == whole[: len(early)]


@examples(25)
@given(runs=regime_runs, closes=closes_of_days)
def test_only_days_of_closed_spells_are_final_and_they_wait_a_month_at_most_or_for_their_spell(
    runs: list[tuple[Regime, int]], closes: list[float]
) -> None:
    regimes = days_in(runs)
    finals = final_regimes(closes[: len(regimes)], regimes)
    last = spells_of(regimes)[-1]
    assert len(finals) <= last.first
    waits_for_its_spell = last.regime in {Regime.CRASH, Regime.RECOVERY}
    assert waits_for_its_spell or len(finals) >= min(last.first, len(regimes) - LOCAL_HIGH_DAYS)


@examples(25)
@given(runs=regime_runs, closes=closes_of_days)
def test_a_final_differs_only_before_a_crash_or_after_its_trough(
    runs: list[tuple[Regime, int]], closes: list[float]
) -> None:
    regimes = days_in(runs)
    causal = list(regimes)
    finals = final_regimes(closes[: len(regimes)], regimes)
    assert regimes == causal
    for day, final in enumerate(finals):
        if final is Regime.CRASH:
            assert Regime.CRASH in regimes[day : day + LOCAL_HIGH_DAYS + 1]
        elif final is Regime.RECOVERY:
            assert regimes[day] in {Regime.CRASH, Regime.RECOVERY}
        else:
            assert final is regimes[day]


@examples(25)
@given(runs=regime_runs, closes=closes_of_days, scale=st.sampled_from([0.5, 8.0, 1024.0]))
def test_the_unit_of_the_index_changes_no_final(
    runs: list[tuple[Regime, int]], closes: list[float], scale: float
) -> None:
    regimes = days_in(runs)
    known = closes[: len(regimes)]
    assert final_regimes([scale * close for close in known], regimes) == final_regimes(known, regimes)


@examples(25)
@given(days=wild_days, cut=st.integers(1, LENGTH))
def test_finals_of_a_labelled_market_grow_and_never_change(days: list[tuple[int, int]], cut: int) -> None:
    closes, fears = wild(days)
    labeler = RulesLabeler()
    _, labels = labeler.run(labeler.start(), closes, fears)
    _, first = labeler.run(labeler.start(), closes[:cut], fears[:cut])
    whole = final_regimes(closes, [label.regime for label in labels])
    early = final_regimes(closes[:cut], [label.regime for label in first])
    assert early == whole[: len(early)]


@examples(50)
@given(runs=regime_runs, closes=closes_of_days, cut=st.integers(1, 360))
def test_deciding_goes_on_from_the_spell_of_the_first_open_day(
    runs: list[tuple[Regime, int]], closes: list[float], cut: int
) -> None:
    regimes = days_in(runs)
    known = closes[: len(regimes)]
    whole = final_regimes(known, regimes)
    decided = len(final_regimes(known[:cut], regimes[:cut]))
    start = next((spell.first for spell in spells_of(regimes) if spell.end > decided), decided)
    rest = final_regimes(known[start:], regimes[start:])
    assert start + len(rest) == len(whole)
    assert rest == whole[start:]
