from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from regime.scorecard import Scorecard
from regime.scoring import baseline_probabilities, score
from regime.types import Regime
from tests.examples import examples

PROPERTY = examples(60)
seeds = st.integers(0, 2**32 - 1)
CLASSES = ("sell", "hold", "buy")


@dataclass(frozen=True)
class Rows:
    date: np.ndarray
    symbol: np.ndarray
    regime: np.ndarray
    truth: np.ndarray
    proba: np.ndarray
    prior: np.ndarray

    @classmethod
    def drawn(cls, seed: int) -> Rows:
        rng = np.random.default_rng(seed)
        days, symbols = int(rng.integers(1, 70)), int(rng.integers(1, 5))
        cells = np.flatnonzero(rng.random(days * symbols) < 0.8)
        return cls(
            date=np.datetime64("2024-01-01", "D") + cells // symbols,
            symbol=np.array([f"S{number}" for number in cells % symbols], dtype=np.str_),
            regime=rng.choice([regime.value for regime in Regime], len(cells)),
            truth=rng.integers(0, 3, len(cells)),
            proba=rng.dirichlet([1.0, 2.0, 1.0], len(cells)),
            prior=rng.dirichlet([5.0, 9.0, 5.0], len(cells)),
        )

    def take(self, rows: np.ndarray) -> Rows:
        return Rows(
            date=self.date[rows],
            symbol=self.symbol[rows],
            regime=self.regime[rows],
            truth=self.truth[rows],
            proba=self.proba[rows],
            prior=self.prior[rows],
        )

    def score(self, rng: np.random.Generator | None = None) -> Scorecard:
        return score(
            self.date,
            self.symbol,
            self.regime,
            self.truth,
            self.proba,
            {"prior": self.prior},
            CLASSES,
            sector={"S0": "Energy", "S1": "Utilities"},
            rng=rng,
        )


@PROPERTY
@given(seed=seeds)
def test_the_order_of_rows_changes_nothing_to_the_last_bit(seed: int) -> None:
    rows = Rows.drawn(seed)
    shuffled = rows.take(np.random.default_rng(seed).permutation(len(rows.truth)))
    first, second = (each.score(np.random.default_rng(7)) for each in (rows, shuffled))
    assert first.to_json() == second.to_json()


@PROPERTY
@given(seed=seeds)
def test_regimes_symbols_and_sectors_each_add_up_to_all_rows(seed: int) -> None:
    rows = Rows.drawn(seed)
    card = rows.score()
    sectors = [tally for group in card.sectors.values() for tally in group.values()]
    for parts in (list(card.regimes.values()), list(card.symbols.values()), sectors):
        assert sum(tally.rows for tally in parts) == len(rows.truth)
        assert sum(tally.hits() for tally in parts) == int((rows.proba.argmax(1) == rows.truth).sum())
        for name, proba in (("model", rows.proba), ("prior", rows.prior)):
            total = sum(tally.predictors[name].log_loss_sum for tally in parts)
            by_row = -np.log(proba[np.arange(len(rows.truth)), rows.truth]).sum()
            assert total == pytest.approx(by_row, rel=1e-9)


@PROPERTY
@given(seed=seeds)
def test_ratios_are_those_of_scikit_learn(seed: int) -> None:
    rows = Rows.drawn(seed)
    tally = rows.score().tally()
    assume(tally.rows)
    said = rows.proba.argmax(axis=1)
    assert tally.accuracy() == pytest.approx(accuracy_score(rows.truth, said))
    assert tally.log_loss() == pytest.approx(log_loss(rows.truth, rows.proba, labels=[0, 1, 2]))
    if set(said) <= set(rows.truth):
        assert tally.balanced_accuracy() == pytest.approx(balanced_accuracy_score(rows.truth, said))


@PROPERTY
@given(seed=seeds, share=st.floats(0, 1))
def test_scorecards_of_disjoint_rows_add_up_to_the_scorecard_of_all(seed: int, share: float) -> None:
    rows = Rows.drawn(seed)
    is_first = np.random.default_rng(seed).random(len(rows.truth)) < share
    total = rows.take(is_first).score() + rows.take(~is_first).score()
    whole = rows.score()
    assert (total.days, total.classes, set(total.symbols)) == (whole.days, whole.classes, set(whole.symbols))
    for regime in (None, *Regime):
        assert total.spells_in(regime) == whole.spells_in(regime)
        assert total.tally(regime).class_rows == whole.tally(regime).class_rows
        for name in ("model", "prior"):
            found, expected = (card.tally(regime).predictors[name] for card in (total, whole))
            assert found.class_hits == expected.class_hits
            assert found.log_loss_sum == pytest.approx(expected.log_loss_sum, rel=1e-9)
            assert found.brier_sum == pytest.approx(expected.brier_sum, rel=1e-9)
            assert found.direction_hits == expected.direction_hits


@PROPERTY
@given(seed=seeds)
def test_days_are_the_dates_of_the_rows(seed: int) -> None:
    rows = Rows.drawn(seed)
    card = rows.score()
    assert card.days_in() == len(set(rows.date.tolist()))
    for regime in Regime:
        expected = np.unique(rows.date[rows.regime == regime.value])
        assert card.days[regime] == tuple(expected.tolist())


@PROPERTY
@given(seed=seeds)
def test_a_stored_scorecard_comes_back_as_it_was(seed: int) -> None:
    card = Rows.drawn(seed).score(np.random.default_rng(3))
    assert Scorecard.from_json({**card.to_json()}) == card


@PROPERTY
@given(seed=seeds)
def test_baselines_are_probabilities_and_see_training_rows_only(seed: int) -> None:
    rows = Rows.drawn(seed)
    asked = np.random.default_rng(seed).choice([regime.value for regime in Regime], 20)
    assume(len(rows.truth))
    found = baseline_probabilities(rows.truth, rows.regime, asked, 3)
    for proba in found.values():
        assert proba.shape == (20, 3)
        assert (proba > 0).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    one = baseline_probabilities(rows.truth, rows.regime, asked[7:8], 3)
    for name, proba in one.items():
        np.testing.assert_array_equal(proba[0], found[name][7])
