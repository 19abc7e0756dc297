"""What a history of labels says, and how two histories differ, on a few hand-written days."""

from __future__ import annotations

import numpy as np
import pytest

from regime.labels import label_difference, regime_facts
from regime.types import Regime, RegimeSeries

N, C, H = Regime.NORMAL, Regime.CRASH, Regime.HIGH_VOLATILITY


def series(*regimes: Regime, first: str = "2024-01-01", pending: Regime | None = None) -> RegimeSeries:
    count = len(regimes)
    return RegimeSeries(
        labeler="rules-1",
        date=np.datetime64(first, "D") + np.arange(count),
        regime=regimes,
        reason=("",) * count,
        pending=(*[None] * (count - 1), pending) if count else (),
        provisional=np.zeros(count, dtype=bool),
    )


def test_no_days_have_no_facts() -> None:
    assert regime_facts(series()) is None


def test_the_open_spell_has_its_regime_age_and_pending_change() -> None:
    facts = regime_facts(series(N, N, C, C, C, pending=H))
    assert facts is not None
    assert (facts.regime, facts.days, facts.pending) == (C, 3, H)
    assert (str(facts.since), str(facts.last_day)) == ("2024-01-03", "2024-01-05")


def test_an_open_spell_is_no_evidence_of_how_long_spells_last() -> None:
    facts = regime_facts(series(N, N, C, C, C))
    assert facts is not None
    assert facts.expected_days is None
    dwell = {each.regime: (each.closed_spells, each.mean_days) for each in facts.dwell}
    assert dwell[C] == (0, None)
    assert dwell[N] == (1, 2.0)


def test_the_expected_dwell_is_the_mean_of_closed_spells() -> None:
    facts = regime_facts(series(N, N, C, N, N, N, N, C, N))
    assert facts is not None
    assert facts.expected_days == 3.0


def test_a_transition_without_a_count_has_no_probability() -> None:
    facts = regime_facts(series(N, N, N, C, C))
    assert facts is not None
    moves = {(each.before, each.after): (each.count, each.probability) for each in facts.transitions}
    assert len(moves) == 36
    assert [count for count, _ in (moves[N, N], moves[N, C])] == [2, 1]
    assert moves[N, N][1] == pytest.approx(2 / 3, abs=1e-12)
    assert moves[N, C][1] == pytest.approx(1 / 3, abs=1e-12)
    assert moves[C, C] == (1, 1.0)
    assert moves[C, N] == (0, None)


def test_shares_are_of_all_days_and_name_what_occurred() -> None:
    facts = regime_facts(series(N, N, N, C))
    assert facts is not None
    assert facts.share == {C: 0.25, N: 0.75}


def test_the_last_spells_end_with_the_open_one() -> None:
    facts = regime_facts(series(*[N, C] * 8, N))
    assert facts is not None
    assert len(facts.last_spells) == 10
    assert [spell.is_closed for spell in facts.last_spells] == [True] * 9 + [False]
    assert str(facts.last_spells[-1].first_day) == "2024-01-17"


def test_histories_differ_only_on_days_that_both_have() -> None:
    found = label_difference(series(N, N, C, C), series(H, C, C, H, H, first="2024-01-02"))
    assert (found.days, found.differing, found.only_before, found.only_after) == (3, 1, 1, 2)
    assert found.counts == ((N, H, 1),)


def test_days_that_differ_alike_are_one_span() -> None:
    found = label_difference(series(N, N, N, C, N), series(H, H, N, N, H))
    spans = [(str(span.first_day), str(span.last_day), span.days) for span in found.spans]
    assert spans == [
        ("2024-01-01", "2024-01-02", 2),
        ("2024-01-04", "2024-01-04", 1),
        ("2024-01-05", "2024-01-05", 1),
    ]
    assert found.counts == ((N, H, 3), (C, N, 1))


def test_equal_histories_differ_nowhere() -> None:
    found = label_difference(series(N, C), series(N, C))
    assert (found.days, found.differing, found.counts, found.spans) == (2, 0, (), ())
